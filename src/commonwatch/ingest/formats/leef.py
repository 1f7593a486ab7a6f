r"""QRadar Log Event Extended Format 1.0 and 2.0, bare or behind syslog headers.

Rules held here (`events.md` 8): 1.0 separates by tabs; 2.0 names its delimiter in a sixth field, as a character or as
`x5E` or `0x09`, and some vendors leave that field out altogether; keys are case-sensitive; `devTime` is often ISO in
spite of `devTimeFormat`. Without a time of its own an event has the header's.
"""

from __future__ import annotations

import re
from typing import Any, Final

from commonwatch.events.event import Event
from commonwatch.ingest.formats import _agent_kinds as agent
from commonwatch.ingest.formats.cef import moment
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Found, Tables, Unreadable, put_back
from commonwatch.ingest.tables.pairs import WITHIN, share, split_header, unquoted
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.writing import iso
from commonwatch.ingest.values.syslog import header
from commonwatch.ingest.values.times import FROM_HEADER

NAME: Final = "leef"
TITLE: Final = "LEEF (QRadar Log Event Extended Format)"
NUMBER: Final = 5
FRAMING: Final = "lines"
COMMENTS: Final = True
_BEGIN: Final = re.compile(r"LEEF: ?(\d(?:\.\d)?)\|")
_HEADER: Final = ("Device Vendor", "Device Product", "Device Version", "EventID")
_DELIMITER: Final = re.compile(r"(?:0?x([0-9A-Fa-f]{2})|([^\w=]))")
_KEY: Final = re.compile(r"\w[\w.\-]*=")

VOCABULARY: Final = agent.Names(
    severity=("sev",), rule_uid=("EventID",), rule_name=("name", "Name"), rule_category=("cat",), src_ip=("src",),
    src_port=("srcPort", "spt"), dst_ip=("dst",), dst_port=("dstPort", "dpt"), src_host=("identHostName", "shost"),
    dst_host=("dhost",), src_user=("usrName", "suser"), dst_user=("duser",),
    sensor_uid=("identSrc", "dvchost", "dvc"), proto=("proto",), app_proto=("app",), bytes_out=("srcBytes", "out"),
    bytes_in=("dstBytes", "in"), count=("count", "cnt"), verdict=("action", "act"), url=("url", "request"),
    user_agent=("userAgent",), file_name=("fileName", "fname"), file_path=("filePath",),
    file_hash=("fileHash", "sha256", "sha1", "md5"), domain=("url", "request", "domain"),
    process_name=("process", "sproc"), message=("msg", "desc"), mail_from=("sender",), mail_to=("recipient",),
    mail_subject=("subject",),
)  # fmt: skip
TABLES: Final = Tables((*agent.any_product(VOCABULARY), *agent.agent(VOCABULARY)), times=("devTime",))
MAPPING: Final = TABLES.reference()


def recognise(head: bytes) -> float:
    """Share of the first lines with `LEEF:` near their beginning."""
    return share(head, _BEGIN)


def find(line: bytes, context: Context) -> Found | Unreadable:
    """The values of a line: header fields by their names, attributes by their keys."""
    try:
        text = line.decode().rstrip("\r\x00")
    except UnicodeDecodeError:
        return Unreadable("not_utf8")
    begin = _BEGIN.search(text, 0, WITHIN)
    if begin is None:
        return Unreadable("unknown_format" if "LEEF:" not in text[:WITHIN] else "malformed")
    if (values := _values(text, begin)) is None:
        return Unreadable("truncated")
    known = values["Device Vendor"].casefold() == agent.AGENT_VENDOR
    sent = header(text[: begin.start()], context)
    if sent.host:
        values.setdefault("dvchost", sent.host)
    own = moment(values["devTime"], context) if values.get("devTime") else None
    product = values["Device Product"]
    kind = agent.agent_kind(values["EventID"], product) if known else None
    kind = kind or agent.kind_of(values.get("cat"), values.get("name"), product)
    return Found(kind, values, own or sent.when)


def _values(text: str, begin: re.Match[str]) -> dict[str, Any] | None:
    fields = split_header(text[begin.end() :], "|", len(_HEADER))
    if len(fields) <= len(_HEADER):
        return None
    rest, delimiter = fields[-1], "\t"
    if begin[1].startswith("2"):
        rest, delimiter = _delimited(rest)
    values: dict[str, Any] = dict(zip(_HEADER, fields, strict=False))
    for pair in rest.split(delimiter):
        key, equals, value = pair.strip().partition("=")
        if equals and key:
            values[key] = unquoted(value.strip())
    return values


def _delimited(rest: str) -> tuple[str, str]:
    """The attributes of a 2.0 event and what is between them; without a sixth field, tabs."""
    first, bar, after = rest.partition("|")
    if not bar or _KEY.match(first):
        return rest, "\t"
    found = _DELIMITER.fullmatch(first)
    if found is None:
        return after, "\t"
    return after, chr(int(found[1], 16)) if found[1] else found[2]


def write(event: Event, kind: str) -> bytes:
    """The line of an event."""
    values = put_back(TABLES, event, kind)
    if kind.startswith("agent"):
        values.setdefault("EventID", str(agent.number_for(kind)))
    head = "|".join(str(values.pop(name, "")).replace("\\", "\\\\").replace("|", "\\|") for name in _HEADER)
    late = event.time_quality == FROM_HEADER
    rest = values if late else {"devTime": iso(event), **values}
    said = "\t".join(f"{k}={', '.join(v) if isinstance(v, list) else v}" for k, v in rest.items())
    return f"{f'<14>{iso(event)} ' if late else ''}LEEF:2.0|{head}|x09|{said}".encode()


parse = parser(find, TABLES, NUMBER, json=False)
