"""Zeek logs as TSV, with the header that every log begins with.

Rules held here: the header decides, never the file's name; a line with another number of columns than the header is
malformed; lines before any header cannot be read. Both `parse` and what it remembers never raise.
"""

from __future__ import annotations

from typing import Any, Final

from commonwatch.events.event import Event
from commonwatch.ingest.formats._zeek_header import header_of, note
from commonwatch.ingest.formats._zeek_kinds import SENSOR_NOTICES, TABLES
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Found, Unreadable, put_back
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.values.times import GIVEN, epoch

NAME: Final = "zeek_tsv"
TITLE: Final = "Zeek logs (TSV)"
NUMBER: Final = 2
FRAMING: Final = "lines"
COMMENTS: Final = False
MAPPING: Final = TABLES.reference()
_HEADER: Final = b"#separator "


def recognise(head: bytes) -> float:
    """Whether a `#separator` line is among the first lines."""
    return 1.0 if any(line.startswith(_HEADER) for line in head.split(b"\n", 40)[:40]) else 0.0


def find(line: bytes, context: Context) -> Found | Unreadable | None:
    """The values of a line under the header in force; a `#` line changes what is in force."""
    if line.startswith(b"#"):
        context.memory = note(line, context.memory)
        return None
    header = header_of(context.memory)
    if header is None:
        return Unreadable("unknown_format")
    try:
        line.decode()
    except UnicodeDecodeError:
        return Unreadable("not_utf8")
    values = header.values(line.rstrip(b"\r\x00"))
    if values is None:
        return Unreadable("malformed")
    when = epoch(values.get("ts"))
    return Found(kind_of(header.path, values), values, None if when is None else (when, GIVEN))


def kind_of(path: str, values: dict[str, Any]) -> str:
    """The kind of a record of the log `path`: a login where its end is known, a notice of the sensor about itself."""
    if path == "notice" and str(values.get("note", "")).startswith(SENSOR_NOTICES):
        return "notice of the sensor"
    if path == "ssh" and isinstance(values.get("auth_success"), bool):
        return "ssh login"
    if path in {"kerberos", "ntlm"} and isinstance(values.get("success"), bool):
        return f"{path} login"
    return path


def write(event: Event, kind: str) -> bytes:
    """A log of one record with its header."""
    values = {"ts": f"{event.time // 1_000_000}.{event.time % 1_000_000:06d}", **put_back(TABLES, event, kind)}
    path = "notice" if kind.startswith("notice") else kind.removesuffix(" login")
    lines = [
        "#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", f"#path\t{path}",
        "#fields\t" + "\t".join(values), "#types\t" + "\t".join(map(_type, values.values())),
        "\t".join(map(_cell, values.values())),
    ]  # fmt: skip
    return "\n".join(lines).encode()


def _type(value: Any) -> str:
    return "bool" if isinstance(value, bool) else "set[string]" if isinstance(value, list) else "string"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return ",".join(_escaped(str(v)) for v in value) if isinstance(value, list) else _escaped(str(value))


def _escaped(text: str) -> str:
    return text.replace("\\x", "\\x5cx").replace("\t", "\\x09").replace(",", "\\x2c").replace("\n", "\\x0a")


parse = parser(find, TABLES, NUMBER, json=False)
