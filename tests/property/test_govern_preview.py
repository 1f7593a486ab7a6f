"""A preview is what then happens: rows, reasons, counts and observables of generated drafts, before and after they hold."""

from __future__ import annotations

import random
import re

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from commonwatch.agreements.document import Charter, Signer
from commonwatch.agreements.drafted import FUTURE, drafted
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.reader import Reader
from commonwatch.govern.preview.making import EXAMPLES
from commonwatch.govern.preview.shapes import Drafted, Feed, Preview, ReaderPreview
from commonwatch.govern.query import Cube, Rows
from commonwatch.govern.service import Govern
from commonwatch.store import Store
from doubles.govern import DAY, HOUR, NOW, Keys, Log, Policy, batch, documents, event, limit, org, share, to
from strategies.agreements import COMMUNITIES, ORGS, OWNER, owner_documents, pick, plain_agreements

OTHER = "echo-farm"
ROWS = 45
HEAVY = settings(max_examples=4, phases=(Phase.explicit, Phase.reuse, Phase.generate), deadline=None)
TOKENS = re.compile(r"(?:det:[0-9a-f]{32}|pfx:[0-9a-fA-F:.]+|(?:user|host|sensor|owner|mail)_[a-z2-7]{16})")
DRAFTS = st.builds(
    lambda ident, draft: msgspec.structs.replace(draft, id=ident),
    pick([f"{OWNER}-dsa-0", f"{OWNER}-dsa-new"]), plain_agreements(),
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    store = Store.open(tmp_path_factory.mktemp("preview"), memory_limit="256MB", threads=1)
    rng = random.Random(7)
    for uid, owner in enumerate((OWNER, OTHER), 1):
        rows = [event(rng, event_class=rng.choice((1, 1, 2, 9))) for _ in range(ROWS)]
        for row in rows[::3]:
            row["time"] = NOW - rng.choice((1, 24, 48, 100)) * HOUR + rng.randrange(-2 * HOUR, 2 * HOUR)
        store.append(batch(owner, rows, uid=uid))
    orgs = [org(OWNER), org(OTHER), org(ORGS[0], "sme", communities=COMMUNITIES[:1]), org(ORGS[1], "cert", "sme"),
            org(ORGS[2], "mssp", communities=COMMUNITIES)]  # fmt: skip
    policy, log = Policy([], orgs), Log()
    yield Govern(store, policy, Keys(), log, secret=b"s" * 32), policy, log
    store.close()


def generous() -> OwnerDocuments:
    """Another owner that shows everything to everybody: none of it may come into a preview."""
    everybody = to(*ORGS, OWNER, communities=COMMUNITIES, roles=("sme", "cert", "mssp", "isp", "researcher"))
    shown = {"time": "exact", "owner": "exact", "src_ip": "exact", "message": "exact"}
    classes = ("malware", "intrusion", "dns", "firewall")
    every = ("operate", "detect", "respond", "research")
    return documents(OTHER, share("all", everybody, shown, events=classes, purposes=every))


def previewed(govern: Govern, draft, **asked) -> tuple[Preview, dict[Reader, list]]:
    """The preview with everything shown, and what each reader could act on under the draft."""
    seen: dict[Reader, list] = {}
    given = Drafted(draft=draft, days=90, rows=50, **asked)
    return govern.preview(given, lambda reader, _now, would: seen.update({reader: list(would)}) or Feed()), seen


def plain(value: object, found: dict[str, str] | None = None) -> str:
    """As text with every pseudonym replaced by its form."""
    return TOKENS.sub(lambda m: re.split("[:_]", m[0])[0], msgspec.json.encode(value).decode())


def bag(rows: list[list]) -> list[str]:
    return sorted(plain(row) for row in rows)


@HEAVY
@given(docs=owner_documents(), draft=DRAFTS)
def test_a_preview_equals_what_readers_are_then_given(world, docs, draft):
    govern, policy, log = world
    policy.replace(docs, generous())
    log.seen.clear()
    made, seen = previewed(govern, draft)
    assert log.seen == []
    assert made.total == ROWS
    policy.replace(drafted(docs, draft), OwnerDocuments(OTHER, ()))
    for shown in made.readers:
        if shown.kind == "organisation":
            check(govern, shown, seen, Reader(shown.name, (), (), shown.purposes[-1]))


def check(govern: Govern, shown: ReaderPreview, seen: dict[Reader, list], reader: Reader) -> None:
    """One reader's preview against what it gets from the same hub once the draft is in force."""
    answer = govern.ask(reader, Rows(limit=200, columns=tuple(c.name for c in shown.columns)))
    assert shown.would == len(answer.rows)
    assert bag([row.shown for row in shown.rows]) == bag([row.cells for row in answer.rows])
    live = {token for row in answer.rows for token in TOKENS.findall(msgspec.json.encode(row.cells).decode())}
    tokens = {token for row in shown.rows for token in TOKENS.findall(msgspec.json.encode(row.shown).decode())}
    assert not live & tokens
    assert len(live) == len(tokens)
    counted = {row.cells[0]: row.cells[1] for row in govern.ask(reader, Cube(by=("class",), bin=None)).rows}
    assert {c.event_class: c.would for c in shown.classes if c.would} == counted
    assert sum(label.would for label in shown.labels) == shown.would
    would = next(found for who, found in seen.items() if (who.org, who.purpose) == (reader.org, shown.purposes[0]))
    if reader.purpose == shown.purposes[0]:
        assert plain(would) == plain(govern.observables(reader))
    for at, column in enumerate(shown.columns):
        if column.disclosure == "exact" and column.field != "owner":
            assert all(row.raw[at] == row.shown[at] for row in shown.rows), column.name
    for one in shown.fields:
        assert sum(one.would.values()) == shown.would
        assert one.would.get("withheld", 0) == sum(b.rows or 0 for b in one.because)


@HEAVY
@given(docs=owner_documents(), draft=DRAFTS)
def test_what_stays_is_what_none_of_the_readers_sees(world, docs, draft):
    govern, policy, _ = world
    policy.replace(docs, generous())
    made, _ = previewed(govern, draft)
    staying = made.staying
    assert sum(label.rows for label in staying.labels) == staying.rows
    assert len(staying.examples) == min(EXAMPLES, staying.rows)
    assert max([r.would for r in made.readers], default=0) <= made.total - staying.rows
    assert made.total - staying.rows <= sum(r.would for r in made.readers)
    hidden = {one.field for one in staying.fields}
    for reader in made.readers:
        assert not hidden & {one.field for one in reader.fields if set(one.would) - {"withheld"}}
        assert all(label.because for label in reader.labels if label.would < label.rows)


@HEAVY
@given(docs=owner_documents())
def test_a_preview_of_what_is_in_force_changes_nothing(world, docs):
    govern, policy, _ = world
    policy.replace(docs, generous())
    for live in docs.agreements[:1]:
        made, _ = previewed(govern, live.document)
        bound = {r.name for r in made.readers if r.kind == "organisation"} <= live.accepted
        if live.state == "active" and bound:
            assert [(r.now, r.would) for r in made.readers if r.kind == "organisation"] == [
                (r.would, r.would) for r in made.readers if r.kind == "organisation"
            ]


def test_a_preview_leaves_live_answers_and_tables_as_they_were(world):
    govern, policy, _ = world
    policy.replace(documents(OWNER, share("all", to(*ORGS), {"time": "hour", "src_ip": "pseudonym"})), generous())
    reader = Reader(ORGS[0], (), (), "detect")
    before = govern.ask(reader, Rows(limit=200)), kept(govern)
    draft = documents(OWNER, share("more", to(*ORGS), {"time": "exact", "src_ip": "exact"}, after=24)).agreements[0]
    made, _ = previewed(govern, draft.document)
    assert made.readers[0].would
    assert (govern.ask(reader, Rows(limit=200)), kept(govern)) == before


def kept(govern: Govern) -> list[tuple]:
    """What is kept in the engine's memory beside events."""
    with govern._store._cursor() as cursor:
        return cursor.execute("SELECT table_name FROM duckdb_tables() WHERE database_name <> 'store'").fetchall()


def test_references_of_a_preview_are_nobodys(world):
    """No row of a preview carries a reference, so none can be used."""
    assert "ref" not in ReaderPreview.__struct_fields__
    govern, policy, _ = world
    policy.replace(generous())
    draft = documents(OWNER, share("all", to(*ORGS), {"time": "hour"})).agreements[0].document
    made, _ = previewed(govern, draft)
    refs = {row.ref for row in govern.ask(Reader(OWNER, (), (), "detect"), Rows(limit=200)).rows}
    assert not [ref for ref in refs if ref and ref in msgspec.json.encode(made).decode()]


def test_who_joins_later_is_shown_what_members_would_be(world):
    govern, policy, _ = world
    policy.replace(OwnerDocuments(OWNER, ()))
    draft = documents(
        OWNER, share("ring", to(communities=(COMMUNITIES[0],), roles=("cert",)), {"time": "day"})
    ).agreements[0]
    made, seen = previewed(govern, draft.document)
    assert [(r.name, r.kind, r.known) for r in made.readers] == [
        (f"any member of {COMMUNITIES[0]}", "community", True), ("any cert", "role", True),
    ]  # fmt: skip
    assert {who.org for who in seen} == {FUTURE + COMMUNITIES[0], f"{FUTURE}cert"}
    assert made.readers[0].now == 0 < made.readers[0].would == made.readers[1].would


def test_not_held_is_told_apart_from_not_agreed(tmp_path):
    """What the gateway never sent cannot be shown, whatever is signed now: the preview says so, and what would be."""
    held = {"time": "hour", "src_ip": "pseudonym", "owner": "exact"}
    rng = random.Random(3)
    rows = [event(rng, event_class=1, tlp=1, time=NOW - 2 * DAY) for _ in range(5)]
    store = Store.open(tmp_path / "s", memory_limit="256MB", threads=1)
    store.append(batch(OWNER, rows, uid=9, profiles=(held,)))
    govern = Govern(store, Policy([], [org(OWNER), org("mssp", "mssp")]), Keys(), Log(), secret=b"s" * 32)
    shown = {"time": "hour", "src_ip": "exact", "user": "exact"}
    made, _ = previewed(govern, documents(OWNER, share("all", to("mssp"), shown)).agreements[0].document)
    fields = {one.field: one for one in made.readers[0].fields}
    assert (fields["src_ip"].granted, fields["src_ip"].would) == ("exact", {"pseudonym": 5})
    assert (fields["user"].granted, [b.reason for b in fields["user"].because]) == ("exact", ["not-held"])
    assert [b.reason for b in fields["message"].because] == ["field-not-granted"]
    store.close()


def test_a_limit_is_cited_by_clause_to_the_owner(world):
    govern, policy, _ = world
    policy.replace(OwnerDocuments(OWNER, ()))
    clauses = share("all", to("mssp"), {"time": "hour", "user": "exact"}), limit("no-people", {"user": "withheld"})
    made, _ = previewed(govern, documents(OWNER, *clauses).agreements[0].document)
    user = next(one for one in made.readers[0].fields if one.field == "user")
    assert [(b.reason, b.clause) for b in user.because] == [("limited-by", f"{OWNER}-dsa@1#no-people")]
    assert made.readers[0].known is False


def test_a_charter_is_previewed_for_everybody_it_caps(world):
    govern, policy, _ = world
    policy.replace(documents(OWNER, share("all", to(*ORGS[:2]), {"time": "hour", "src_ip": "exact", "user": "exact"})))
    signer = Signer(id=OWNER, name="Owner", key="x" * 43)
    caps = (
        limit("no-people", {"user": "withheld"}),
        limit("no-malware", {"time": "withheld", "src_ip": "withheld"}, events=("malware",)),
    )
    made, _ = previewed(govern, Charter(charter="1", id="ours", version=1, title="Ours", owner=signer, clauses=caps))
    assert [r.name for r in made.readers] == sorted(ORGS[:2])
    for reader in made.readers:
        user = next(one for one in reader.fields if one.field == "user")
        assert set(user.now) == {"exact"}
        assert [(b.reason, b.clause) for b in user.because] == [("charter", "ours@1#no-people")]
        assert reader.would < reader.now
    assert "malware" in {label.event_class for label in made.staying.labels}
