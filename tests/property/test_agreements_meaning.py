"""What agreements mean, on generated agreements, readers and labels."""

from __future__ import annotations

from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.agreements.compile import pieces
from commonwatch.agreements.counting import counts
from commonwatch.agreements.document import Fields, Share, levels, named
from commonwatch.agreements.edge import ceiling
from commonwatch.agreements.effective import OwnerDocuments, decide, effective
from commonwatch.agreements.lattice import TOP, WITHHELD, leq, meet, parse_point, point_name
from commonwatch.agreements.reader import Granted, Reader, Withheld
from commonwatch.events.fields import FAMILIES, FIELDS, LINKAGES
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from strategies import agreements as gen

DOCS, LABELS, AGES, READERS = gen.owner_documents(), gen.LABELS, gen.AGES, gen.READERS
FIELD = st.sampled_from(gen.FEW_FIELDS)
ASKED = st.tuples(LABELS, AGES, READERS)


def shown(docs, asked):
    """Every field's level for one question."""
    label, age, reader = asked
    return {f: effective(docs, label, age, f, reader).level for f in gen.FEW_FIELDS}


def never_more(less, more):
    """Whether every field of `less` is at most that of `more`."""
    return all(leq(less[f], more[f]) for f in gen.FEW_FIELDS)


@given(ASKED)
def test_nothing_agreed_nothing_shared(asked):
    assert set(shown(OwnerDocuments(gen.OWNER, ()), asked).values()) == {WITHHELD}
    assert ceiling(OwnerDocuments(gen.OWNER, ()), asked[0]) is None


@given(DOCS, ASKED, gen.limits("added"), st.integers(0, 9))
def test_adding_a_limit_never_reveals_more(docs, asked, limit, at):
    before = shown(docs, asked)
    if docs.agreements:
        live = list(docs.agreements)
        at %= len(live)
        live[at] = gen.with_clauses(live[at], (*live[at].document.clauses, limit))
        assert never_more(shown(gen.dominating(docs, agreements=tuple(live)), asked), before)
    if docs.charter:
        charter = msgspec.structs.replace(docs.charter, clauses=(*docs.charter.clauses, limit))
        assert never_more(shown(gen.dominating(docs, charter=charter), asked), before)


@given(DOCS, ASKED, st.integers(0, 9))
def test_revoking_an_agreement_never_reveals_more(docs, asked, at):
    rest = tuple(a for i, a in enumerate(docs.agreements) if not docs.agreements or i != at % len(docs.agreements))
    assert never_more(shown(gen.dominating(docs, agreements=rest), asked), shown(docs, asked))


@given(DOCS, ASKED, st.integers(0, 9), st.sampled_from(["suspended", "expired", "revoked", "not-yet-active"]))
def test_an_agreement_that_is_not_active_shows_as_much_as_one_that_is_absent(docs, asked, at, state):
    if not docs.agreements:
        return
    at %= len(docs.agreements)
    gone = tuple(a for i, a in enumerate(docs.agreements) if i != at)
    ended = tuple(msgspec.structs.replace(a, state=state) if i == at else a for i, a in enumerate(docs.agreements))
    absent, inactive = gen.dominating(docs, agreements=gone), gen.dominating(docs, agreements=ended)
    assert shown(absent, asked) == shown(inactive, asked)
    assert counts(absent, *asked) == counts(inactive, *asked)


@given(DOCS, ASKED, st.randoms())
def test_the_order_of_agreements_and_clauses_does_not_matter(docs, asked, random):
    label, age, reader = asked
    live = [
        gen.with_clauses(a, tuple(random.sample(a.document.clauses, len(a.document.clauses)))) for a in docs.agreements
    ]
    random.shuffle(live)
    other = gen.dominating(docs, agreements=tuple(live))
    for field in gen.FEW_FIELDS:
        assert effective(docs, label, age, field, reader) == effective(other, label, age, field, reader)
        assert decide(docs, label, age, field, reader) == decide(other, label, age, field, reader)


