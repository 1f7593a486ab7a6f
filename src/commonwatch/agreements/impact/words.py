"""Boxes in words: which rows, to whom, for what; and cases as witnesses. The words are those of the controlled English.

Rules held here: a description says exactly the cells of its box; a community or role is named only when everyone in it
is meant, those who join later too; otherwise organisations are named one by one and the others as future members.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from commonwatch.agreements.document import To
from commonwatch.agreements.english import phrases as p
from commonwatch.agreements.english.saying import say_to
from commonwatch.agreements.impact.boxes import Box, bits
from commonwatch.agreements.impact.space import (
    ALL_CLASSES,
    ALL_SEVERITIES,
    ALL_TLPS,
    CLASSES,
    FUTURE,
    SEVERITIES,
    TLPS,
    Case,
    Space,
)
from commonwatch.agreements.reader import PURPOSES, ROLES, Purpose, Reader
from commonwatch.events.fields import FieldName


class WhichRows(msgspec.Struct, frozen=True):
    """Which rows. `sites`: "" is an unknown site, "*" any not named. `ages`: hours [from, until), no end is None."""

    events: tuple[str, ...]
    tlp: tuple[str, ...]
    severity: tuple[str, ...]
    sites: tuple[str, ...]
    ages: tuple[tuple[float, float | None], ...]
    text: str


class Audience(msgspec.Struct, frozen=True):
    """To whom. `future`: members that may join later, where not the whole community or role is meant."""

    organisations: tuple[str, ...]
    communities: tuple[str, ...]
    roles: tuple[str, ...]
    future: tuple[str, ...]
    text: str


class Witness(msgspec.Struct, frozen=True):
    """One case in which it is so: labels of an event, its age in hours, and who reads."""

    event: str
    tlp: str
    severity: str
    site: str
    age: float
    reader: Reader
    text: str


def rows_of(space: Space, box: Box) -> WhichRows:
    """The rows of a box."""
    names = tuple("*" if n == len(space.sites) - 1 else space.sites[n] for n in bits(box.sites))
    text = f"{_classes(box.classes)} events{_tlps(box.tlps)}{_severities(box.severities)}"
    return WhichRows(
        tuple(CLASSES[n].word for n in bits(box.classes)), tuple(TLPS[n].word for n in bits(box.tlps)),
        tuple(SEVERITIES[n].word for n in bits(box.severities)), names, _runs(space, box.ages),
        f"{text}{_sites(space, box.sites, names)}{_ages(space, box.ages)}",
    )  # fmt: skip


def who_of(space: Space, readers: int, owner: str) -> Audience:
    """The readers of a box."""
    left, everyone = readers, space.everyone & ~space.org(owner)
    groups: dict[str, list[str]] = {"communities": [], "roles": []}
    for kind, names, members in (
        ("communities", space.communities, space.community),
        ("roles", [r for r in ROLES if space.role(r) & space.futures], space.role),
    ):
        for name in names:
            mask = members(name) & everyone
            if mask & left and not mask & ~readers:
                groups[kind].append(name)
                left &= ~mask
    orgs = [space.places[n].org for n in bits(left & ~space.futures)]
    future = [space.places[n].org for n in bits(left & space.futures)]
    to = To(
        organisations=tuple(orgs),
        communities=tuple(groups["communities"]),
        roles=tuple(r for r in ROLES if r in groups["roles"]),
    )
    return Audience(
        to.organisations, to.communities, to.roles, tuple(future), _who(to, _say_futures(space, future, readers))
    )


def purposes_of(mask: int) -> tuple[Purpose, ...]:
    """The purposes of a box."""
    return tuple(PURPOSES[n] for n in bits(mask))


def say_purposes(purposes: Sequence[str]) -> str:
    """`detecting threats or research`."""
    return p.join((p.PURPOSES[purpose] for purpose in purposes), "or")


def witness_of(case: Case) -> Witness:
    """A case in words."""
    label, age, reader = case
    site = f"at site {label.site}" if label.site else "at an unknown site"
    org = _say_future(reader.org) if reader.org.startswith(FUTURE) else reader.org
    seen = f"{p.hours(int(age))} old" if age else "just seen"
    text = (
        f"a {p.CLASSES[label.event_class.word]} event marked TLP:{label.tlp.word.upper()} of {label.severity.word} "
        f"severity {site}, {seen}, read by {org} for {p.PURPOSES[reader.purpose]}"
    )
    return Witness(label.event_class.word, label.tlp.word, label.severity.word, label.site, age, reader, text)


def say_point(field: FieldName, point: str) -> str:
    """`source address as a pseudonym`."""
    return f"{p.LABELS[field]} {p.levels()[point]}"


def _classes(mask: int) -> str:
    return "all" if mask == ALL_CLASSES else p.join((p.CLASSES[CLASSES[n].word] for n in bits(mask)), "and")


def _tlps(mask: int) -> str:
    """A run from the bottom reads "or lower", one to the top "or higher"."""
    names = [f"TLP:{TLPS[n].word.upper()}" for n in bits(mask)]
    if mask == ALL_TLPS:
        return ""
    if len(names) > 1 and mask & (mask + 1) == 0:
        return f" marked {names[-1]} or lower"
    if len(names) > 1 and mask == ALL_TLPS >> bits(mask)[0] << bits(mask)[0]:
        return f" marked {names[0]} or higher"
    return f" marked {p.join(names, 'or')}"


def _severities(mask: int) -> str:
    """A run to the top reads "or above"; unknown severity is named by itself."""
    if mask == ALL_SEVERITIES:
        return ""
    known, unknown = mask & ~1, mask & 1
    words = [SEVERITIES[n].word for n in bits(known)]
    if known and len(words) > 1 and known == ALL_SEVERITIES >> bits(known)[0] << bits(known)[0]:
        words = [f"{words[0]} severity or above"]
    elif words:
        words[-1] += " severity"
    return f" of {p.join([*words, *(['unknown severity'] if unknown else [])], 'or')}"


def _sites(space: Space, mask: int, names: Sequence[str]) -> str:
    if mask == space.all_sites:
        return ""
    named = [name for name in names if name not in ("", "*")]
    said = [f"at site {p.join(named, 'or')}"] if named else []
    said += ["at an unknown site"] if "" in names else []
    said += [f"at any {'other ' if len(space.sites) > 2 else ''}site"] if "*" in names else []
    return f" {p.join(said, 'or')}"


def _runs(space: Space, mask: int) -> tuple[tuple[float, float | None], ...]:
    """Neighbouring age cells as one."""
    runs: list[tuple[float, float | None]] = []
    for n in bits(mask):
        end = space.ages[n + 1] if n + 1 < len(space.ages) else None
        if runs and runs[-1][1] == space.ages[n]:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((space.ages[n], end))
    return tuple(runs)


def _ages(space: Space, mask: int) -> str:
    said = []
    for start, end in _runs(space, mask):
        after = f"once they are {p.hours(int(start))} old" if start else ""
        until = f"until they are {p.hours(int(end))} old" if end is not None else ""
        said.append(", ".join(filter(None, (after, until))))
    return f", {' or '.join(said)}" if any(said) else ""


def _say_futures(space: Space, names: Sequence[str], readers: int) -> list[str]:
    """Future members in words; one name stands for all pairs it is part of, or says that it does not."""
    said = []
    for name in names:
        if any(name.startswith(f"{other}:") for other in names):
            continue
        other = "other " if ":" not in name and space.closer.get(name, 0) & ~readers else ""
        said.append(other + _say_future(name))
    return said


def _say_future(name: str) -> str:
    community, _, role = name.removeprefix(FUTURE).partition(":")
    who = p.ROLES[role].removeprefix("all ") if role else "members"
    return f"future {who}" + (f" of community {community}" if community else "")


def _who(to: To, future: Sequence[str]) -> str:
    named = [] if to.empty else [say_to(to)]
    return "; ".join([*named, *future]) or "nobody"
