"""What is wrong with a document as somebody types it: all of it, each with its path, line, and what to do.

`diagnose` reads an object or YAML, JSON or English text and never raises: an unfinished document is an answer too.
"""

from commonwatch.agreements.diagnose.answer import Diagnosis, Sentence, diagnose, diagnose_text
from commonwatch.agreements.diagnose.faults import Fault, faults

__all__ = ["Diagnosis", "Fault", "Sentence", "diagnose", "diagnose_text", "faults"]
