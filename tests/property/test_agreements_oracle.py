"""An independent oracle: z3 proves that the algebra's boxes are exactly the documents' meaning, and finds planted holes.

The encoding here is written from the documents alone and shares nothing with the algebra but the list of who there is.
"""

from __future__ import annotations

import z3
from hypothesis import given
from hypothesis import strategies as st

from commonwatch.agreements.document import Agreement, Fields, Limit, Share, ShareRows, To, levels
from commonwatch.agreements.effective import OwnerDocuments, accepted
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.placing import with_document
from commonwatch.agreements.impact.regions import Regions, newly, rungs
from commonwatch.agreements.impact.space import CLASSES, SEVERITIES, TLPS, Space
from commonwatch.agreements.reader import PURPOSES, Reader
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, Tlp
from property.test_agreements_impact import WORLD, examples, space_case
from strategies import agreements as gen

EVENT, TLP, SEVERITY, SITE, READER, PURPOSE = map(z3.Int, ("event", "tlp", "severity", "site", "reader", "purpose"))
AGE = z3.Real("age")
FIELD = st.sampled_from(gen.FEW_FIELDS)


class Meaning:
    """One owner's documents as formulas."""

    def __init__(self, docs, space):
        self.docs, self.places, self.sites = docs, space.places, space.sites

    def domain(self):
        """The values that there are."""
        sizes = {SITE: len(self.sites), READER: len(self.places), PURPOSE: len(PURPOSES), TLP: 5, SEVERITY: 7}
        return z3.And(AGE >= 0, EVENT >= 1, EVENT <= 14, *(z3.And(v >= 0, v < n) for v, n in sizes.items()))

    def readers(self, who):
        return z3.Or(*(n == READER for n, place in enumerate(self.places) if who(place)))

    def named(self, to):
        return self.readers(
            lambda p: (
                p.org in to.organisations
                or any(c in to.communities for c in p.communities)
                or any(r in to.roles for r in p.roles)
            )
        )

    def bound(self, live):
        return self.readers(lambda p: p.future or accepted(live, Reader(p.org, p.roles, p.communities, "detect")))

    def site(self, names, *, unknown):
        listed = [self.sites.index(name) == SITE for name in names]
        return z3.Or(*listed, *([SITE == 0] if unknown else []))

    def ages(self, rows):
        return z3.And(rows.after <= AGE, rows.until > AGE if rows.until is not None else True)

    def share(self, clause):
        rows, to = clause.rows, clause.to
        needs = [
            self.named(to),
            z3.Or(*(PURPOSES.index(p) == PURPOSE for p in clause.purposes)),
            z3.Or(*(int(CLASS_WORDS[w]) == EVENT for w in rows.events)),
            TLP_WORDS[rows.tlp] >= TLP,
            self.ages(rows),
        ]
        if to.communities or to.roles or not to.organisations:
            needs.append(int(Tlp.RED) != TLP)
        if rows.severity:
            needs.append(int(SEVERITY_WORDS[rows.severity]) <= SEVERITY)
        if rows.sites:
            needs.append(self.site(rows.sites, unknown=False))
        return z3.And(*needs)

    def limit(self, clause):
        rows = clause.rows
        needs = [z3.Not(self.named(clause.outside)), self.ages(rows)]
        if clause.purposes:
            needs.append(z3.Or(*(PURPOSES.index(p) == PURPOSE for p in clause.purposes)))
        if rows.events:
            needs.append(z3.Or(*(int(CLASS_WORDS[w]) == EVENT for w in rows.events)))
        if rows.from_tlp:
            needs.append(int(TLP_WORDS[rows.from_tlp]) <= TLP)
        if rows.from_severity:
            needs.append(z3.Or(SEVERITY == 0, int(SEVERITY_WORDS[rows.from_severity]) <= SEVERITY))
        if rows.sites:
            needs.append(self.site(rows.sites, unknown=True))
        return z3.And(*needs)

    def below(self, clauses, field, chain, height):
        """Some limit among the clauses keeps the field below."""
        return z3.Or(
            *(
                self.limit(c)
                for c in clauses
                if isinstance(c, Limit)
                and c.on != "counts"
                and field in levels(c.fields)
                and levels(c.fields)[field][chain] < height
            )
        )

    def shown(self, field, rung):
        """Where the field is shown at least at the rung."""
        chain, height = rung
        found = []
        for live in self.docs.agreements:
            document = live.document
            if live.state != "active" or document.owner != self.docs.owner:
                continue
            terms = self.docs.community_charters.get(document.community or "")
            raised = [
                self.share(c)
                for c in document.clauses
                if isinstance(c, Share) and field in levels(c.fields) and levels(c.fields)[field][chain] >= height
            ]
            caps = [*document.clauses, *(terms.clauses if terms else ())]
            found.append(z3.And(self.bound(live), z3.Or(*raised), z3.Not(self.below(caps, field, chain, height))))
        ceiling = self.docs.charter.clauses if self.docs.charter else ()
        stranger = self.readers(lambda p: p.org != self.docs.owner)
        return z3.And(stranger, z3.Or(*found), z3.Not(self.below(ceiling, field, chain, height)))


