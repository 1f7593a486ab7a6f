"""Questions with exact answers over all documents in force: who sees a field, what does a reader see, why is it not.

Rules held here: answers are of the documents as they are (who has not accepted the duties sees nothing yet), and name
those who may join later beside those who are there; a clause is named when it alone brings the field to one of the
rungs asked about; an owner's own sight of its own events is not told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from commonwatch.agreements.compile import compiled
from commonwatch.agreements.document import Limit, Share
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.impact.boxes import Box, bits, blocks, common, covering, lowest, merged, overlap, without
from commonwatch.agreements.impact.levels import levels_of
from commonwatch.agreements.impact.regions import Regions, Rung, rungs_above, rungs_of
from commonwatch.agreements.impact.space import CLASSES, SEVERITIES, TLPS, Space, clauses_of, purpose_bits
from commonwatch.agreements.impact.words import Audience, WhichRows, purposes_of, rows_of, say_purposes, who_of
from commonwatch.agreements.impact.world import World
from commonwatch.agreements.lattice import WITHHELD, Point, point_name
from commonwatch.agreements.reader import PURPOSES, ClauseRef, Purpose, Reader, Reason, Withheld
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import Label


class Seer(msgspec.Struct, frozen=True, order=True):
    """A reader for one purpose; `future` stands for members that may join later."""

    org: str
    purpose: Purpose
    future: bool = False


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one owner that readers see so, and the clauses that show them."""

    owner: str
    to: Audience
    purposes: tuple[Purpose, ...]
    rows: WhichRows
    clauses: tuple[ClauseRef, ...]
    text: str


class WhoSees(msgspec.Struct, frozen=True, kw_only=True):
    """Everyone who sees the field at least so precisely, one by one, and by owner in words."""

    field: FieldName
    at_least: str | None
    readers: tuple[Seer, ...]
    sights: tuple[Sight, ...]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one owner with the level of every field that the reader sees; others are withheld."""

    owner: str
    purposes: tuple[Purpose, ...]
    rows: WhichRows
    fields: dict[FieldName, str]
    clauses: tuple[ClauseRef, ...]


class NotSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one owner in which a field is withheld, why, by which clause, and whom to ask."""

    owner: str
    rows: WhichRows
    reason: Reason
    clause: ClauseRef | None = None
    ask: str | None = None


