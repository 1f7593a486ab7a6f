"""Zeek logs as JSON, one object a line, with or without `_path`.

Rules held here: a record that does not say its log is known by the members that only this log has; times are seconds
since 1970 or ISO text. `parse` never raises.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.ingest.formats._zeek_kinds import TABLES
from commonwatch.ingest.formats.zeek_tsv import kind_of
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Found, Unreadable, put_back
from commonwatch.ingest.tables.json_paths import decode, paths, share
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.values.times import GIVEN, epoch

NAME: Final = "zeek_json"
TITLE: Final = "Zeek logs (JSON)"
NUMBER: Final = 3
FRAMING: Final = "json"
COMMENTS: Final = True
MAPPING: Final = TABLES.reference()
#: Members that tell a log that does not name itself; the first that fits.
_TELLING: Final[tuple[tuple[str, frozenset[str]], ...]] = tuple(
    (path, frozenset(names.split()))
    for path, names in (
        ("conn", "conn_state"), ("dns", "query qtype"), ("dns", "query qclass"), ("dns", "trans_id rejected"),
        ("http", "trans_depth method"), ("http", "trans_depth host"), ("http", "status_code trans_depth"),
        ("smtp", "trans_depth helo"), ("smtp", "trans_depth mailfrom"), ("ssl", "cipher"), ("ssl", "ssl_history"),
        ("intel", "seen.indicator"), ("notice", "note actions"), ("notice", "note msg"),
        ("x509", "certificate.serial"), ("ssh", "auth_attempts"), ("ssh", "host_key_alg"), ("rdp", "security_protocol"),
        ("rdp", "cookie"), ("kerberos", "request_type"), ("ntlm", "domainname"), ("ntlm", "server_nb_computer_name"),
        ("weird", "name notice"), ("files", "fuid seen_bytes"), ("files", "fuid analyzers"),
        ("dce_rpc", "endpoint operation"), ("smb_files", "action times.modified"), ("smb_files", "action name"),
    )
)  # fmt: skip


def recognise(head: bytes) -> float:
    """Share of the first records that have `ts` and either `_path` or the members of a log."""
    return share(head, lambda found: "ts" in found and bool(_path(paths(found))))


def _path(values: dict[str, Any]) -> str:
    named = values.get("_path")
    if isinstance(named, str):
        return named
    return next((path for path, names in _TELLING if names <= values.keys()), "")


def find(record: bytes, context: Context) -> Found | Unreadable:
    """The values of a record."""
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        return decoded
    values = paths(decoded)
    ts = values.get("ts")
    seconds = epoch(ts)
    when = (seconds, GIVEN) if seconds is not None else context.times.read(ts) if isinstance(ts, str) else None
    return Found(kind_of(_path(values), values), values, when)


def write(event: Event, kind: str) -> bytes:
    """The record of an event of a kind; names with dots are Zeek's own flat names."""
    path = "notice" if kind.startswith("notice") else kind.removesuffix(" login")
    when = f"{event.time // 1_000_000}.{event.time % 1_000_000:06d}"
    return msgspec.json.encode({"_path": path, "ts": when, **put_back(TABLES, event, kind)})


parse = parser(find, TABLES, NUMBER, json=True)
