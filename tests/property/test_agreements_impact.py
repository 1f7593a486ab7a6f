"""The algebra equals the pointwise reference: regions, impact, questions; every witness is real."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.agreements.counting import counts
from commonwatch.agreements.effective import effective
from commonwatch.agreements.impact.boxes import Box, bits, covering, merged, minus, overlap, partition
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.counted import no_finer
from commonwatch.agreements.impact.levels import levels_of
from commonwatch.agreements.impact.placing import without_document
from commonwatch.agreements.impact.regions import Regions, newly, rungs
from commonwatch.agreements.impact.space import Space
from commonwatch.agreements.impact.world import Member, World
from commonwatch.agreements.lattice import WITHHELD, leq, parse_point
from commonwatch.events.fields import FIELDS
from strategies import agreements as gen


def examples(count):
    """So many examples in the gate, more in the long run (`COMMONWATCH_HYPOTHESIS=long`)."""
    return settings(max_examples=max(1, count * settings.default.max_examples // 60))


DOCS = gen.owner_documents()
SEEDS = st.integers(0, 2**32)
WORLD = World(
    (
        Member("bravo-bakery", ("sme",), gen.COMMUNITIES),
        Member("coast-cert", ("cert", "sme"), gen.COMMUNITIES[1:]),
        Member("delta-mss", ("mssp",)),
        Member(gen.OWNER, ("sme",), gen.COMMUNITIES),
    ),
    gen.COMMUNITIES,
    known=True,
)


def cell(space, rng):
    """One case, drawn: as a box and as the reference takes it."""
    box = Box(*(1 << rng.choice(bits(mask)) for mask in space.whole))
    return box, space.case(box)


def level(docs, field, case):
    """What the reference says; an owner reading its own events is no case."""
    if case.reader.org == docs.owner:
        return WITHHELD
    return effective(docs, case.label, case.age, field, case.reader).level


def inside(box, boxes):
    return any(overlap(box, other) for other in boxes)


@examples(15)
@given(DOCS, DOCS, SEEDS)
def test_regions_and_their_differences_equal_the_reference_at_every_case(old, new, seed):
    space, rng = Space(WORLD, [old, new]), random.Random(seed)
    before = Regions(old, space)
    after = Regions(new, space, before)
    joined = [space.joined(docs) for docs in (old, new)]
    cases = [cell(space, rng) for _ in range(25)]
    for field in gen.FEW_FIELDS:
        shown = levels_of(before, [field], [space.whole])
        for rung in rungs(field):
            revealed = newly(before, after, field, rung)
            for box, case in [*cases, *((b, space.case(b)) for b in map(lowest_corner, revealed[:2]))]:
                was, now = (level(docs, field, case) for docs in joined)
                assert inside(box, before.region(field, rung)) == rung.reached(was)
                assert inside(box, revealed) == (rung.reached(now) and not rung.reached(was))
                assert [found.get(field) for piece, found in shown if overlap(box, piece)] in ([was], [None], []) or (
                    was == WITHHELD
                )
                assert was in [found[field] for b, found in shown if overlap(box, b)] or was == WITHHELD


def lowest_corner(box):
    return Box(*(mask & -mask for mask in box))


def told(changes, case):
    """The fields that some change tells for this case, with their points."""
    return {
        shift.field: (shift.before, shift.after)
        for change in changes
        if covers(change, case)
        for shift in change.fields
    }


def covers(change, case):
    """Whether a described change covers a case, by what it says in structure."""
    rows, to, label, reader = change.rows, change.to, case.label, case.reader
    sites = {"" if label.site == "" else "*" if label.site.startswith("elsewhere") else label.site}
    addressed = (
        reader.org in (*to.organisations, *to.future)
        or set(reader.communities) & set(to.communities)
        or set(reader.roles) & set(to.roles)
    )
    return bool(
        addressed
        and reader.org != change.owner
        and reader.purpose in change.purposes
        and label.event_class.word in rows.events
        and label.tlp.word in rows.tlp
        and label.severity.word in rows.severity
        and sites & set(rows.sites)
        and any(start <= case.age and (end is None or case.age < end) for start, end in rows.ages)
    )


def point(field, name):
    return parse_point(FIELDS[field].family, name)


@examples(20)
@given(DOCS, DOCS, SEEDS)
def test_impact_tells_exactly_what_is_new_and_what_is_gone(old, new, seed):
    found = impact(old, new, WORLD)
    space, rng = Space(WORLD, [old, new]), random.Random(seed)
    was, now = space.accepting(old), space.accepting(new)
    for _ in range(40):
        _, case = cell(space, rng)
        newly_told, gone_told = told(found.newly, case), told(found.no_longer, case)
        for field in gen.FEW_FIELDS:
            before, after = level(was, field, case), level(now, field, case)
            assert (field in newly_told) == (not leq(after, before))
            assert (field in gone_told) == (not leq(before, after))
            for shifts in (newly_told, gone_told):
                if field in shifts:
                    assert [point(field, name) for name in shifts[field]] == [before, after]


@examples(15)
@given(DOCS, DOCS)
def test_each_witness_is_real(old, new):
    found = impact(old, new, WORLD)
    space = Space(WORLD, [old, new])
    was, now = space.accepting(old), space.accepting(new)
    for change in (*found.newly, *found.no_longer):
        w = change.witness
        case = space_case(w)
        assert covers(change, case)
        for shift in change.fields:
            assert level(was, shift.field, case) == point(shift.field, shift.before)
            assert level(now, shift.field, case) == point(shift.field, shift.after)
    for change, docs in [*((c, now) for c in found.newly_counted), *((c, was) for c in found.no_longer_counted)]:
        case = space_case(change.witness)
        assert change.clause in [rule.clause for rule in counts(docs, *case)]


def space_case(witness):
    """The case a witness names."""
    from commonwatch.agreements.impact.space import Case
    from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, Label

    label = Label(CLASS_WORDS[witness.event], TLP_WORDS[witness.tlp], SEVERITY_WORDS[witness.severity], witness.site)
    return Case(label, witness.age, witness.reader)


@examples(15)
@given(DOCS, DOCS, SEEDS)
def test_new_counts_are_told_exactly_where_no_old_cube_is_as_fine(old, new, seed):
    found = impact(old, new, WORLD)
    space, rng = Space(WORLD, [old, new]), random.Random(seed)
    was, now = space.accepting(old), space.accepting(new)
    for _ in range(40):
        _, case = cell(space, rng)
        if case.reader.org == gen.OWNER:
            continue
        before, after = (counts(docs, *case) for docs in (was, now))
        fresh = {r.clause for r in after if not any(no_finer(r, o) for o in before)}
        assert {c.clause for c in found.newly_counted if covers(c, case)} == fresh


@examples(15)
@given(DOCS)
def test_no_change_has_no_impact(docs):
    assert impact(docs, docs, WORLD).empty


@examples(20)
@given(DOCS)
def test_revoking_an_agreement_shows_nothing_new(docs):
    for live in docs.agreements:
        assert not impact(docs, without_document(docs, live.document.id), WORLD).widens


@st.composite
def boxes(draw):
    return Box(*(draw(st.integers(1, 7)) for _ in range(7)))


def cells_of(found):
    """Every cell of every box, named; a cell in two boxes comes twice."""
    from itertools import product

    return [cell for box in found for cell in product(*(bits(mask) for mask in box))]


@given(boxes(), boxes())
def test_subtraction_leaves_exactly_what_is_outside_in_pieces_that_do_not_overlap(a, b):
    left = cells_of(minus(a, b))
    assert len(left) == len(set(left))
    assert set(left) == set(cells_of([a])) - set(cells_of([b]))


@examples(20)
@given(st.lists(boxes(), min_size=1, max_size=4), st.randoms())
def test_a_partition_depends_on_the_region_not_on_its_boxes(some, rng):
    pieces = merged(some)
    assert sorted(set(cells_of(some))) == sorted(cells_of(pieces))
    again = [piece for box in some for piece in (*minus(box, some[0]), some[0])]
    rng.shuffle(again)
    assert merged(again) == pieces
    assert set(cells_of(covering(pieces))) == set(cells_of(some))
    for box, tags in partition([(b, n) for n, b in enumerate(some)]):
        assert tags == {n for n, other in enumerate(some) if overlap(lowest_corner(box), other)}


def test_the_generated_pairs_change_enough_for_these_tests_to_mean_something():
    seen = {"newly": 0, "no_longer": 0, "counted": 0, "nothing": 0}

    @settings(max_examples=40, derandomize=True, database=None)
    @given(DOCS, DOCS)
    def look(old, new):
        found = impact(old, new, WORLD)
        seen["newly"] += bool(found.newly)
        seen["no_longer"] += bool(found.no_longer)
        seen["counted"] += bool(found.newly_counted)
        seen["nothing"] += found.empty

    look()
    assert seen["newly"] > 10
    assert seen["no_longer"] > 10
    assert seen["counted"] > 3
