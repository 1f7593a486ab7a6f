"""The document that is looked at, with the owner's documents around it as regions: what every check is given."""

from __future__ import annotations

from collections.abc import Iterator

from commonwatch.agreements.document import Clause, CommunityCharter, Count, Document, Limit, Share
from commonwatch.agreements.impact.boxes import Box
from commonwatch.agreements.impact.counted import Cube
from commonwatch.agreements.impact.findings.kinds import KINDS, Finding, Fix, KindName, Patch, Weight
from commonwatch.agreements.impact.regions import Contribution, Regions
from commonwatch.agreements.impact.words import Witness, witness_of
from commonwatch.agreements.impact.world import World
from commonwatch.agreements.reader import ClauseRef

#: Findings of clauses that show nothing by themselves: leaving one out hides nothing and shows nothing.
USELESS: frozenset[KindName] = frozenset({"never-applies", "contained"})


class Subject:
    """One document of `regions.docs`, and how findings about it are made."""

    def __init__(self, document: Document, regions: Regions, world: World, permitted: list[Cube]) -> None:
        self.document, self.regions, self.space, self.world = document, regions, regions.space, world
        self.docs, self.owner, self.permitted = regions.docs, regions.docs.owner, permitted
        self.own = next((c for c in regions.contributions if c.live.document is document), None)
        self.boxes = {ref.clause: box for box, _, ref in self.own.shares} if self.own else {}

    @property
    def contribution(self) -> Contribution:
        """What the agreement shows by itself."""
        assert self.own is not None
        return self.own

    @property
    def others(self) -> list[Contribution]:
        """What the owner's other agreements show."""
        return [c for c in self.regions.contributions if c is not self.own]

    def clauses(self) -> Iterator[tuple[str, Clause]]:
        """Every clause with its path."""
        for number, clause in enumerate(self.document.clauses):
            yield f"$.clauses[{number}]", clause

    def shares(self) -> Iterator[tuple[str, Share, Box]]:
        """The shares that address anyone, with path and box."""
        for path, clause in self.clauses():
            if isinstance(clause, Share) and clause.id in self.boxes:
                yield path, clause, self.boxes[clause.id]

    def counts(self) -> Iterator[tuple[str, Count, Box]]:
        """The counts that address anyone, with path and box."""
        for path, clause in self.clauses():
            if isinstance(clause, Count) and all(box := self.box(clause)):
                yield path, clause, box

    def box(self, clause: Clause) -> Box:
        """The cases a clause covers."""
        if isinstance(clause, Limit):
            box = self.space.limit(clause)
            mine = 0 if isinstance(self.document, CommunityCharter) else self.space.org(self.owner)
            return box._replace(readers=box.readers & ~mine)
        return self.space.share(clause, self.space.everyone & ~self.space.org(self.owner))

    def found(
        self, kind: KindName, path: str, message: str, at: Box | Witness | None = None, *,
        about: tuple[ClauseRef, ...] = (), fix: Fix | None = None, weight: Weight | None = None,
    ) -> Finding:  # fmt: skip
        """A finding; a box is turned into its lowest corner. A clause that is of no use can be left out at one go."""
        witness = witness_of(self.space.case(at)) if isinstance(at, Box) else at
        if fix is None and kind in USELESS:
            fix = self._leave_out(path)
        return Finding(
            kind=kind, weight=weight or KINDS[kind].weight, document=self.document.id, path=path, message=message,
            witness=witness, about=about, fix=fix,
        )  # fmt: skip

    def _leave_out(self, path: str) -> Fix:
        number = int(path.removeprefix("$.clauses[").partition("]")[0])
        patch = Patch(self.document.id, "remove", f"/clauses/{number}")
        return Fix(f"leave out [{self.document.clauses[number].id}]", (patch,))