@given(DOCS, gen.live_agreements("foreign", owner="zulu-zoo", active=True), ASKED)
def test_another_owners_agreement_changes_nothing(docs, foreign, asked):
    mixed = gen.dominating(docs, agreements=(foreign, *docs.agreements))
    assert shown(mixed, asked) == shown(docs, asked)
    assert counts(mixed, *asked) == counts(docs, *asked)
    assert ceiling(mixed, asked[0]) == ceiling(docs, asked[0])
    label, _, reader = asked
    assert pieces(mixed, label, reader) == pieces(docs, label, reader)


@given(DOCS, ASKED)
def test_the_charter_is_a_ceiling(docs, asked):
    without = gen.dominating(docs, charter=None)
    capped, free = shown(docs, asked), shown(without, asked)
    assert never_more(capped, free)
    for clause in docs.charter.clauses if docs.charter else ():
        rows_empty = clause.rows == gen.LimitRows() and clause.outside.empty and not clause.purposes
        if rows_empty and clause.on != "counts":
            assert all(leq(capped[f], level) for f, level in levels(clause.fields).items())


@given(gen.live_agreements(active=True), gen.charters(), ASKED)
def test_a_community_charter_caps_its_community_and_leaves_other_agreements_alone(live, charter, asked):
    other = msgspec.structs.replace(live, document=msgspec.structs.replace(live.document, community=None))
    named_one = msgspec.structs.replace(live, document=msgspec.structs.replace(live.document, community="sme-shield"))
    terms = gen.CommunityCharter(
        charter="1",
        id="terms",
        version=1,
        title="Terms",
        community="sme-shield",
        steward=charter.owner,
        clauses=charter.clauses,
    )
    bare = shown(OwnerDocuments(gen.OWNER, (other,)), asked)
    assert shown(OwnerDocuments(gen.OWNER, (other,), None, {"sme-shield": terms}), asked) == bare
    as_charter = shown(OwnerDocuments(gen.OWNER, (other,), charter), asked)
    assert shown(OwnerDocuments(gen.OWNER, (named_one,), None, {"sme-shield": terms}), asked) == as_charter


@st.composite
def narrowed(draw):
    """A share and a narrower one."""
    share = draw(gen.shares("clause-0"))
    shown_at = named(share.fields)
    lower = {}
    for field, name in shown_at.items():
        family = FIELDS[field].family
        other = draw(st.sampled_from(list(gen.points(family))))
        lower[field] = point_name(family, meet(parse_point(family, name), parse_point(family, other)))
    rows = msgspec.structs.replace(share.rows, after=share.rows.after + 1, until=(share.rows.until or 500) + 1)
    rows = msgspec.structs.replace(rows, until=share.rows.until, tlp=draw(st.sampled_from(["clear", share.rows.tlp])))
    if draw(st.booleans()):
        rows = msgspec.structs.replace(rows, severity="fatal")
    return share, msgspec.structs.replace(share, fields=Fields(**lower), rows=rows, purposes=share.purposes[:1])


@given(gen.live_agreements(active=True), narrowed(), ASKED)
def test_narrowing_a_share_never_reveals_more(live, pair, asked):
    wide, narrow = (OwnerDocuments(gen.OWNER, (gen.with_clauses(live, (clause,)),)) for clause in pair)
    assert never_more(shown(narrow, asked), shown(wide, asked))


@given(DOCS, LABELS, AGES, READERS)
def test_an_event_nobody_labelled_counts_as_worst(docs, label, age, reader):
    worst = Label.worst(label.event_class)
    named_label = Label(label.event_class, Tlp.RED, Severity.UNKNOWN, "branch")
    assert never_more(shown(docs, (worst, age, reader)), shown(docs, (named_label, age, reader)))
    known = Label(label.event_class, Tlp.RED, Severity.FATAL, "branch")
    no_limits = gen.dominating(docs, charter=None, community_charters={})
    live = tuple(
        gen.with_clauses(a, tuple(c for c in a.document.clauses if isinstance(c, Share))) for a in docs.agreements
    )
    shares_only = gen.dominating(no_limits, agreements=live)
    assert never_more(shown(shares_only, (worst, age, reader)), shown(shares_only, (known, age, reader)))


