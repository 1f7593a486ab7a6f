"""TLP and IEP markings of objects that come in, as the strictest of all that stand on them.

Rules held here: TLP 2.0 and TLP 1 definitions, by id and by content; an unknown marking is TLP:RED, for whoever cannot
read a condition cannot keep it; IEP 2.0 by the OASIS extension; of several the strictest, member by member.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from commonwatch.events.labels import TLP_WORDS, Tlp

_WHITE: Final = {"white": Tlp.CLEAR, "amber+strict": Tlp.AMBER_STRICT, "ex:chr": Tlp.RED}
#: Ids of TLP 2.0, then of TLP 1 (STIX 2.1 section 7.2.1.4).
_IDS: Final = {
    "94868c89-83c2-464b-929b-a1a8aa3c8487": Tlp.CLEAR, "bab4a63c-aed9-4cf5-a766-dfca5abac2bb": Tlp.GREEN,
    "55d920b0-5e8b-4f79-9ee9-91f868d9b421": Tlp.AMBER, "939a9414-2ddd-4d32-a0cd-375ea402b003": Tlp.AMBER_STRICT,
    "e828b379-4e03-4974-9ac4-e53a884c97c1": Tlp.RED, "613f2e26-407d-48c7-9eca-b8e91df99dc9": Tlp.CLEAR,
    "34098fce-860f-48ae-8e50-ebd3cc5e41da": Tlp.GREEN, "f88d31f6-486f-44da-b317-01333bde0b82": Tlp.AMBER,
    "5e57c739-391a-4eb3-b6be-7d15ca92d5ed": Tlp.RED,
}  # fmt: skip
_ACTS: Final = frozenset(
    {"internally-visible-actions", "externally-visible-indirect-actions", "externally-visible-direct-actions"}
)


class Marked(NamedTuple):
    """What markings say together; `tlp` None where none stands."""

    tlp: int | None = None
    may_act: bool = True
    attribute: bool = True


def together(found: Iterable[Marked]) -> Marked:
    """The strictest of several."""
    several = list(found)
    tlps = [m.tlp for m in several if m.tlp is not None]
    return Marked(max(tlps, default=None), all(m.may_act for m in several), all(m.attribute for m in several))


def of_word(word: str) -> Marked:
    """A TLP word; one that is not known is the strictest."""
    word = word.strip().lower()
    found = _WHITE.get(word, TLP_WORDS.get(word))
    return Marked(int(Tlp.RED if found is None else found))


def of_refs(item: Mapping[str, Any], objects: Mapping[str, Mapping[str, Any]]) -> Marked:
    """The markings an object refers to; those of its parts count for the whole."""
    refs = item.get("object_marking_refs")
    granular = item.get("granular_markings")
    found = [r for r in (refs if isinstance(refs, list) else ()) if isinstance(r, str)]
    parts = [g.get("marking_ref") for g in (granular if isinstance(granular, list) else ()) if isinstance(g, dict)]
    found += [ref for ref in parts if isinstance(ref, str)]
    return together(_of_ref(ref, objects) for ref in found)


def _of_ref(ref: str, objects: Mapping[str, Mapping[str, Any]]) -> Marked:
    known = _IDS.get(ref.removeprefix("marking-definition--"))
    return Marked(int(known)) if known is not None else definition(objects.get(ref, {}))


def definition(made: Mapping[str, Any]) -> Marked:
    """What a marking definition says. A statement alone says nothing about onward sharing."""
    kind, body = made.get("definition_type"), made.get("definition")
    extensions = made.get("extensions")
    parts = [b for b in (extensions.values() if isinstance(extensions, dict) else ()) if isinstance(b, dict)]
    found = [of_word(str(b["tlp_2_0"])) for b in parts if "tlp_2_0" in b]
    found += [_iep(b) for b in parts if "iep_version" in b or "permitted_actions" in b]
    if kind == "tlp" and isinstance(body, dict):
        found.append(of_word(str(body.get("tlp"))))
    if kind == "statement":
        found.append(Marked())
    return together(found) if found else Marked(int(Tlp.RED))


def _iep(body: Mapping[str, Any]) -> Marked:
    """An IEP 2.0 policy: absent members are the strictest."""
    actions = body.get("permitted_actions")
    words = actions if isinstance(actions, list) else [actions]
    named = body.get("provider_attribution", body.get("attribution"))
    tlp = of_word(str(body["tlp"])).tlp if "tlp" in body else None
    return Marked(tlp, any(w in _ACTS for w in words if isinstance(w, str)), named in {"may", "must"})


def of_tags(names: Iterable[str]) -> Marked:
    """MISP tags `tlp:*`; without one there is no marking."""
    return together(of_word(name[4:].strip('"')) for name in names if name.lower().startswith("tlp:"))
