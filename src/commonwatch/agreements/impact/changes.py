"""What a change does: what is newly shown and no longer shown, to whom, for what, each with a witness.

Rules held here: a change is told from documents alone; everyone is taken to have accepted the duties, since they can;
an impact is empty exactly when nobody is shown anything new; every witness is confirmed by `effective()` (or by
`counts()`) before it is given out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from commonwatch.agreements.counting import CountRule, counts
from commonwatch.agreements.document import Noise
from commonwatch.agreements.effective import OwnerDocuments, effective
from commonwatch.agreements.english import phrases as p
from commonwatch.agreements.impact.boxes import Box, covering, merged
from commonwatch.agreements.impact.counted import cubes, newly_counted, no_finer, plain_rule
from commonwatch.agreements.impact.levels import level_maps
from commonwatch.agreements.impact.regions import Regions, newly, rungs
from commonwatch.agreements.impact.space import Case, Space
from commonwatch.agreements.impact.words import (
    Audience,
    WhichRows,
    Witness,
    purposes_of,
    rows_of,
    say_purposes,
    who_of,
    witness_of,
)
from commonwatch.agreements.impact.world import World
from commonwatch.agreements.lattice import WITHHELD, Point, point_name
from commonwatch.agreements.reader import ClauseRef, Purpose
from commonwatch.events.fields import FIELDS, FieldName


class Shift(msgspec.Struct, frozen=True, order=True):
    """One field and its named points before and after."""

    field: FieldName
    before: str
    after: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are shown otherwise than before, and how. `text` says it in one sentence."""

    owner: str
    fields: tuple[Shift, ...]
    rows: WhichRows
    to: Audience
    purposes: tuple[Purpose, ...]
    witness: Witness
    text: str


class CountChange(msgspec.Struct, frozen=True, kw_only=True):
    """Counts that were not permitted before, or are no longer."""

    owner: str
    clause: ClauseRef
    by: dict[FieldName, str]
    measures: tuple[str, ...]
    contributors: int
    noise: Noise | None
    rows: WhichRows
    to: Audience
    purposes: tuple[Purpose, ...]
    witness: Witness
    text: str


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What a change does, for rows and for counts."""

    newly: tuple[Change, ...] = ()
    no_longer: tuple[Change, ...] = ()
    newly_counted: tuple[CountChange, ...] = ()
    no_longer_counted: tuple[CountChange, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nobody is shown anything more or less."""
        return not (self.newly or self.no_longer or self.newly_counted or self.no_longer_counted)

    @property
    def widens(self) -> bool:
        """Whether anybody is shown anything more."""
        return bool(self.newly or self.newly_counted)

    def __add__(self, other: Impact) -> Impact:
        """Both together (of different owners)."""
        return Impact(
            newly=self.newly + other.newly, no_longer=self.no_longer + other.no_longer,
            newly_counted=self.newly_counted + other.newly_counted,
            no_longer_counted=self.no_longer_counted + other.no_longer_counted,
        )  # fmt: skip


def impact(old: OwnerDocuments, new: OwnerDocuments, world: World) -> Impact:
    """What one owner's documents show after a change that they did not show before, and the other way round."""
    space = Space(world, [old, new])
    was, now = space.accepting(old), space.accepting(new)
    before = Regions(was, space)
    after = Regions(now, space, before)
    more, less = _Telling(before, after), _Telling(after, before)
    return Impact(
        newly=tuple(more.rows()), no_longer=tuple(_turned(change) for change in less.rows()),
        newly_counted=tuple(more.counts("Newly counted")), no_longer_counted=tuple(less.counts("No longer counted")),
    )  # fmt: skip


