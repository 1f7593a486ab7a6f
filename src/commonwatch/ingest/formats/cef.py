r"""ArcSight Common Event Format, bare or behind syslog headers.

Rules held here (`events.md` 8): pipes in the extension are literal; a key follows a blank; of a known product only
known keys end a value, since an unescaped `word=` inside a message would make false ones; paths undo only `\\` and
`\=`; a custom field counts under its label too (`label:X`). Without a time of its own an event has the header's.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, NamedTuple

from commonwatch.events.event import Event
from commonwatch.ingest.formats import _agent_kinds as agent
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Found, Tables, Unreadable, put_back
from commonwatch.ingest.tables.pairs import WITHIN, share, split_header, unescape, unquoted
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.writing import iso
from commonwatch.ingest.values.syslog import Header, header
from commonwatch.ingest.values.times import GIVEN

NAME: Final = "cef"
TITLE: Final = "CEF (ArcSight Common Event Format)"
NUMBER: Final = 4
FRAMING: Final = "lines"
COMMENTS: Final = True
_BEGIN: Final = re.compile(r"CEF: ?\d+\|")
_HEADER: Final = ("Device Vendor", "Device Product", "Device Version", "Signature ID", "Name", "Severity")
_KEY: Final = re.compile(r"\s([\w.\-\[\]]+)=")
#: The same where a blank is the only white space: of what is printable no other is.
_KEY_AFTER_SPACE: Final = re.compile(r" ([\w.\-\[\]]++)=")
_SHORT: Final = 4_096
_PATHS: Final = frozenset({"filePath", "fname", "oldFilePath", "oldFileName", "sproc", "dproc"})
_LABELLED: Final = re.compile(r"(?:cs|cn|cfp|c6a|flexString|flexNumber|flexDate|deviceCustomDate)\d")
_EPOCH_MS: Final = re.compile(r"\d{12,14}")
_DATE: Final = re.compile(
    r"([A-Z][a-z]{2}) (\d{1,2}) (\d{4}) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?: ([A-Z]{3,4}|[+-]\d\d:?\d\d))?"
)
_TIMES: Final = ("rt", "start", "end", "deviceReceiptTime")

VOCABULARY: Final = agent.Names(
    severity=("Severity",), rule_uid=("Signature ID",), rule_name=("Name",), rule_category=("cat",),
    src_ip=("src", "c6a2", "sourceTranslatedAddress"), src_port=("spt",), dst_ip=("dst", "c6a3"), dst_port=("dpt",),
    src_host=("shost",), dst_host=("dhost",), src_user=("suser", "suid"), dst_user=("duser", "duid"),
    sensor_uid=("dvchost", "dvc", "deviceExternalId"), proto=("proto",), app_proto=("app",), bytes_in=("in",),
    bytes_out=("out",), count=("cnt",), verdict=("act",), status_id=("outcome",), url=("request", "requestUrl"),
    user_agent=("requestClientApplication",), file_name=("fname",), file_path=("filePath",),
    file_hash=("fileHash", "sha256", "sha1", "md5"), domain=("request", "requestUrl", "destinationDnsDomain"),
    process_name=("sproc", "dproc"), message=("msg",), mail_from=("suser",), mail_to=("duser",),
    mail_subject=("label:Subject",),
)  # fmt: skip
TABLES: Final = Tables((*agent.any_product(VOCABULARY), *agent.agent(VOCABULARY)), times=_TIMES)
MAPPING: Final = TABLES.reference()
#: Keys that end a value of a known product: the dictionary's and the agent's own.
_KEYS: Final = (
    "act", "app", "c6a1", "c6a2", "c6a3", "cat", "cnt", "cn1", "cn2", "cn3", "cs1", "cs2", "cs3", "cs4", "cs5",
    "cs6", "destinationDnsDomain", "deviceDirection", "deviceExternalId", "deviceFacility", "dhost", "dmac",
    "dntdom", "dpid", "dpriv", "dproc", "dpt", "dst", "duid", "duser", "dvc", "dvchost", "dvcmac", "dvcpid", "end",
    "externalId", "fileHash", "fileId", "filePath", "fileType", "fname", "fsize", "in", "msg", "oldFileHash",
    "oldFileName", "oldFilePath", "out", "outcome", "proto", "reason", "repeatCount", "request",
    "requestClientApplication", "requestMethod", "result", "rt", "shost", "smac", "sntdom", "spid", "spriv",
    "sproc", "spt", "src", "start", "suid", "suser", "target",
)  # fmt: skip
_KNOWN: Final = frozenset(_KEYS) | {f"{k}Label" for k in _KEYS if _LABELLED.fullmatch(k)}


def recognise(head: bytes) -> float:
    """Share of the first lines with `CEF:` near their beginning."""
    return share(head, _BEGIN)


def find(line: bytes, context: Context) -> Found | Unreadable:
    """The values of a line: header fields by their names, extension by its keys, custom fields by their labels too."""
    try:
        text = line.decode().rstrip("\r\x00 ")
    except UnicodeDecodeError:
        return Unreadable("not_utf8")
    begin = _BEGIN.search(text, 0, WITHIN)
    if begin is None:
        return Unreadable("unknown_format" if "CEF:" not in text[:WITHIN] else "malformed")
    fields = split_header(text[begin.end() :], "|", len(_HEADER))
    if len(fields) <= len(_HEADER):
        return Unreadable("truncated")
    values: dict[str, Any] = dict(zip(_HEADER, fields, strict=False))
    known = values["Device Vendor"].casefold() == agent.AGENT_VENDOR
    values |= extension(fields[-1], known=known)
    sent = header(text[: begin.start()], context)
    if sent.host:
        values.setdefault("dvchost", sent.host)
    product = values["Device Product"]
    kind = agent.agent_kind(values["Signature ID"], product) if known else None
    kind = kind or agent.kind_of(values.get("cat"), values["Name"], product)
    return Found(kind, values, when_of(values, sent, context))


def extension(text: str, *, known: bool) -> dict[str, Any]:
    """Values by key; of a known product only known keys end a value."""
    pieces = (_KEY_AFTER_SPACE if text.isprintable() else _KEY).split(" " + text)
    keys, told = tuple(pieces[1::2]), pieces[2::2]
    said = _remembered(keys) if len(text) <= _SHORT else _keys_of(keys)
    if known and not said.known:
        keys, told = _between_known(" " + text)
        said = _keys_of(keys)
    values: dict[str, Any] = dict(zip(said.keys, map(str.strip, told), strict=True))
    if "\\" in text or '"' in text:
        for key in [k for k, v in values.items() if "\\" in v or v[:1] == '"']:
            values[key] = unescape(unquoted(values[key]), path=key in _PATHS)
    for key, naming in said.labelled:
        if label := values[naming]:
            values[f"label:{label}"] = values[key]
    return values


class _Keys(NamedTuple):
    """What the keys of an extension say by themselves: are all of them the dictionary's, and which have a label."""

    keys: tuple[str, ...]
    known: bool
    labelled: tuple[tuple[str, str], ...]


