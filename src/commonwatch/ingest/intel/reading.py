"""Any document of a partner to candidates: by its content, as STIX, MISP, CSV with a header, or one value a line.

Rules held here: content decides, never a name; a document above 16 MiB is refused; a list is read whole.
"""

from __future__ import annotations

import csv
import io
from typing import Any, Final

from commonwatch.errors import InvalidInput
from commonwatch.ingest.framing.depth import too_deep
from commonwatch.ingest.intel import misp, stix
from commonwatch.ingest.intel.candidate import Candidate, Given, candidate, kind_of
from commonwatch.ingest.intel.marking import of_word
from commonwatch.ingest.outcome import MAX_DOCUMENT
from commonwatch.ingest.tables import Unreadable
from commonwatch.ingest.tables.json_paths import decode
from commonwatch.ingest.tables.reading import whole

#: Names a column of values may have, and those of what is said of them.
_VALUE: Final = (
    "value",
    "indicator",
    "ioc",
    "ioc_value",
    "observable",
    "ip",
    "domain",
    "url",
    "hash",
    "sha256",
    "dst_ip",
)
_LIST: Final = "list"
_COMMENTS: Final = ("#", ";", "//")


def read_intelligence(data: bytes) -> Given:
    """The candidates of a document. Raises InvalidInput for one that is too large or no known form at all."""
    if len(data) > MAX_DOCUMENT:
        raise InvalidInput("the document is too long", where="body", todo=f"send at most {MAX_DOCUMENT >> 20} MiB")
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    if text[:1] in (b"{", b"["):
        return _json(text)
    return _lines(text)


def _json(text: bytes) -> Given:
    found = decode(text if text[:1] == b"{" else b'{"response":' + text + b"}")
    if isinstance(found, Unreadable) or too_deep([text]):
        raise InvalidInput("the document cannot be read as JSON", where="body", todo="send STIX, MISP, CSV or a list")
    if found.get("type") == "bundle" or "objects" in found or str(found.get("id")).startswith("indicator--"):
        return stix.read(found)
    if found.keys() & {"Event", "response", "Attribute", "Object"}:
        return misp.read(found)
    if found.keys() <= {"more", "next"}:
        return Given.nothing()
    raise InvalidInput("the document is neither STIX nor MISP", where="body", todo="send STIX, MISP, CSV or a list")


def _lines(text: bytes) -> Given:
    """A list: CSV where its first line names a column of values, else one value a line."""
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line and not line.startswith(_COMMENTS)]
    given = Given.nothing()
    given.parents.append(_LIST)
    header = [name.strip().strip('"').lower() for name in lines[0].split(",")] if lines else []
    column = next((name for name in _VALUE if name in header), None) if len(header) > 1 else None
    if column is not None:
        for row in csv.DictReader(io.StringIO("\n".join([",".join(header), *lines[1:]]))):
            given.add(_row(row, column))
    else:
        for line in lines[1:] if header and header[0] in _VALUE else lines:
            given.add(_value(line.split()[0], {}))
    return given


def _row(row: dict[str, Any], column: str) -> Candidate | str:
    said: dict[str, Any] = {}
    if (sure := whole(row.get("confidence"))) is not None and sure <= 100:
        said["confidence"] = sure
    for name in ("valid_from", "valid_until"):
        said[name] = stix.moment(row.get(name))
    if row.get("tlp"):
        said["tlp"] = of_word(str(row["tlp"]).lower().removeprefix("tlp:")).tlp
    return _value(str(row.get(column) or ""), said)


def _value(text: str, said: dict[str, Any]) -> Candidate | str:
    kind = kind_of(text)
    if kind is None:
        return "no value of a known kind"
    found = candidate(kind, text, **said)
    return found if isinstance(found, str) else candidate(kind, text, external_id=found.value, parent=_LIST, **said)