class _Telling:
    """Tells what `new` shows and `old` does not."""

    def __init__(self, old: Regions, new: Regions) -> None:
        self.old, self.new, self.space, self.owner = old, new, new.space, new.docs.owner

    def rows(self) -> Iterator[Change]:
        """Changes of rows; fields that change alike are told together."""
        told: dict[Box, list[tuple[FieldName, Point, Point]]] = {}
        for field in self.new.fields:
            for (before, after), boxes in self._shifts(field).items():
                for box in covering(boxes):
                    told.setdefault(box, []).append((field, before, after))
        for box in sorted(told, key=_order):
            yield self._change(box, told[box])

    def _shifts(self, field: FieldName) -> dict[tuple[Point, Point], list[Box]]:
        """Level before and after -> the cases in which more of the field is shown."""
        revealed = merged(box for rung in rungs(field) for box in newly(self.old, self.new, field, rung))
        found: dict[tuple[Point, Point], list[Box]] = {}
        for box, (was, now) in level_maps([self.old, self.new], [field], revealed):
            found.setdefault((was.get(field, WITHHELD), now.get(field, WITHHELD)), []).append(box)
        return found

    def _change(self, box: Box, shifts: Sequence[tuple[FieldName, Point, Point]]) -> Change:
        case = self.space.case(box)
        for field, before, after in shifts:
            self._confirm(case, field, before, after)
        named = tuple(Shift(f, _name(f, before), _name(f, after)) for f, before, after in shifts)
        rows, to = rows_of(self.space, box), who_of(self.space, box.readers, self.owner)
        purposes = purposes_of(box.purposes)
        text = _sentence("Newly shown", rows, to, purposes, _say_shifts(named, "so far", last=False))
        return Change(
            owner=self.owner, fields=named, rows=rows, to=to, purposes=purposes, witness=witness_of(case), text=text
        )

    def _confirm(self, case: Case, field: FieldName, before: Point, after: Point) -> None:
        """The pointwise reference says the same of the witness, or this algebra is wrong."""
        label, age, reader = case
        for regions, level in ((self.old, before), (self.new, after)):
            if effective(regions.docs, label, age, field, reader).level != level:
                raise AssertionError(f"{field}: the algebra and the reference disagree about {case}")

    def counts(self, heading: str) -> Iterator[CountChange]:
        """Changes of counts, clause by clause."""
        new, old = cubes(self.new.docs, self.space), cubes(self.old.docs, self.space)
        found: dict[str, tuple[CountRule, list[Box]]] = {}
        for box, rule in newly_counted(old, new):
            same = plain_rule(rule)
            found.setdefault(repr(same), (same, []))[1].append(box)
        for told, boxes in found.values():
            for box in covering(merged(boxes)):
                yield self._counted(heading, box, told)

    def _counted(self, heading: str, box: Box, rule: CountRule) -> CountChange:
        case = self.space.case(box)
        found = [plain_rule(r) for r in counts(self.new.docs, *case)]
        if rule not in found or any(no_finer(rule, r) for r in counts(self.old.docs, *case)):
            raise AssertionError(f"{rule.clause}: the algebra and the reference disagree about {case}")
        rows, to = rows_of(self.space, box), who_of(self.space, box.readers, self.owner)
        purposes = purposes_of(box.purposes)
        return CountChange(
            owner=self.owner, clause=rule.clause, by=rule.by, measures=rule.measures, contributors=rule.contributors,
            noise=rule.noise, rows=rows, to=to, purposes=purposes, witness=witness_of(case),
            text=_sentence(heading, rows, to, purposes, say_rule(rule)),
        )  # fmt: skip


def _turned(change: Change) -> Change:
    """The same change told backwards: what was shown is no longer."""
    fields = tuple(Shift(s.field, s.after, s.before) for s in change.fields)
    text = _sentence("No longer shown", change.rows, change.to, change.purposes, _say_shifts(fields, "now", last=True))
    return msgspec.structs.replace(change, fields=fields, text=text)


def _sentence(heading: str, rows: WhichRows, to: Audience, purposes: Sequence[Purpose], what: str) -> str:
    return f"{heading} to {to.text}, for {say_purposes(purposes)}, of {rows.text}: {what}."


def _say_shifts(shifts: Sequence[Shift], other: str, *, last: bool) -> str:
    """Fields grouped by both points: `source address and domain name exactly (so far as a pseudonym)`."""
    groups: dict[tuple[str, str], list[str]] = {}
    for shift in shifts:
        shown, aside = (shift.before, shift.after) if last else (shift.after, shift.before)
        groups.setdefault((shown, aside), []).append(p.LABELS[shift.field])
    return "; ".join(
        f"{p.join(labels, 'and')} {p.levels()[shown]}"
        + (f" ({other} {p.levels()[aside]})" if aside != "withheld" else "")
        for (shown, aside), labels in groups.items()
    )


def say_rule(rule: CountRule) -> str:
    """`new threat families by time to the day, for groups of at least 5 contributors`."""
    measures = p.join((p.MEASURES[m] for m in rule.measures), "and")
    steps = p.join((f"{p.LABELS[f]} {p.levels()[step]}" for f, step in rule.by.items()), "and")
    kind = "releases that pool" if rule.noise else "groups of"
    spent = (
        f", with noise spending at most epsilon {rule.noise.epsilon} in each eight-week window" if rule.noise else ""
    )
    return f"{measures} by {steps}, for {kind} at least {rule.contributors} contributors{spent}"


def _name(field: FieldName, point: Point) -> str:
    return point_name(FIELDS[field].family, point)


def _order(box: Box) -> tuple[int, ...]:
    return tuple(mask & -mask for mask in box)


def together(impacts: Iterable[Impact]) -> Impact:
    """The impacts on several owners as one."""
    total = Impact()
    for one in impacts:
        total += one
    return total