class Asked:
    """The documents of some owners, ready to be asked. Make it once, ask it often; it keeps what it has worked out."""

    def __init__(self, documents: Iterable[OwnerDocuments], world: World, bounds: Iterable[float] = ()) -> None:
        found = list(documents)
        self.space = Space(world, found, bounds)
        self.regions = {docs.owner: Regions(docs, self.space) for docs in found}

    def who_sees(self, field: FieldName, at_least: Point | None = None, rows: Box | None = None) -> WhoSees:
        """Everyone who sees `field` at least at a point (None: anything of it), in some of these rows."""
        seen, sights = dict.fromkeys(PURPOSES, 0), list[Sight]()
        for regions in self.regions.values():
            boxes = regions.at_least(field, at_least, [rows or self.space.whole]) if field in regions.fields else []
            for box in boxes:
                for purpose in purposes_of(box.purposes):
                    seen[purpose] |= box.readers
            sights += [self._sight(regions, field, at_least, box) for box in covering(merged(boxes))]
        readers = [self._seer(n, purpose) for purpose, mask in seen.items() for n in bits(mask)]
        name = point_name(FIELDS[field].family, at_least) if at_least else None
        return WhoSees(field=field, at_least=name, readers=tuple(sorted(readers)), sights=tuple(sights))

    def what_sees(self, org: str, purposes: Sequence[Purpose] = PURPOSES) -> Iterator[Seen]:
        """What an organisation sees, owner by owner."""
        mine = self.space.whole._replace(readers=self.space.org(org), purposes=purpose_bits(purposes))
        for regions in self.regions.values():
            yield from self._seen(regions, mine) if mine.readers and regions.docs.owner != org else ()

    def why_withheld(self, owner: str, reader: Reader, field: FieldName) -> list[NotSeen]:
        """In which of an owner's rows the reader does not see a field, and why. The reader must be one of the space."""
        docs = self.regions[owner].docs
        found: dict[tuple[Reason, ClauseRef | None, str | None], list[Box]] = {}
        for box, why in self._reasons(docs, reader, field):
            found.setdefault((why.reason, why.clause, why.ask), []).append(box)
        return [
            NotSeen(owner=owner, rows=rows_of(self.space, box), reason=reason, clause=clause, ask=ask)
            for (reason, clause, ask), boxes in found.items()
            for box in covering(merged(boxes))
        ]

    def _seer(self, number: int, purpose: Purpose) -> Seer:
        place = self.space.places[number]
        return Seer(place.org, purpose, place.future)

    def _sight(self, regions: Regions, field: FieldName, at_least: Point | None, box: Box) -> Sight:
        owner, clauses = regions.docs.owner, tuple(sorted(set(_carrying(regions, field, at_least, box))))
        rows, to, purposes = rows_of(self.space, box), who_of(self.space, box.readers, owner), purposes_of(box.purposes)
        text = f"{to.text}, for {say_purposes(purposes)}, of {rows.text} of {owner}"
        return Sight(owner=owner, to=to, purposes=purposes, rows=rows, clauses=clauses, text=text)

    def _seen(self, regions: Regions, mine: Box) -> Iterator[Seen]:
        shares = [s for c in regions.contributions for s in c.shares if overlap(s.box, mine)]
        fields = [f for f in regions.fields if any(f in s.levels for s in shares)]
        for box, levels in levels_of(regions, fields, [mine]) if shares else ():
            clauses = {s.ref for s in shares if s.levels.keys() & levels.keys() and overlap(s.box, box)}
            yield Seen(
                owner=regions.docs.owner, purposes=purposes_of(box.purposes), rows=rows_of(self.space, box),
                fields={f: point_name(FIELDS[f].family, levels[f]) for f in fields if f in levels},
                clauses=tuple(sorted(clauses)),
            )  # fmt: skip

    def _reasons(self, docs: OwnerDocuments, reader: Reader, field: FieldName) -> Iterator[tuple[Box, Withheld]]:
        """The compiled reasons, one label for each block of labels that no clause tells apart."""
        table = compiled(docs, reader)
        who = Box(self.space.org(reader.org), purpose_bits([reader.purpose]), 0, 0, 0, 0, 0)
        for classes, sites, tlps, severities in _label_blocks(self.space, docs):
            label = Label(
                CLASSES[lowest(classes)], TLPS[lowest(tlps)], SEVERITIES[lowest(severities)],
                self.space.sites[lowest(sites)],
            )  # fmt: skip
            for piece in table.pieces(label):
                if (why := piece.reasons.get(field)) is not None:
                    ages = self.space.between(piece.from_hours, piece.until_hours)
                    yield Box(who.readers, who.purposes, classes, sites, tlps, severities, ages), why


def _carrying(regions: Regions, field: FieldName, at_least: Point | None, box: Box) -> Iterator[ClauseRef]:
    """The clauses that alone bring the field to one of the point's rungs somewhere in the box."""
    for rung in rungs_of(field, at_least) if at_least else rungs_above(field, WITHHELD):
        ceiling = regions.ceiling(field, rung)
        for c in regions.contributions:
            caps = [limit.box for limit in c.limits if _below(limit.levels, field, rung)]
            for share in c.shares:
                reaches = field in share.levels and rung.reached(share.levels[field])
                if reaches and without(common([share.box], [box]), [*caps, *ceiling]):
                    yield share.ref


def _below(levels: dict[FieldName, Point], field: FieldName, rung: Rung) -> bool:
    return field in levels and not rung.reached(levels[field])


def _label_blocks(space: Space, docs: OwnerDocuments) -> Iterator[tuple[int, int, int, int]]:
    """Blocks of classes, sites, TLP marks and severities that the owner's clauses do not tell apart."""
    limits = [space.limit(clause) for clause in clauses_of(docs) if isinstance(clause, Limit)]
    shares = [space.share(clause, space.everyone) for clause in clauses_of(docs) if isinstance(clause, Share)]
    boxes = [space.whole, *limits, *shares]
    axes = [[mask for mask, _ in blocks([(box[axis], n) for n, box in enumerate(boxes)])] for axis in (2, 3, 4, 5)]
    for classes in axes[0]:
        for sites in axes[1]:
            for tlps in axes[2]:
                yield from ((classes, sites, tlps, severities) for severities in axes[3])
