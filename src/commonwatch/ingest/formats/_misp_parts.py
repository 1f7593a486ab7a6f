"""A MISP document taken apart: its attributes one by one, and the objects that report what a tool saw.

Rules held here: an Event, {"Event"}, {"response": [..]} and bare attributes are read alike; the values of a composite
(`filename|sha256`) stand beside each other; a false-positive or expired sighting is none; nothing raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from commonwatch.ingest.tables.reading import whole

#: Objects that are read as one report; every other object's attributes are read for themselves.
REPORTS: Final = frozenset(
    {"network-connection", "netflow", "http-request", "av-signature", "authentication-failure-report"}
)
#: Sightings of one attribute that are looked at; techniques and characters of texts that all its parts share.
_MOST, _TAGS, _TEXT = 10_000, 100, 20_000


class Part(NamedTuple):
    """One attribute (values by type, composites split) or one reporting object (values by relation)."""

    kind: Literal["attribute", "object", "malformed"]
    name: str
    values: Mapping[str, Any]
    event: Mapping[str, Any]
    to_ids: bool = False
    deleted: bool = False
    sightings: tuple[int, ...] = ()


def parts(document: Mapping[str, Any]) -> Iterator[Part]:
    """Every part of a document."""
    for event in _events(document):
        head = _head(event)
        for one in _listed(event, "Attribute"):
            yield _attribute(one, head)
        for one in _listed(event, "Object"):
            yield from _object(one, head)


def _events(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    response = document.get("response")
    if isinstance(response, list):
        for one in response:
            yield from _events(one) if isinstance(one, dict) and "response" not in one else ()
    elif isinstance(response, dict):
        yield response
    else:
        event = document.get("Event", document)
        yield event if isinstance(event, dict) else {}


def _head(event: Mapping[str, Any]) -> dict[str, Any]:
    """What the event says for all its parts."""
    said = ((name, event.get(name)) for name in ("info", "threat_level_id"))
    found = {f"Event.{n}": value[:_TEXT] if isinstance(value, str) else value for n, value in said if value}
    names = [t.get("name") for t in _listed(event, "Tag") if isinstance(t, dict)]
    attack = [n for n in names if isinstance(n, str) and n.startswith("misp-galaxy:mitre-attack-pattern")]
    return found | ({"Event.Tag[].name": attack[:_TAGS]} if attack else {})


def _listed(found: Mapping[str, Any], name: str) -> list[Any]:
    value = found.get(name)
    return value if isinstance(value, list) else []


def _attribute(one: Any, head: Mapping[str, Any]) -> Part:
    if not isinstance(one, dict) or not isinstance(one.get("type"), str):
        return Part("malformed", "", {}, head)
    types, value = one["type"].split("|"), one.get("value")
    values = value.split("|", len(types) - 1) if isinstance(value, str) else [value]
    made = dict(zip(types, values, strict=False)) | {"uuid": one.get("uuid")}
    return Part(
        "attribute", one["type"], made, head, one.get("to_ids") in (True, "1", 1), _deleted(one), _sightings(one)
    )


def _deleted(one: Mapping[str, Any]) -> bool:
    return one.get("deleted") in (True, "1", 1)


def _sightings(one: Mapping[str, Any]) -> tuple[int, ...]:
    """Seconds of the sightings that say that it was seen."""
    seen = (s for s in _listed(one, "Sighting")[:_MOST] if isinstance(s, dict) and str(s.get("type", "0")) == "0")
    return tuple(at for s in seen if (at := whole(s.get("date_sighting"))) is not None)


def _object(one: Any, head: Mapping[str, Any]) -> Iterator[Part]:
    if not isinstance(one, dict):
        yield Part("malformed", "", {}, head)
    elif str(one.get("name")) in REPORTS:
        values: dict[str, Any] = {k: one.get(k) for k in ("uuid", "timestamp", "first_seen", "last_seen")}
        for inner in _listed(one, "Attribute"):
            if isinstance(inner, dict) and not _deleted(inner):
                values[str(inner.get("object_relation"))] = inner.get("value")
        yield Part("object", str(one["name"]), values, head, deleted=_deleted(one))
    else:
        gone = _deleted(one)
        yield from (
            _attribute(inner, head)._replace(deleted=True) if gone else _attribute(inner, head)
            for inner in _listed(one, "Attribute")
        )


def attributes(document: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """Each event with all its attributes, those of objects too; those of a deleted object are deleted."""
    for event in _events(document):
        found = [a for a in _listed(event, "Attribute") if isinstance(a, dict)]
        for one in (o for o in _listed(event, "Object") if isinstance(o, dict)):
            inner = [a for a in _listed(one, "Attribute") if isinstance(a, dict)]
            found += [a | {"deleted": True} for a in inner] if _deleted(one) else inner
        yield event, [*found]
