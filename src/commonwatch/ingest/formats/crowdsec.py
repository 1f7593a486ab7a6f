"""CrowdSec alerts, as its local API and its notification plugins write them.

Rules held here: the scenario is the rule; what was seen stands in the `meta` lists of its events; the text of an alert
names the address, so it is a message. `parse` never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from commonwatch.events.event import Event
from commonwatch.events.labels import OCSF_CLASS, EventClass, Severity
from commonwatch.ingest.source import Context
from commonwatch.ingest.tables import Col, Found, Table, Tables, Unreadable, put_back
from commonwatch.ingest.tables.json_paths import decode, nest, paths, share
from commonwatch.ingest.tables.parsing import parser
from commonwatch.ingest.tables.reading import text
from commonwatch.ingest.tables.writing import iso

NAME: Final = "crowdsec"
TITLE: Final = "CrowdSec alerts"
NUMBER: Final = 9
FRAMING: Final = "json"
COMMENTS: Final = True
_META: Final = "events[].meta."
#: Words in a scenario's name -> ATT&CK techniques; the first that fits.
_TECHNIQUES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("-bf", ("T1110",)), ("bruteforce", ("T1110",)), ("sqli", ("T1190",)), ("cve-", ("T1190",)), ("log4j", ("T1190",)),
    ("path-traversal", ("T1190",)), ("backdoor", ("T1190",)), ("xss", ("T1059.007",)), ("scan", ("T1595",)),
    ("crawl", ("T1595",)), ("probing", ("T1595",)), ("bad-user-agent", ("T1595",)), ("enum", ("T1595",)),
)  # fmt: skip
_ALERT: Final = (
    Col("rule_uid", ("scenario",), also=("rule_name", "attack_techniques")), Col("rule_rev", ("scenario_version",)),
    Col("src_ip", ("source.ip", "source.value")), Col("src_country", ("source.cn",)),
    Col("src_asn", ("source.as_number",), show=str), Col("count", ("events_count",)), Col("end_time", ("stop_at",)),
    Col("message", ("message",)), Col("sensor_uid", ("machine_id",)),
    Col("dst_user", (f"{_META}target_user", f"{_META}username")), Col("app_proto", (f"{_META}service",)),
    Col("domain", (f"{_META}target_fqdn", f"{_META}target_host")),
    Col("url", (f"{_META}target_uri", f"{_META}http_path")),
    Col("user_agent", (f"{_META}http_user_agent",)), Col("dst_port", (f"{_META}target_port",)),
)  # fmt: skip


def _finish(event: Event, _values: Mapping[str, Any]) -> None:
    """What a scenario's name says."""
    name = event.rule_uid or ""
    event.rule_name = event.rule_uid
    event.attack_techniques = next((found for word, found in _TECHNIQUES if word in name.lower()), ())


_CONSTANTS: Final = {
    "product_vendor": "CrowdSec", "product_name": "CrowdSec", "severity_id": Severity.MEDIUM, "is_alert": True,
}  # fmt: skip
_INTRUSION: Final = EventClass.INTRUSION
TABLES: Final = Tables(
    (Table("alert", _INTRUSION, OCSF_CLASS[_INTRUSION], _ALERT, 1, _CONSTANTS, _finish),),
    times=("start_at", "created_at"),
    skips={"simulated": "simulated", "vocabulary": "context"},
)
MAPPING: Final = TABLES.reference()


def recognise(head: bytes) -> float:
    """Share of the first records with a scenario and a source; a longer first one is looked at by its words."""
    if found := share(head, _tells):
        return found
    return 0.6 if b'"scenario_hash"' in head or (b'"scenario"' in head and b'"meta"' in head) else 0.0


def _tells(found: dict[str, Any]) -> bool:
    return ("scenario" in found and isinstance(found.get("source"), dict)) or _is_vocabulary(found)


def _is_vocabulary(found: dict[str, Any]) -> bool:
    """Whether this is the hub's list of scenarios, which describes them and tells of no event."""
    one = next(iter(found.values()), None)
    return isinstance(one, dict) and {"behaviors", "mitre_attacks"} <= one.keys()


def find(record: bytes, context: Context) -> Found | Unreadable:
    """The values of an alert; of its events the lists of keys and values."""
    decoded = decode(record)
    if isinstance(decoded, Unreadable):
        return decoded
    if _is_vocabulary(decoded):
        return Found("vocabulary", {}, None)
    events = decoded.pop("events", None)
    values = paths(decoded) | _meta(events if isinstance(events, list) else [])
    stamp = text(values.get("start_at")) or text(values.get("created_at"))
    kind = "simulated" if values.get("simulated") is True else "alert"
    return Found(kind, values, context.times.read(stamp) if stamp else None)


def _meta(events: list[Any]) -> dict[str, Any]:
    """The first value of each key of the events' `meta` lists."""
    made: dict[str, Any] = {}
    for event in events:
        listed = event.get("meta") if isinstance(event, dict) else None
        for pair in listed if isinstance(listed, list) else ():
            if isinstance(pair, dict) and isinstance(pair.get("key"), str):
                made.setdefault(_META + pair["key"], pair.get("value"))
    return made


def write(event: Event, kind: str) -> bytes:
    """The alert of an event."""
    values = put_back(TABLES, event, kind)
    meta = [{"key": k.removeprefix(_META), "value": v} for k, v in values.items() if k.startswith(_META)]
    rest = nest({k: v for k, v in values.items() if not k.startswith(_META)})
    return msgspec.json.encode({"start_at": iso(event), "source": {}, **rest, "events": [{"meta": meta}]})


parse = parser(find, TABLES, NUMBER, json=True)
