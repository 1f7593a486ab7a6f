"""Questions over all documents equal brute force; a share that is found contained can go; reasons are the reference's."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.agreements.document import Limit, Share, levels
from commonwatch.agreements.effective import OwnerDocuments, decide, effective, limit_covers, ref_of
from commonwatch.agreements.effective import covers as covers_case
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.findings import KINDS, lint, lint_all
from commonwatch.agreements.impact.placing import with_document
from commonwatch.agreements.impact.questions import Asked
from commonwatch.agreements.impact.space import Space
from commonwatch.agreements.lattice import WITHHELD, leq, parse_point, point_name, points
from commonwatch.agreements.reader import PURPOSES, Granted, Reader
from commonwatch.events.fields import FIELDS
from property.test_agreements_impact import WORLD, cell, covers, examples, space_case
from strategies import agreements as gen

OTHER = "echo-estate"
TWO_OWNERS = st.tuples(gen.owner_documents(most=2), gen.owner_documents(OTHER, most=2))
FIELD = st.sampled_from(gen.FEW_FIELDS)
SEEDS = st.integers(0, 2**32)


def representatives(space, docs, rng, count):
    """Cases that the clauses tell apart: one of each block of labels and ages, a random choice of them."""
    from commonwatch.agreements.impact.boxes import Box
    from commonwatch.agreements.impact.questions import _label_blocks

    blocks = list(_label_blocks(space, docs))
    for classes, sites, tlps, severities in rng.sample(blocks, min(count, len(blocks))):
        for age in range(len(space.ages)):
            yield Box(1, 1, *(mask & -mask for mask in (classes, sites, tlps, severities)), 1 << age)


@examples(12)
@given(TWO_OWNERS, FIELD, st.data())
def test_who_sees_equals_brute_force(documents, field, data):
    at_least = data.draw(gen.pick(list(points(FIELDS[field].family).values())[1:]))
    asked = Asked(documents, WORLD)
    space = asked.space
    found = asked.who_sees(field, at_least)
    told = {(seer.org, seer.purpose) for seer in found.readers}
    brute = set()
    for docs in documents:
        joined, rng = space.joined(docs), random.Random(0)
        for box in representatives(space, docs, rng, 40):
            case = space.case(box)
            for place in space.places:
                for purpose in PURPOSES if place.org != docs.owner else ():
                    if (place.org, purpose) not in brute:
                        reader = Reader(place.org, place.roles, place.communities, purpose)
                        if leq(at_least, effective(joined, case.label, case.age, field, reader).level):
                            brute.add((place.org, purpose))
    assert brute <= told
    for org, purpose in told:
        assert any(sees(asked, docs, field, at_least, org, purpose) for docs in documents)
    for sight in found.sights:
        assert sight.clauses
        assert set(sight.to.organisations) <= {org for org, _ in told}


def sees(asked, docs, field, at_least, org, purpose):
    """Whether there is a case in which the reference agrees, and names a clause that the answer names."""
    space = asked.space
    within = space.whole._replace(readers=space.org(org), purposes=1 << PURPOSES.index(purpose))
    for box in asked.regions[docs.owner].at_least(field, at_least, [within]):
        case = space.case(box)
        return leq(at_least, effective(space.joined(docs), case.label, case.age, field, case.reader).level)
    return False


@examples(25)
@given(TWO_OWNERS, SEEDS)
def test_what_a_reader_sees_equals_brute_force(documents, seed):
    asked, rng = Asked(documents, WORLD), random.Random(seed)
    for org in gen.ORGS:
        seen = list(asked.what_sees(org))
        for _ in range(12):
            box, case = cell(asked.space, rng)
            box = box._replace(readers=asked.space.org(org))
            case = asked.space.case(box)
            for docs in documents:
                shown = {
                    f: point_name(FIELDS[f].family, level)
                    for f in gen.FEW_FIELDS
                    if (level := effective(docs, case.label, case.age, f, case.reader).level) != WITHHELD
                }
                told = [s.fields for s in seen if s.owner == docs.owner and covers_rows(s, case)]
                assert told == ([shown] if shown else [])


def covers_rows(seen, case):
    """Whether what is seen is told of this case, its reader aside."""
    from types import SimpleNamespace

    anyone = SimpleNamespace(organisations=(case.reader.org,), communities=(), roles=(), future=())
    return covers(SimpleNamespace(rows=seen.rows, purposes=seen.purposes, to=anyone, owner=seen.owner), case)


@examples(20)
@given(gen.owner_documents(), FIELD, SEEDS)
def test_why_a_field_is_withheld_is_what_the_reference_says(docs, field, seed):
    asked, rng = Asked([docs], WORLD), random.Random(seed)
    org, purpose = rng.choice(gen.ORGS), rng.choice(PURPOSES)
    place = next(p for p in asked.space.places if p.org == org)
    reader = Reader(org, place.roles, place.communities, purpose)
    told = asked.why_withheld(docs.owner, reader, field)
    for _ in range(25):
        box, _ = cell(asked.space, rng)
        label, age, _ = asked.space.case(box)
        from commonwatch.agreements.impact.space import Case

        case = Case(label, age, reader)
        decision = decide(docs, label, age, field, reader)
        at = [t for t in told if covers_rows(Seen(t.rows, (purpose,), docs.owner), case)]
        if isinstance(decision, Granted):
            assert not at
        else:
            assert {(t.reason, t.clause, t.ask) for t in at} == {(decision.reason, decision.clause, decision.ask)}


class Seen(msgspec.Struct):
    rows: object
    purposes: tuple
    owner: str


def without_clause(docs, document, number):
    """The owner's documents when one clause of a document is left out."""
    left = tuple(c for n, c in enumerate(document.clauses) if n != number)
    return with_document(docs, msgspec.structs.replace(document, clauses=left))