def _keys_of(keys: tuple[str, ...]) -> _Keys:
    pairs = ((key, f"{key}Label") for key in dict.fromkeys(keys) if _LABELLED.fullmatch(key))
    return _Keys(keys, all(map(_is_known, keys)), tuple(pair for pair in pairs if pair[1] in keys))


#: A source repeats few sequences of keys; only those of short lines are remembered, so that memory is bounded.
_remembered = lru_cache(maxsize=1_000)(_keys_of)


def _is_known(key: str) -> bool:
    return key in _KNOWN or key.startswith("TrendMicroDs")


def _between_known(text: str) -> tuple[tuple[str, ...], list[str]]:
    """Known keys and what stands behind each, with the false keys in it."""
    found = [m for m in _KEY.finditer(text) if _is_known(m[1])]
    ends = [*(m.start() for m in found[1:]), len(text)][: len(found)]
    return tuple(m[1] for m in found), [text[m.end() : end] for m, end in zip(found, ends, strict=True)]


def when_of(values: dict[str, Any], sent: Header, context: Context) -> tuple[int, int] | None:
    """The event's own time, else the header's."""
    for key in _TIMES:
        if (text := values.get(key)) and (read := moment(text, context)) is not None:
            return read
    return sent.when


def moment(text: str, context: Context) -> tuple[int, int] | None:
    """Milliseconds since 1970, `MMM dd yyyy HH:mm:ss`, or ISO text."""
    if _EPOCH_MS.fullmatch(text):
        return int(text) * 1000, GIVEN
    if (found := _DATE.fullmatch(text)) is None:
        return context.times.read(text)
    month, day, year, clock, fraction, zone = found.groups()
    number = "JanFebMarAprMayJunJulAugSepOctNovDec".find(month) // 3 + 1
    named = {"UTC": "Z", "GMT": "Z", None: ""}.get(zone, zone if zone and zone[0] in "+-" else "")
    return context.times.read(f"{year}-{number:02d}-{int(day):02d}T{clock}.{fraction or 0}{named}")


def write(event: Event, kind: str) -> bytes:
    """The line of an event."""
    values = put_back(TABLES, event, kind)
    if kind.startswith("agent"):
        values.setdefault("Signature ID", str(agent.number_for(kind)))
    head = "|".join(str(values.pop(name, "")).replace("\\", "\\\\").replace("|", "\\|") for name in _HEADER)
    rest = {"rt" if event.time_quality < 2 else "": iso(event), **_labelled(values)}
    first = f"<14>{iso(event)} " if event.time_quality >= 2 else ""
    said = " ".join(f"{key}={_escaped(key, value)}" for key, value in rest.items() if key)
    return f"{first}CEF:0|{head}|{said}".encode()


def _labelled(values: dict[str, Any]) -> dict[str, Any]:
    """Labels as pairs of custom fields."""
    made = {k: v for k, v in values.items() if not k.startswith("label:")}
    for n, (key, value) in enumerate(((k, v) for k, v in values.items() if k.startswith("label:")), start=4):
        made |= {f"cs{n}": value, f"cs{n}Label": key.removeprefix("label:")}
    return made


def _escaped(key: str, value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value)
    text = text.replace("\\", "\\\\").replace("=", "\\=")
    return text if key in _PATHS else text.replace("\n", "\\n").replace("\r", "\\r")


parse = parser(find, TABLES, NUMBER, json=False)
