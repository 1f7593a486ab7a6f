"""Suricata EVE JSON (versions 6 to 8): every event_type is mapped or skipped with its reason.

Rules held here: the typed decoder reads a record in one go; only a record it refuses takes the slow way, alone. The
ends of an alert are the flow's, not the packet's: `flow.src_ip`, else `direction`, else own networks decide. Payload,
packets and every key outside the mapping table stay at the gateway. `parse` never raises.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Severity
from commonwatch.ingest import texts
from commonwatch.ingest.families import family_of
from commonwatch.ingest.fitting import fit
from commonwatch.ingest.formats import _eve_records as eve
from commonwatch.ingest.formats._eve_kinds import KINDS, SKIPS, Kind
from commonwatch.ingest.formats._eve_mapping import MAPPING
from commonwatch.ingest.formats._eve_members import MEMBERS, Drop, read_file
from commonwatch.ingest.framing import Frames, sample
from commonwatch.ingest.outcome import MAX_DEPTH, Outcome, Parsed, Skipped, quarantine
from commonwatch.ingest.places import Place, Places, direction
from commonwatch.ingest.source import Context
from commonwatch.ingest.times import plausible

NAME: Final = "suricata_eve"
TITLE: Final = "Suricata EVE JSON"
NUMBER: Final = 1
FRAMING: Final = "json"
COMMENTS: Final = True

_decoder = msgspec.json.Decoder(eve.Eve, strict=False)
_SEVERITY: Final = {1: Severity.HIGH, 2: Severity.MEDIUM, 3: Severity.LOW, 4: Severity.INFORMATIONAL}
_LOG_LEVEL: Final = {"error": Severity.MEDIUM, "warning": Severity.LOW}
_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[{}\[\]]', re.DOTALL)
_U63: Final = 1 << 63
_NO_APP: Final = frozenset({"failed", "unknown"})
_ALLOWED, _DENIED, _OBSERVED = 1, 2, 3
_PASSED, _BLOCKED, _DETECTED, _RESET = 1, 2, 15, 21


def recognise(head: bytes) -> float:
    """Share of the first records that have `event_type` and `timestamp`."""
    hits = total = 0
    for record in sample(head):
        try:
            found = msgspec.json.decode(record)
        except (ValueError, RecursionError):
            continue
        total += 1
        hits += isinstance(found, dict) and {"event_type", "timestamp"} <= found.keys()
    return hits / total if total else 0.0


def parse(frames: Frames, context: Context) -> list[Outcome]:
    """One outcome per record, in order; broken frames come first."""
    outcomes: list[Outcome] = list(frames.broken)
    dropped: list[str] = []
    add, decode, drop = outcomes.append, _decoder.decode, dropped.append
    for position, record in zip(frames.offsets, frames.records, strict=True):
        try:
            found = decode(record)
        except (ValueError, RecursionError):
            add(_parse_slowly(position, record, context))
            continue
        if too_deep(record):
            add(quarantine("too_deep", position, record))
            continue
        outcome = _make(found, position, context, drop, record)
        if dropped:
            outcome = _note_dropped(outcome, dropped)
            dropped.clear()
        add(outcome)
    return outcomes


def too_deep(record: bytes) -> bool:
    """Whether brackets nest deeper than `MAX_DEPTH`; cheap for the usual record."""
    if record.count(b"{") + record.count(b"[") <= MAX_DEPTH:
        return False
    return nesting(record) > MAX_DEPTH


def nesting(record: bytes) -> int:
    """How deep brackets nest outside strings."""
    depth = deepest = 0
    for token in _TOKENS.finditer(record):
        first = token[0][:1]
        if first in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif first in (b"}", b"]"):
            depth -= 1
    return deepest


def _parse_slowly(position: int, record: bytes, context: Context) -> Outcome:
    """A record the typed decoder refused: say what is wrong with it, or drop the fields that do not fit."""
    record = record.rstrip(b" \t\r\n\x00")
    if nesting(record) > MAX_DEPTH:
        return quarantine("too_deep", position, record)
    try:
        found: Any = msgspec.json.decode(record)
    except (ValueError, RecursionError):
        return quarantine(_fault(record), position, record)
    if not isinstance(found, dict):
        return quarantine("malformed", position, record)
    dropped: list[str] = []
    shaped = fit(found, eve.Eve, dropped)
    for name in ("event_type", "timestamp"):
        if name in dropped:
            return quarantine(f"bad_field:{name}", position, record)
    return _note_dropped(_make(shaped, position, context, dropped.append, record), dropped)


def _fault(record: bytes) -> str:
    try:
        record.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    return "malformed" if record.endswith(b"}") or not record.startswith(b"{") else "truncated"


def _note_dropped(outcome: Outcome, dropped: list[str]) -> Outcome:
    if type(outcome) is not Parsed:
        return outcome
    return msgspec.structs.replace(outcome, dropped=tuple(dict.fromkeys(dropped)))


def _make(found: eve.Eve, position: int, context: Context, drop: Drop, record: bytes) -> Outcome:
    """Kind and time are required; everything else is optional."""
    name = found.event_type
    kind = KINDS.get(name) if name is not None else None
    if name is None or kind is None:
        reason = SKIPS.get(name or "")
        return quarantine("unknown_kind", position, record) if reason is None else Skipped(reason, position)
    if found.timestamp is None:
        return quarantine("no_time", position, record)
    when = context.times.read(found.timestamp)
    if when is None:
        return quarantine("bad_field:timestamp", position, record)
    if not plausible(when[0], context.now):
        return quarantine("bad_time", position, record)
    event = _build(found, kind, when, context, drop)
    event.event_uid = context.uid(position)
    session = found.flow_id
    if session is not None and not 0 <= session < 1 << 64:
        drop("flow_id")
        session = None
    return Parsed(event, position, name, (), session)


def _build(found: eve.Eve, kind: Kind, when: tuple[int, int], context: Context, drop: Drop) -> Event:
    """The event of a record whose kind and time are known."""
    src, src_port, dst, dst_port = _ends(found, kind, context.places, drop)
    app = found.app_proto or kind.app
    event = Event(
        event_class=kind.event_class,
        class_uid=kind.class_uid,
        activity_id=kind.activity,
        time=when[0],
        time_quality=when[1],
        severity_id=Severity.INFORMATIONAL,
        product_vendor="OISF",
        product_name="Suricata",
        source_format=NUMBER,
        src_port=src_port,
        dst_port=dst_port,
        direction_id=direction(src, dst),
        app_proto=None if app is None or app in _NO_APP else texts.static(app),
    )
    if src is not None:
        event.src_ip, event.src_scope, event.src_country, event.src_asn = src
    if dst is not None:
        event.dst_ip, event.dst_scope, event.dst_country, event.dst_asn = dst
    _read_common(event, found, drop)
    for member in kind.members:
        if (value := getattr(found, member)) is not None:
            MEMBERS[member](event, value, drop)
    if (finish := _FINISH.get(found.event_type or "")) is not None:
        finish(event, found, drop)
    return event


def _read_common(event: Event, found: eve.Eve, drop: Drop) -> None:
    """What every kind may carry."""
    if (proto := found.proto) is not None:
        event.proto = texts.protocol(proto)
        if event.proto is None:
            drop("proto")
    if (mark := found.community_id) is not None:
        if mark.isascii() and len(mark) <= 64:
            event.community_id = mark
        else:
            drop("community_id")
    if found.host is not None:
        event.sensor_uid = texts.static(found.host)
    if found.suricata_version is not None:
        event.product_version = texts.static(found.suricata_version)
    if (flow := found.flow or found.netflow) is not None:
        _read_volume(event, flow, drop)


def _read_volume(event: Event, flow: eve.Flow, drop: Drop) -> None:
    """In is what came back to the side that opened the connection; a netflow record knows one way only."""
    out = flow.bytes if flow.bytes_toserver is None else flow.bytes_toserver
    if out is not None and 0 <= out < _U63:
        event.bytes_out = out
    elif out is not None:
        drop("flow.bytes_toserver")
    back = flow.bytes_toclient
    if back is not None and 0 <= back < _U63:
        event.bytes_in = back
    elif back is not None:
        drop("flow.bytes_toclient")


_Ends = tuple[Place | None, int | None, Place | None, int | None]


def _ends(found: eve.Eve, kind: Kind, places: Places, drop: Drop) -> _Ends:
    """Who opened the connection and to whom; ports that are none are dropped."""
    src_text, dst_text, src_port, dst_port = found.src_ip, found.dest_ip, found.src_port, found.dest_port
    if src_text is None and found.arp is not None:
        src_text, dst_text = found.arp.src_ip, found.arp.dest_ip
    src = _place(src_text, "src_ip", places, drop)
    dst = _place(dst_text, "dest_ip", places, drop)
    if src_port is not None and not 0 <= src_port <= 65_535:
        drop("src_port")
        src_port = None
    if dst_port is not None and not 0 <= dst_port <= 65_535:
        drop("dest_port")
        dst_port = None
    if kind.packet and _is_reply(found, src, src_port, dst, dst_port):
        return dst, dst_port, src, src_port
    return src, src_port, dst, dst_port


def _place(text: str | None, name: str, places: Places, drop: Drop) -> Place | None:
    if not text:
        return None
    place = places.find(text)
    if place is None:
        drop(name)
    return place


def _is_reply(found: eve.Eve, src: Place | None, src_port: int | None, dst: Place | None, dst_port: int | None) -> bool:
    """Whether the packet went back to the client: flow ends, else `direction`, else packet counts and own networks."""
    flow = found.flow
    if flow is not None and flow.src_ip is not None:
        if flow.src_ip == found.src_ip and found.src_ip != found.dest_ip:
            return False
        return flow.src_ip == found.dest_ip and flow.src_port in (None, found.dest_port)
    if found.direction is not None:
        return found.direction == "to_client"
    if flow is not None and flow.pkts_toclient == 0:
        return False
    if src is None or dst is None or src_port is None or dst_port is None:
        return False
    return {src.scope, dst.scope} == {1, 2} and src_port < 1024 <= dst_port


def _finish_alert(event: Event, found: eve.Eve, drop: Drop) -> None:
    """Verdict and rule of an alert; the first of several files stands for them."""
    event.is_alert = True
    if found.alert is not None:
        _read_rule(event, found.alert, drop)
        _read_action(event, found.alert.action, drop)
    if found.verdict is not None and found.verdict.reject:
        event.action_id, event.disposition_id = _DENIED, _RESET
    if found.files and found.fileinfo is None:
        read_file(event, found.files[0], drop)


def _read_action(event: Event, action: str | None, drop: Drop) -> None:
    if action == "allowed":
        event.action_id, event.disposition_id = _ALLOWED, _DETECTED
    elif action == "blocked":
        event.action_id, event.disposition_id = _DENIED, _BLOCKED
    elif action is not None:
        drop("alert.action")


def _read_rule(event: Event, alert: eve.Alert, drop: Drop) -> None:
    """Signature, severity and what the rule's author says about it; Suricata's `msg` is static text."""
    if alert.signature_id is not None:
        event.rule_uid = texts.static(f"{1 if alert.gid is None else alert.gid}:{alert.signature_id}")
    if alert.rev is not None:
        event.rule_rev = texts.static(str(alert.rev))
    if alert.signature:
        event.rule_name = texts.static(alert.signature)
    if alert.category:
        event.rule_category = texts.static(alert.category)
    if alert.severity is not None:
        event.severity_id = _SEVERITY.get(alert.severity, Severity.UNKNOWN)
        event.severity_raw = str(alert.severity)[:16]
    if alert.metadata is not None:
        _read_metadata(event, alert.metadata, drop)


def _read_metadata(event: Event, metadata: eve.Metadata, drop: Drop) -> None:
    if "Critical" in texts.listed(metadata.signature_severity):
        event.severity_id = Severity.CRITICAL
    for name, column, reader in _METADATA:
        value = getattr(metadata, name)
        if value:
            found = reader(texts.listed(value))
            setattr(event, column, found)
            if not found:
                drop(f"alert.metadata.{name}")
    if event.malware_names:
        event.malware_family = family_of(event.malware_names[0])


def _names(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(n for v in values if (n := texts.static(v))))


_METADATA: Final = (
    ("mitre_tactic_id", "attack_tactics", texts.tactics),
    ("mitre_technique_id", "attack_techniques", texts.techniques),
    ("malware_family", "malware_names", _names),
    ("cve", "cve_uids", texts.cves),
)


def _finish_drop(event: Event, found: eve.Eve, drop: Drop) -> None:
    """A packet the IPS refused, with the rule that did it if it is named."""
    event.action_id, event.disposition_id = _DENIED, _BLOCKED
    if found.alert is not None:
        _read_rule(event, found.alert, drop)


def _finish_file(event: Event, found: eve.Eve, _drop: Drop) -> None:
    """A file takes the class of what carried it."""
    if found.http is not None:
        event.event_class, event.class_uid = EventClass.WEB, 4002
    elif found.smtp is not None or found.email is not None:
        event.event_class, event.class_uid, event.activity_id = EventClass.MAIL, 4009, None
    if event.app_proto is None:
        event.app_proto = "http" if found.http is not None else None


def _finish_mail(event: Event, _found: eve.Eve, _drop: Drop) -> None:
    """Mail is sent, received, or passes by."""
    event.activity_id = {1: 2, 2: 1}.get(event.direction_id or 0, 3)


def _finish_engine(event: Event, found: eve.Eve, _drop: Drop) -> None:
    event.severity_id = _LOG_LEVEL.get((found.log_level or "").lower(), Severity.INFORMATIONAL)


_FINISH: Final = {
    "alert": _finish_alert,
    "drop": _finish_drop,
    "fileinfo": _finish_file,
    "smtp": _finish_mail,
    "email": _finish_mail,
    "imap": _finish_mail,
    "engine": _finish_engine,
}

__all__ = ["COMMENTS", "FRAMING", "MAPPING", "NAME", "NUMBER", "TITLE", "parse", "recognise"]
