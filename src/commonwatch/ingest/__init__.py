"""From a tool's bytes to canonical events: recognise, frame, parse, label, count.

Rules held in this room: recognition goes by content, never by file name; no input raises, every record becomes exactly
one outcome (`Parsed | Skipped | Quarantined`); a bad optional field is dropped and counted, the event stays; re-reading
the same bytes gives the same event ids; unmapped source fields stay where they are. One file per format in `formats/`.
"""

from commonwatch.ingest.counters import Counters
from commonwatch.ingest.outcome import Outcome, Parsed, Quarantined, Skipped
from commonwatch.ingest.reading import Reader, read, read_file
from commonwatch.ingest.source import Source

__all__ = ["Counters", "Outcome", "Parsed", "Quarantined", "Reader", "Skipped", "Source", "read", "read_file"]