@given(
    DOCS,
    gen.tos(),
    st.sampled_from(list(EventClass)),
    st.sampled_from(list(Tlp)),
    st.sampled_from(list(Severity)),
    AGES,
    READERS,
)
def test_a_limit_without_scope_covers_every_label_there_is_or_will_be(docs, outside, cls, tlp, severity, age, reader):
    limit = gen.Limit(id="all-of-it", fields=Fields(src_ip="country", time="hour"))
    capped = gen.dominating(
        docs,
        charter=gen.Charter(
            charter="1",
            id="ch",
            version=1,
            title="t",
            owner=gen.Signer(id="aa", name="a", key=gen.thumbprint("a")),
            clauses=(limit,),
        ),
    )
    level = shown(capped, (Label(cls, tlp, severity, "anywhere"), age, reader))
    assert leq(level["src_ip"], parse_point("address", "country"))
    assert leq(level["time"], parse_point("time", "hour"))


@given(gen.live_agreements(active=True), LABELS, AGES, READERS)
def test_red_is_shown_only_by_clauses_to_named_organisations(live, label, age, reader):
    red = Label(label.event_class, Tlp.RED, label.severity, label.site)
    for field in gen.FEW_FIELDS:
        for ref in effective(OwnerDocuments(gen.OWNER, (live,)), red, age, field, reader).allowed:
            clause = next(c for c in live.document.clauses if c.id == ref.clause)
            assert reader.org in clause.to.organisations
            assert not clause.to.communities
            assert not clause.to.roles


@settings(max_examples=150)
@given(DOCS, LABELS, READERS)
def test_the_compiled_table_equals_the_reference_at_every_age(docs, label, reader):
    table = pieces(docs, label, reader)
    assert table[0].from_hours == 0
    assert table[-1].until_hours is None
    assert all(a.until_hours == b.from_hours for a, b in pairwise(table))
    for piece in table:
        last = piece.until_hours if piece.until_hours is not None else piece.from_hours + 1_000
        assert set(piece.levels) | set(piece.reasons) == set(FIELDS)
        assert not set(piece.levels) & set(piece.reasons)
        for age in (piece.from_hours, last - 0.001):
            for field in (*gen.FEW_FIELDS, "domain"):
                found = effective(docs, label, age, field, reader)
                assert piece.levels.get(field, WITHHELD) == found.level
                decision = decide(docs, label, age, field, reader)
                if isinstance(decision, Granted):
                    assert piece.allowed[field] == decision.clauses == found.allowed
                else:
                    assert piece.reasons[field] == decision


@given(DOCS, ASKED, FIELD)
def test_every_shown_field_names_a_clause_and_every_withheld_one_a_reason(docs, asked, field):
    label, age, reader = asked
    decision = decide(docs, label, age, field, reader)
    if isinstance(decision, Granted):
        live = {a.document.id for a in docs.agreements if a.state == "active"}
        assert decision.clauses
        assert {ref.agreement for ref in decision.clauses} <= live
    else:
        assert isinstance(decision, Withheld)
        assert (decision.clause is not None) == (decision.reason in ("limited-by", "charter", "community-charter"))


@given(DOCS, LABELS, AGES, FIELD, st.sampled_from(["operate", "detect"]))
def test_an_owner_reads_its_own_events_exactly(docs, label, age, field, purpose):
    me = Reader(gen.OWNER, (), (), purpose)
    assert decide(docs, label, age, field, me) == Granted("exact")
    assert pieces(docs, label, me)[0].levels[field] == TOP(FIELDS[field].family)