def inside(boxes, space):
    """The boxes of the algebra as a formula."""

    def among(variable, mask, values):
        return z3.Or(*(variable == value for n, value in enumerate(values) if mask >> n & 1))

    def ages(mask):
        ends = [*space.ages[1:], None]
        spans = [(a, b) for n, (a, b) in enumerate(zip(space.ages, ends, strict=True)) if mask >> n & 1]
        return z3.Or(*(z3.And(a <= AGE, b > AGE if b is not None else True) for a, b in spans))

    return z3.Or(
        *(
            z3.And(
                among(READER, box.readers, range(len(space.places))),
                among(PURPOSE, box.purposes, range(len(PURPOSES))),
                among(EVENT, box.classes, map(int, CLASSES)),
                among(SITE, box.sites, range(len(space.sites))),
                among(TLP, box.tlps, map(int, TLPS)),
                among(SEVERITY, box.severities, map(int, SEVERITIES)),
                ages(box.ages),
            )
            for box in boxes
        )
    )


def satisfiable(*formulas):
    solver = z3.Solver()
    solver.add(*formulas)
    found = solver.check()
    assert found != z3.unknown
    return found == z3.sat


def compare(old, new, field):
    """For every rung: what the algebra says is new is what the documents say is new; returns whether anything is."""
    space = Space(WORLD, [old, new])
    before = Regions(old, space)
    after = Regions(new, space, before)
    was, now = Meaning(old, space), Meaning(new, space)
    revealed = False
    for rung in rungs(field):
        old_shown, new_shown = was.shown(field, rung), now.shown(field, rung)
        assert not satisfiable(was.domain(), z3.Xor(old_shown, inside(before.region(field, rung), space)))
        boxes = newly(before, after, field, rung)
        fresh = z3.And(new_shown, z3.Not(old_shown))
        assert not satisfiable(was.domain(), z3.Xor(fresh, inside(boxes, space)))
        assert satisfiable(was.domain(), fresh) == bool(boxes)
        revealed = revealed or bool(boxes)
    return revealed


@examples(12)
@given(gen.owner_documents(), gen.owner_documents(), FIELD)
def test_z3_proves_that_regions_and_differences_are_the_documents_meaning(old, new, field):
    compare(old, new, field)


def planted(docs, org):
    """The documents with one more agreement that shows message text in one corner to one organisation."""
    hole = Share(
        id="hole", to=To(organisations=(org,)), purposes=("research",), fields=Fields(message="exact"),
        rows=ShareRows(events=("dns",), tlp="clear", severity="fatal", sites=("branch",), after=24, until=48),
    )  # fmt: skip
    parties = [(docs.owner, "owner"), (org, "member")]
    document = Agreement(
        dsa="1", id="planted", version=1, title="t", starts=gen.dt.date(2026, 1, 1), ends=gen.dt.date(2027, 1, 1),
        parties=tuple(gen.Party(id=o, name="o", role=role, key=gen.thumbprint(o)) for o, role in parties),
        clauses=(hole,),
    )  # fmt: skip
    return with_document(docs, document)


@examples(8)
@given(gen.owner_documents(), st.sampled_from(gen.ORGS))
def test_a_planted_hole_is_found_by_both_or_is_none(docs, org):
    """The planted corner is told exactly when z3 finds that the documents before did not show it."""
    new = planted(docs, org)
    space = Space(WORLD, [docs, new])
    was, now = space.accepting(docs), space.accepting(new)
    rung = rungs("message")[-1]
    old_shown, new_shown = Meaning(was, space).shown("message", rung), Meaning(now, space).shown("message", rung)
    hole = satisfiable(Meaning(was, space).domain(), new_shown, z3.Not(old_shown))
    found = [c for c in impact(docs, new, WORLD).newly if any(s.after == "exact" for s in c.fields)]
    assert bool(found) == hole
    for change in found:
        assert change.to.organisations == (org,)
        assert change.rows.events == ("dns",)
        assert change.rows.sites == ("branch",)
        assert change.rows.ages == ((24.0, 48.0),)
        assert space_case(change.witness).reader.org == org


def test_a_planted_hole_where_nothing_was_agreed_is_found():
    empty = OwnerDocuments(gen.OWNER, ())
    assert compare(empty, planted(empty, gen.ORGS[1]), "message")
    assert not compare(planted(empty, gen.ORGS[1]), empty, "message")


def test_the_oracle_notices_an_algebra_that_is_wrong():
    """A region with one cell too few, or too many, is not the documents' meaning."""
    docs = planted(OwnerDocuments(gen.OWNER, ()), gen.ORGS[0])
    space = Space(WORLD, [docs])
    meaning, rung = Meaning(docs, space), rungs("message")[-1]
    (box,) = Regions(docs, space).region("message", rung)
    right = meaning.shown("message", rung)
    assert not satisfiable(meaning.domain(), z3.Xor(right, inside([box], space)))
    for wrong in (box._replace(tlps=box.tlps | 2), box._replace(ages=box.ages << 1), box._replace(sites=0)):
        assert satisfiable(meaning.domain(), z3.Xor(right, inside([wrong], space)))
