"""Partners' intelligence as candidate indicators: STIX, TAXII envelopes, MISP events, lists and CSV. Pure.

Rules held here: nothing in it is believed: a value that is not of its kind is refused with a reason; what cannot be
expressed as one value (a pattern over several things) is refused as such; an object without a marking has none, and
whoever keeps it decides for the strictest; sizes and counts are bounded; no input raises.
"""

from commonwatch.ingest.intel.candidate import Candidate, Given, candidate
from commonwatch.ingest.intel.reading import read_intelligence

__all__ = ["Candidate", "Given", "candidate", "read_intelligence"]