@settings(max_examples=100)
@given(DOCS, LABELS, AGES, READERS)
def test_nobody_is_ever_shown_more_than_the_edge_lets_leave(docs, label, age, reader):
    leaving = ceiling(docs, label)
    for field in gen.FEW_FIELDS:
        level = effective(docs, label, age, field, reader).level
        if level != WITHHELD:
            assert leaving is not None
            assert leq(level, parse_point(FIELDS[field].family, leaving[field]))
    for rule in counts(docs, label, age, reader):
        for field, step in rule.by.items():
            chain = FAMILIES[FIELDS[field].family].precisions
            held = parse_point(FIELDS[field].family, leaving[field])
            assert held.precision >= chain.index(step)


@settings(max_examples=60)
@given(gen.owner_documents(most=2), LABELS)
def test_what_leaves_is_no_more_than_some_reader_could_be_shown(docs, label):
    leaving = ceiling(docs, label)
    accepted = frozenset([*gen.ORGS, "nobody-named"])
    docs = gen.dominating(
        docs, agreements=tuple(msgspec.structs.replace(a, accepted=accepted) for a in docs.agreements)
    )
    best = dict.fromkeys(FIELDS, WITHHELD)
    needed = set()
    for org in accepted:
        for purpose in gen.PURPOSES:
            reader = Reader(org, gen.ROLES, gen.COMMUNITIES, purpose)
            for piece in pieces(docs, label, reader):
                for f, level in piece.levels.items():
                    best[f] = gen_join(best[f], level)
            for age in (0, 1, 24, 48, 100):
                needed |= {f for rule in counts(docs, label, age, reader) for f in (*rule.by, "src_ip", "dst_ip")}
    if leaving is None:
        assert set(best.values()) == {WITHHELD}
        return
    for field, name in leaving.items():
        if field not in needed and field != "time":
            assert parse_point(FIELDS[field].family, name) == best[field]


def gen_join(a, b):
    """Join, written again."""
    return type(a)(max(a.precision, b.precision), max(a.linkage, b.linkage))


@given(DOCS, ASKED, gen.limits("added"))
def test_adding_a_limit_never_permits_finer_counts(docs, asked, limit):
    if not docs.charter:
        return
    charter = msgspec.structs.replace(docs.charter, clauses=(*docs.charter.clauses, limit))
    before = {rule.clause: rule for rule in counts(docs, *asked)}
    for rule in counts(gen.dominating(docs, charter=charter), *asked):
        old = before[rule.clause]
        assert rule.contributors >= old.contributors
        assert set(rule.measures) <= set(old.measures)
        for field, step in rule.by.items():
            chain = FAMILIES[FIELDS[field].family].precisions
            assert chain.index(step) <= chain.index(old.by[field])
        if old.noise:
            assert rule.noise.epsilon <= old.noise.epsilon
            assert (rule.noise.total or 1e9) <= (old.noise.total or 1e9)


def test_every_family_is_closed_under_meet_and_join():
    for family in FAMILIES:
        named_points = gen.points(family)
        found = set(named_points.values())
        assert len(found) == len(named_points)
        for a in found:
            for b in found:
                assert meet(a, b) in found
                assert gen_join(a, b) in found
    assert [len(gen.points(f)) for f in ("address", "mailbox", "identity")] == [21, 9, 5]
    assert TOP("address").linkage == len(LINKAGES) - 1


def test_generated_agreements_meet_readers_often_enough_for_these_tests_to_mean_something():
    seen = {"shown": 0, "cut": 0, "counted": 0}

    @settings(max_examples=150, derandomize=True, database=None)
    @given(DOCS, ASKED)
    def look(docs, asked):
        label, age, reader = asked
        found = [effective(docs, label, age, f, reader) for f in gen.FEW_FIELDS]
        seen["shown"] += any(f.level != WITHHELD for f in found)
        seen["cut"] += any(f.cut for f in found)
        seen["counted"] += bool(counts(docs, label, age, reader))

    look()
    assert seen["shown"] > 30
    assert seen["cut"] > 10
    assert seen["counted"] > 10