@examples(40)
@given(gen.owner_documents())
def test_findings_hold_what_they_say(docs):
    """Leaving out a contained share hides nothing; a limit that covers nothing reveals nothing; witnesses are cases."""
    space = Space(WORLD, [docs])
    accepting = space.accepting(docs)
    for live in docs.agreements:
        if live.state != "active":
            continue
        document, found = live.document, lint(live.document, docs, WORLD)
        present = with_document(docs, document)
        for finding in found:
            assert finding.kind in KINDS
            assert finding.message
            if not finding.path.startswith("$.clauses["):
                continue
            number = int(finding.path[len("$.clauses[") :].partition("]")[0])
            clause = document.clauses[number]
            if finding.kind in ("contained", "shown-elsewhere") or (
                finding.kind == "never-applies" and isinstance(clause, Share) and finding.path.endswith(".to")
            ):
                less = impact(present, without_clause(docs, document, number), WORLD)
                assert not less.no_longer
                assert not less.newly
            if finding.kind == "limit-covers-nothing":
                assert isinstance(clause, Limit)
                assert impact(present, without_clause(docs, document, number), WORLD).empty
            if finding.kind in ("contradiction", "cut-by-limit", "against-charter", "against-community-charter"):
                assert shown_less(accepting, clause, finding)
            if finding.kind == "undercut":
                check_undercut(accepting, docs, document, clause, finding)


def shown_less(docs, share, finding):
    """The witness is a case of the share, and of a limit the finding names that is below what the share says."""
    case = space_case(finding.witness)
    limits = {ref_of(d, c.id): c for d in documents_of(docs) for c in d.clauses if isinstance(c, Limit)}
    assert covers_case(share, *case)
    return any(
        limit_covers(limits[ref], *case) and not leq(level, levels(limits[ref].fields)[f])
        for ref in finding.about
        for f, level in levels(share.fields).items()
        if f in levels(limits[ref].fields)
    )


def documents_of(docs):
    """Every document that decides about an owner."""
    charters = [docs.charter, *docs.community_charters.values()]
    return [*(a.document for a in docs.agreements), *filter(None, charters)]


def check_undercut(accepting, docs, document, limit, finding):
    """The witness is shown more than the limit, by another agreement; moved to the charter, nobody is."""
    case = space_case(finding.witness)
    others = msgspec.structs.replace(
        accepting, agreements=tuple(a for a in accepting.agreements if a.document.id != document.id)
    )
    shown = {
        f: effective(others, case.label, case.age, f, case.reader).level
        for f in gen.FEW_FIELDS
        if isinstance(name := getattr(limit.fields, f), str)
        and not leq(effective(others, case.label, case.age, f, case.reader).level, parse_point(FIELDS[f].family, name))
    }
    assert shown
    assert [p.op for p in finding.fix.patches] == ["add", "remove"]


def test_every_kind_of_finding_that_documents_alone_can_have_is_found_in_generated_ones():
    seen = set()

    @settings(max_examples=150, derandomize=True, database=None)
    @given(gen.owner_documents())
    def look(docs):
        seen.update(finding.kind for finding in lint_all([docs], WORLD))

    look()
    expected = {
        "contradiction", "cut-by-limit", "against-charter", "against-community-charter", "limit-covers-nothing",
        "contained", "shown-elsewhere", "undercut", "never-applies", "nothing-to-count",
    }  # fmt: skip
    assert seen >= expected


def test_nobody_is_found_where_nothing_is_agreed():
    asked = Asked([OwnerDocuments(gen.OWNER, ())], WORLD)
    assert asked.who_sees("src_ip", parse_point("address", "scope")).readers == ()
    assert list(asked.what_sees(gen.ORGS[0])) == []
