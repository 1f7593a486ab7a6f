"""A client that polls by time mirrors exactly what its reader may see; query strings never break the server."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.agreements.terms.iep import Terms
from commonwatch.errors import InvalidInput
from commonwatch.hub.publications import PublicationTable
from commonwatch.share.indicators import DAY
from commonwatch.share.ports import EVER, Ask, State
from commonwatch.share.publication import Publications
from commonwatch.share.stix import stamp
from commonwatch.share.taxii import acceptable
from commonwatch.share.taxii_query import cursor, parse_ask

NOON = 1_790_000_000_000_000
READERS = [Reader(org, ("sme",), (), "detect") for org in ("bakery", "dentist")]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    value: str
    count: int | None
    last_seen: int | None
    kind: str = "domain"
    first_seen: int | None = NOON
    sources: int | None = 1
    tlp: int = 1
    severity: int | None = None
    malware: str | None = None
    clauses: tuple[ClauseRef, ...] = ()
    terms: Terms | None = None


class World:
    def __init__(self) -> None:
        self.now, self.epoch, self.watermark = NOON, 1, 1
        self.visible: dict[str, dict[str, Seen]] = {r.org: {} for r in READERS}
        self.fresh: dict[str, set[str]] = {r.org: set() for r in READERS}

    def standing(self, reader: Reader) -> State:
        return State(self.epoch, self.watermark, EVER)

    def observables(self, reader: Reader, since: int | None, *, origins: Any = None) -> list[Seen]:
        """Everything, or what was stored after `since` (here: since the reader last asked)."""
        mine, fresh = self.visible[reader.org], self.fresh[reader.org]
        found = [mine[v] for v in sorted(mine) if since is None or v in fresh]
        fresh.clear()
        return found

    def see(self, org: str, value: str, count: int) -> None:
        old = self.visible[org].get(value)
        total = count + (old.count or 0 if old else 0)
        self.visible[org][value] = Seen(value=value, count=total, last_seen=self.now)
        self.fresh[org].add(value)
        self.watermark += 1

    def hide(self, org: str, value: str) -> None:
        self.visible[org].pop(value, None)
        self.fresh[org].discard(value)
        self.epoch += 1


VALUES = st.sampled_from(["a.evil.example", "b.evil.example"])
ORGS = st.sampled_from([READERS[0].org, READERS[0].org, READERS[1].org])
STEP = st.one_of(
    st.tuples(st.just("see"), ORGS, VALUES, st.integers(1, 50)),
    st.tuples(st.just("hide"), ORGS, VALUES),
    st.tuples(st.just("wait"), st.integers(1, 20 * DAY)),
)
POLL = st.tuples(st.just("poll"), ORGS)
STEPS = st.lists(st.tuples(STEP, POLL | st.none()), max_size=25).map(
    lambda pairs: [step for pair in pairs for step in pair if step]
)


class Mirror:
    """A TAXII client that keeps the newest version of what it was given."""

    def __init__(self) -> None:
        self.at, self.objects = 0, {}

    def poll(self, publications: Publications, reader: Reader) -> None:
        while rows := publications.page(reader, Ask(after=self.at, limit=3)):
            self.at = rows[-1].added
            for row in rows:
                document = json.loads(row.body)
                old = self.objects.get(row.id)
                assert old is None or (document["modified"] > old["modified"] and document["created"] == old["created"])
                assert old is None or not old.get("revoked")
                self.objects[row.id] = document

    def shown(self, now: str) -> set[str]:
        live = [o for o in self.objects.values() if o["type"] == "indicator" and not o.get("revoked")]
        return {o["name"] for o in live if o["valid_until"] > now}


@settings(max_examples=120)
@given(STEPS)
def test_a_polling_client_mirrors_exactly_what_its_reader_may_see(steps: list[tuple]):
    world = World()
    mirrors = {r.org: Mirror() for r in READERS}
    with tempfile.TemporaryDirectory() as folder:
        table = PublicationTable(Path(folder) / "p.sqlite")
        publications = Publications(table, world, "Nordic Shield", clock=lambda: world.now)
        for name, *args in [*steps, ("poll", "bakery"), ("poll", "dentist")]:
            world.now += 1_000_000
            if name == "wait":
                world.now += args[0]
            elif name == "poll":
                (reader,) = [r for r in READERS if r.org == args[0]]
                mirrors[reader.org].poll(publications, reader)
                alive = {
                    v for v, s in world.visible[reader.org].items() if (s.last_seen or 0) // DAY + 31 > world.now // DAY
                }
                assert mirrors[reader.org].shown(stamp(world.now)) == alive
                assert {i["value"] for i in publications.indicators(reader)} == alive
            else:
                getattr(world, name)(*args)
        table.close()


@given(
    st.dictionaries(
        st.sampled_from(
            ["limit", "next", "added_after", "match[id]", "match[type]", "match[version]", "match[spec_version]", "x"]
        ),
        st.one_of(st.text(max_size=20), st.sampled_from(["last", "all", "2.1", "100", "2026-01-01T00:00:00Z"])),
    )
)
def test_every_query_string_is_a_question_or_a_clear_refusal(query: dict[str, str]):
    try:
        ask, refused = parse_ask(query), ""
    except InvalidInput as error:
        ask, refused = None, error.where
    assert not refused or refused in query
    assert ask is None or (0 <= ask.after <= EVER and 1 <= ask.limit <= 1_000 and ask.versions)


@given(st.integers(0, EVER))
def test_a_paging_token_continues_exactly_where_it_was_made(added: int):
    ask = parse_ask({"next": cursor(added)})
    assert ask is not None
    assert ask.after == added


@given(st.text(max_size=40))
def test_any_accept_header_is_answered_or_refused_but_never_breaks(accept: str):
    assert acceptable(accept) in {True, False}
