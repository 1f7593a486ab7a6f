"""Objects of one STIX bundle and what they refer to, and the one value of a simple pattern.

Rules held here: a reference outside the bundle leads nowhere; no reference is followed more than twice, so a circle
ends; of what many may refer to only so much is read; a pattern is read only where it is a single equality.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

_PATTERN: Final = re.compile(
    r"\s*\[\s*([a-z0-9-]+):([^=\s]{1,60}?)\s*=\s*'((?:[^'\\]|\\.){1,4096})'\s*\]\s*", re.DOTALL
)
_OBSERVABLES: Final = frozenset({
    "ipv4-addr", "ipv6-addr", "domain-name", "url", "file", "directory", "process", "user-account", "email-addr",
    "email-message", "network-traffic", "artifact", "autonomous-system", "mac-addr", "mutex", "software",
    "windows-registry-key", "x509-certificate",
})  # fmt: skip
_VALUED: Final = frozenset({"src_ref", "dst_ref", "from_ref"})
#: Observables that are read with one observation, values of one property, and properties of one observable: many
#: observations may refer to the same.
_MOST, _PROPERTIES = 20, 200
#: Characters of a pattern that is looked at, and of a text that others may refer to: more than any column keeps.
_PATTERN_MOST, _TEXT = 5_000, 20_000


def compared(pattern: Any) -> tuple[str, str] | None:
    """Path and value of a pattern that is one equality, `[domain-name:value = 'x']`; None for any other."""
    match = _PATTERN.fullmatch(pattern) if isinstance(pattern, str) and len(pattern) <= _PATTERN_MOST else None
    if match is None:
        return None
    path = f"{match[1]}.{match[2]}".replace("'", "")
    return path, re.sub(r"\\(.)", r"\1", match[3], flags=re.DOTALL)


def brief(value: Any) -> Any:
    """So much of a value as is read where many may refer to it."""
    return value[:_MOST] if isinstance(value, list) else value[:_TEXT] if isinstance(value, str) else value


class Refs:
    """The objects of a bundle by id. `malformed` counts what is no object with a type."""

    observable_types = _OBSERVABLES

    def __init__(self, objects: list[Any]) -> None:
        typed = [o for o in objects if isinstance(o, dict) and isinstance(o.get("type"), str)]
        self.malformed = len(objects) - len(typed)
        self._objects = typed
        self._by_id = {o["id"]: o for o in typed if isinstance(o.get("id"), str)}
        self._read_along = set(self._referred())

    def get(self, ref: Any) -> dict[str, Any]:
        """The object of that id; nothing where it is not in the bundle."""
        return self._by_id.get(ref, {}) if isinstance(ref, str) else {}

    def alone(self) -> Iterator[dict[str, Any]]:
        """The objects that speak for themselves."""
        return (o for o in self._objects if str(o.get("id")) not in self._read_along)

    def _referred(self) -> Iterator[str]:
        for item in self._objects:
            sighted = item.get("sighting_of_ref")
            if item["type"] == "sighting" and self.get(sighted).get("type") not in {None, "indicator"}:
                yield str(sighted)
            yield from (one["id"] for one in self._observed_by(item) if one)

    def _observed_by(self, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Observed data under a sighting, observables under observed data, and what those refer to."""
        if item["type"] == "sighting":
            yield from (o for o in self._listed(item, "observed_data_refs") if o.get("type") == "observed-data")
        elif item["type"] == "observed-data":
            for one in self._listed(item, "object_refs"):
                yield one
                for name, ref in islice(one.items(), _PROPERTIES):
                    if name.endswith(("_ref", "_refs")):
                        yield from (self.get(r) for r in (ref if isinstance(ref, list) else [ref])[:_MOST])

    def _listed(self, item: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
        refs = item.get(name)
        return (self.get(r) for r in (refs[:_MOST] if isinstance(refs, list) else ()))

    def observed(self, item: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The values of the observables of an observation, by type and property; references as their values."""
        if item["type"] == "sighting":
            for data in self._observed_by(item):
                yield from self.observed(data)
            return
        inline = item.get("objects")
        known = {k: v for k, v in inline.items() if isinstance(v, dict)} if isinstance(inline, dict) else {}
        ids = {one.get("id") for one in self._listed(item, "object_refs")}
        ends = {r for one in self._listed(item, "object_refs") for r in _ends_of(one)}
        for one in (*self._listed(item, "object_refs"), *list(known.values())[:_MOST]):
            named = str(one.get("id"))
            if str(one.get("type")) in _OBSERVABLES and not (named in ends and named in ids):
                yield self._values(one, known)

    def _values(self, one: dict[str, Any], inline: dict[str, Any]) -> dict[str, Any]:
        kind, made = one["type"], dict[str, Any]()
        for name, value in islice(one.items(), _PROPERTIES):
            if name in _VALUED:
                made[f"{kind}.{name}"] = (inline.get(str(value)) or self.get(value)).get("value")
            elif name == "to_refs" and isinstance(value, list):
                made[f"{kind}.{name}"] = [v for r in value[:_MOST] if (v := self.get(r).get("value")) is not None]
            elif name == "hashes" and isinstance(value, dict):
                made |= {f"{kind}.hashes.{k}": v for k, v in islice(value.items(), _MOST)}
            elif name == "parent_directory_ref":
                made["directory.path"] = self.get(value).get("path")
            else:
                made[f"{kind}.{name}"] = brief(value)
        return made


def _ends_of(one: dict[str, Any]) -> Iterator[str]:
    """Ids of what an observable refers to as one of its ends."""
    for name in ("src_ref", "dst_ref", "from_ref", "to_refs"):
        value = one.get(name)
        yield from (v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str))
