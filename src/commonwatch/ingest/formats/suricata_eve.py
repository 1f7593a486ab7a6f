"""Suricata EVE JSON (versions 6 to 8): every event_type is mapped or skipped with its reason.

Rules held here: the typed decoder reads a record in one go; only a record it refuses takes the slow way, alone. The
ends of an alert are the flow's, not the packet's: `flow.src_ip`, else `direction`, else own networks decide. Payload,
packets and every key outside the mapping table stay at the gateway. `parse` never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec

from commonwatch.events.event import Event, copy_event
from commonwatch.events.labels import EventClass, Severity
from commonwatch.ingest.formats import _eve_records as eve
from commonwatch.ingest.formats._eve_kinds import KINDS, SKIPS, Kind
from commonwatch.ingest.formats._eve_mapping import MAPPING
from commonwatch.ingest.formats._eve_members import MEMBERS, Drop, http_activity, read_file
from commonwatch.ingest.formats._eve_write import record_of
from commonwatch.ingest.framing import Frames, sample
from commonwatch.ingest.framing.depth import too_deep
from commonwatch.ingest.outcome import Outcome, Parsed, Quarantined, Skipped, quarantine
from commonwatch.ingest.source import Context
from commonwatch.ingest.values import texts
from commonwatch.ingest.values.families import family_of
from commonwatch.ingest.values.fitting import fit
from commonwatch.ingest.values.places import NOWHERE, Place, Places, direction
from commonwatch.ingest.values.times import YEAR_2000

NAME: Final = "suricata_eve"
TITLE: Final = "Suricata EVE JSON"
NUMBER: Final = 1
FRAMING: Final = "json"
COMMENTS: Final = True

_decoder = msgspec.json.Decoder(eve.Eve, strict=False)
_SEVERITY: Final = {1: Severity.HIGH, 2: Severity.MEDIUM, 3: Severity.LOW, 4: Severity.INFORMATIONAL}
_LOG_LEVEL: Final = {"error": Severity.MEDIUM, "warning": Severity.LOW}
_U63: Final = 1 << 63
_MAX_MARK: Final = 64
_LAST_PORT: Final = 65_535
_BEGIN: Final = re.compile(rb'\{"timestamp"')
_MOST_GLUED: Final = 16
_MAY_BE_GLUED: Final = frozenset({"malformed", "truncated", "not_utf8"})
_NO_APP: Final = frozenset({"failed", "unknown"})


class _Plan(NamedTuple):
    """What is resolved once for a kind, because this is the hot path.

    `model` is the event with everything the kind alone says, `members` fetches the members that `readers` read, and
    `finish` is the last step.
    """

    kind: Kind
    model: Event
    members: Callable[[eve.Eve], tuple[Any, ...]]
    readers: tuple[Callable[[Event, Any, Drop], None], ...]
    finish: Callable[[Event, eve.Eve, Drop], None] | None


_ALLOWED, _DENIED = 1, 2
_DROPPED, _DETECTED, _RESET = 6, 15, 21


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


def write(event: Event, kind: str) -> bytes:
    """The record of an event of a kind, without what is not mapped."""
    return msgspec.json.encode(record_of(event, kind))


def parse(frames: Frames, context: Context) -> list[Outcome]:
    """One outcome per record, in order; broken frames come first."""
    outcomes: list[Outcome] = list(frames.broken)
    dropped: list[str] = []
    deep = too_deep(frames.records)
    add, decode, drop = outcomes.append, _decoder.decode, dropped.append
    for at, record in enumerate(frames.records):
        position = frames.offsets[at]
        if deep and at in deep:
            add(quarantine("too_deep", position, record))
            continue
        try:
            found = decode(record)
        except (ValueError, RecursionError):
            outcomes.extend(_parse_slowly(position, record, context))
            continue
        outcome = _make(found, position, context, drop, record)
        if dropped:
            outcome = _note_dropped(outcome, dropped)
            dropped.clear()
        add(outcome)
    return outcomes


def _parse_slowly(position: int, record: bytes, context: Context) -> list[Outcome]:
    """A record the typed decoder refused: perhaps two, where a sensor stopped in the middle of a line and came back.

    The bytes that begin a record cannot stand inside a JSON string, so that the second one is found safely.
    """
    whole = _parse_alone(position, record, context)
    if not isinstance(whole, Quarantined) or whole.reason not in _MAY_BE_GLUED:
        return [whole]
    cuts = [match.start() for match in islice(_BEGIN.finditer(record, 1), _MOST_GLUED)]
    ends = [*cuts, len(record)]
    return [_parse_alone(position + a, record[a:b], context) for a, b in zip([0, *cuts], ends, strict=True)]


def _parse_alone(position: int, record: bytes, context: Context) -> Outcome:
    """Say what is wrong with a record, or drop the fields that do not fit."""
    record = record.rstrip(b" \t\r\n\x00")
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
    plan = _PLANS.get(name) if name is not None else None
    if name is None or plan is None:
        reason = SKIPS.get(name or "")
        return quarantine("unknown_kind", position, record) if reason is None else Skipped(reason, position)
    if found.timestamp is None:
        return quarantine("no_time", position, record)
    when = context.times.read(found.timestamp)
    if when is None:
        return quarantine("bad_field:timestamp", position, record)
    if not YEAR_2000 <= when[0] <= context.latest:
        return quarantine("bad_time", position, record)
    event = _build(found, plan, when, context, drop)
    event.event_uid = context.uid(position)
    session = found.flow_id
    if session is not None and not 0 <= session < 1 << 64:
        drop("flow_id")
        session = None
    return Parsed(event, position, name, (), session)


def _build(found: eve.Eve, plan: _Plan, when: tuple[int, int], context: Context, drop: Drop) -> Event:
    """The event of a record whose kind and time are known: what its kind always says, copied, and what it says."""
    event = copy_event(plan.model)
    event.time, event.time_quality = when
    _read_ends(event, found, plan.kind, context.places, drop)
    _read_common(event, found, drop)
    if plan.readers:
        members = plan.members(found)
        if members.count(None) < len(members):
            for reader, value in zip(plan.readers, members, strict=True):
                if value is not None:
                    reader(event, value, drop)
    if plan.finish is not None:
        plan.finish(event, found, drop)
    return event


def _read_common(event: Event, found: eve.Eve, drop: Drop) -> None:
    """What every kind may carry."""
    if app := found.app_proto:
        event.app_proto = None if app in _NO_APP else texts.static(app)
    if (proto := found.proto) is not None:
        event.proto = texts.protocol(proto)
        if event.proto is None:
            drop("proto")
    if (mark := found.community_id) is not None:
        if len(mark) <= _MAX_MARK and mark.isascii():
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
    if out is not None:
        if 0 <= out < _U63:
            event.bytes_out = out
        else:
            drop("flow.bytes_toserver")
    if (back := flow.bytes_toclient) is not None:
        if 0 <= back < _U63:
            event.bytes_in = back
        else:
            drop("flow.bytes_toclient")


def _read_ends(event: Event, found: eve.Eve, kind: Kind, places: Places, drop: Drop) -> None:
    """Who opened the connection and to whom; what is no address or port is dropped."""
    src_text, dst_text, src_port, dst_port = found.src_ip, found.dest_ip, found.src_port, found.dest_port
    if src_text is None and found.arp is not None:
        src_text, dst_text = found.arp.src_ip, found.arp.dest_ip
    src = places[src_text] if src_text else NOWHERE
    dst = places[dst_text] if dst_text else NOWHERE
    if src is None:
        drop("src_ip")
        src = NOWHERE
    if dst is None:
        drop("dest_ip")
        dst = NOWHERE
    if src_port is not None and not 0 <= src_port <= _LAST_PORT:
        drop("src_port")
        src_port = None
    if dst_port is not None and not 0 <= dst_port <= _LAST_PORT:
        drop("dest_port")
        dst_port = None
    if kind.packet and _is_reply(found, src, src_port, dst, dst_port):
        src, src_port, dst, dst_port = dst, dst_port, src, src_port
    event.src_ip, event.src_scope, event.src_country, event.src_asn = src
    event.dst_ip, event.dst_scope, event.dst_country, event.dst_asn = dst
    event.src_port, event.dst_port = src_port, dst_port
    event.direction_id = direction(event.src_scope, event.dst_scope)


def _is_reply(found: eve.Eve, src: Place, src_port: int | None, dst: Place, dst_port: int | None) -> bool:
    """Whether the packet went back to the client: flow ends, else `direction`, else packet counts and own networks."""
    flow = found.flow
    if flow is not None and flow.src_ip is not None:
        if found.src_ip == found.dest_ip:
            return flow.src_port is not None and flow.src_port == found.dest_port
        return flow.src_ip == found.dest_ip
    if found.direction is not None:
        return found.direction == "to_client"
    if flow is not None and flow.pkts_toclient == 0:
        return False
    if src_port is None or dst_port is None:
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
        event.action_id, event.disposition_id = _DENIED, _DROPPED
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
    event.action_id, event.disposition_id = _DENIED, _DROPPED
    if found.alert is not None:
        _read_rule(event, found.alert, drop)


def _finish_file(event: Event, found: eve.Eve, _drop: Drop) -> None:
    """A file takes the class of what carried it."""
    if found.http is not None:
        event.event_class, event.class_uid = EventClass.WEB, 4002
        event.activity_id = http_activity(found.http)
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


def _plan(name: str, kind: Kind) -> _Plan:
    model = Event(
        event_class=kind.event_class, class_uid=kind.class_uid, activity_id=kind.activity, time=0,
        severity_id=Severity.INFORMATIONAL, product_vendor="OISF", product_name="Suricata", source_format=NUMBER,
        app_proto=kind.app,
    )  # fmt: skip
    readers = tuple(MEMBERS[m] for m in kind.members)
    return _Plan(kind, model, _fetch(kind.members), readers, _FINISH.get(name))


def _fetch(names: tuple[str, ...]) -> Callable[[eve.Eve], tuple[Any, ...]]:
    """These members of a record, as a tuple."""
    if len(names) == 1:
        return lambda found: (getattr(found, names[0]),)
    return attrgetter(*names) if names else lambda _found: ()


_PLANS: Final = {name: _plan(name, kind) for name, kind in KINDS.items()}

__all__ = ["COMMENTS", "FRAMING", "MAPPING", "NAME", "NUMBER", "TITLE", "parse", "recognise", "write"]
