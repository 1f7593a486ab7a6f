"""The record of accesses stays small: folded entries say the same sums, are proven like single ones, and go in the end."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.audit import verify
from commonwatch.audit.log import AuditLog
from commonwatch.errors import NotFound
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.seen.book import DAY, Book, Wanted
from commonwatch.hub.seen.duty import TellingOwners
from commonwatch.hub.seen.fold import HOUR, KEPT, Folding, added
from commonwatch.hub.seen.sheet import Access, Sheet, proof
from doubles.town import NOW, Town

START = 20_000 * DAY


def access(owner: str, at: int, **more: object) -> Access:
    made = {
        "reader": "birch", "purpose": "detect", "by": "person", "surface": "rows", "clauses": ("a@1#b",),
        "fields": {"time": "hour"}, "count": 2, "query": "q",
    }  # fmt: skip
    return Access(owner=owner, at=at, until=at, **(made | more))  # type: ignore[arg-type]


class House:
    """A book with its log and a clock one can set."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'meta.sqlite'}")
        migrate(self.database)
        self.now = START
        self.audit = AuditLog(folder / "audit", Ed25519PrivateKey.generate(), "house", clock=lambda: self.now)
        self.book = Book(self.database)
        self.folding = Folding(self.book, self.database, self.audit.append_many, lambda: self.now)

    def keep(self, *entries: Access) -> None:
        sheet = Sheet(entries, b"s" * 32)
        self.book.keep([(sheet, self.audit.append_many([sheet.logged()]))], entries[0].at)

    def of(self, owner: str) -> list[Access]:
        return [found.entry for found in self.book.page(owner, Wanted(limit=1000))]

    def proven(self, owner: str) -> None:
        """Every entry of the owner is bound by the log."""
        head = msgspec.structs.asdict(self.audit.checkpoint())
        for found in self.book.page(owner, Wanted(limit=1000)):
            inside = self.book.proven(owner, found.id)[1]
            logged = self.audit.inclusion(found.leaf, head["size"]) | {"data": self.audit.entry(found.leaf).decode()}
            verdicts = [v for v, _ in verify.findings_of([head], [logged | {"access": inside}], None, head["key"])]
            assert verdicts == ["ok", "ok", "ok"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_old_answers_become_hours_then_days_then_nothing(house: House) -> None:
    for minute in range(0, 180, 20):
        at = START + minute * HOUR // 60
        house.keep(access("alder", at), access("dune", at, fields={"time": "day"}, count=1))
    house.keep(access("alder", START, reader="cedar", fields={"src_ip": "pseudonym"}))
    single = house.book.page("alder", Wanted(limit=1000))
    assert len(single) == 10

    house.now = START + 2 * DAY + 2 * HOUR
    assert house.folding.run() == 2
    hours = [(e.reader, e.at, e.until, e.count, e.uses) for e in house.of("alder")]
    assert ("birch", START, START + 40 * HOUR // 60, 6, 3) in hours
    assert ("cedar", START, START, 2, 1) in hours
    assert len(hours) == 3 + 3, "two hours are folded, three answers of the third stay"
    house.proven("alder")
    with pytest.raises(NotFound):
        house.book.proven("alder", single[-1].id)

    house.now = START + 93 * DAY + DAY
    house.folding.run()
    [birch, cedar] = sorted(house.of("alder"), key=lambda e: e.reader)
    assert (birch.count, birch.uses, birch.query) == (18, 9, "")
    assert (cedar.count, cedar.fields) == (2, {"src_ip": "pseudonym"})
    assert [(e.count, e.uses) for e in house.of("dune")] == [(9, 9)]
    house.proven("alder")
    house.proven("dune")

    house.now = START + KEPT + DAY
    house.folding.run()
    assert house.of("alder") == house.of("dune") == []


def test_a_crash_between_log_and_database_loses_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.keep(access("alder", START), access("dune", START))
    house.keep(access("alder", START + 1))
    house.now = START + 3 * DAY

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("commonwatch.hub.seen.fold.put", crash)
        with pytest.raises(KeyboardInterrupt):
            house.folding.run()
    assert len(house.of("alder")) == 2
    house.proven("alder")
    house.folding.run()
    assert [(e.count, e.uses) for e in house.of("alder")] == [(4, 2)]
    house.proven("alder")


LEVELS = st.dictionaries(st.sampled_from(("time", "src_ip")), st.just("exact"), max_size=2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("rs"), st.integers(1, 9), LEVELS), max_size=12))
def test_adding_up_keeps_every_sum(found: list[tuple[str, str, int, dict[str, str]]]) -> None:
    entries = [access(o, n, reader=r, count=n, fields=f) for o, r, n, f in found]
    sums = added(entries)
    assert len({(e.owner, e.reader) for e in sums}) == len(sums)
    for whole in sums:
        alike = [e for e in entries if (e.owner, e.reader) == (whole.owner, whole.reader)]
        assert (whole.count, whole.uses) == (sum(e.count for e in alike), len(alike))
        assert (whole.at, whole.until) == (min(e.at for e in alike), max(e.at for e in alike))
        assert whole.fields.keys() == {f for e in alike for f in e.fields}


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.binary(min_size=32, max_size=32), st.data())
def test_a_proof_holds_for_its_entry_alone(count: int, seed: bytes, data: st.DataObject) -> None:
    """Whatever the seed, every entry is proven at its place, and no entry's text at another's."""
    entries = [access(f"owner-{n}", n) for n in range(count)]
    logged = msgspec.json.encode(Sheet(tuple(entries), seed).logged()).decode()
    one, other = (data.draw(st.integers(0, count - 1)) for _ in range(2))
    mine = proof(entries, seed, one)
    assert verify.verify_access(mine, logged)
    assert len(mine["path"]) == verify.SHEET_DEPTH
    assert verify.verify_access(mine | {"text": proof(entries, seed, other)["text"]}, logged) == (one == other)


def test_uses_are_counted_once_and_owners_are_told_as_they_signed(town: Town, tmp_path: Path) -> None:
    """alder's agreement says nothing, so each use is told; a second look tells only what is new."""
    hub = town.copy(tmp_path / "data")
    try:
        telling = TellingOwners(hub.core.database, hub.core.clock.now)
        for n in range(3):
            sheet = Sheet((access("alder", NOW + n, clauses=("alder-service@1#operate",)),), b"s" * 32)
            hub.book.keep([(sheet, 10_000 + n)], NOW + n)
        assert telling.run() == 0, "nothing is spread yet"
        hub.book.spread()
        hub.book.spread()
        assert (telling.run(), telling.run()) == (1, 0)
        who = hub.core.accounts.session(town.sessions["alder"])
        [said] = [n for n in hub.core.notifications.of(who) if n.kind == "access"]
        assert said.text == "what alder-service shares was shown to birch in 3 answers"
        other = hub.core.accounts.session(town.sessions["birch"])
        assert [n for n in hub.core.notifications.of(other) if n.kind == "access"] == []
    finally:
        hub.close()


@pytest.mark.parametrize(("wish", "today", "tomorrow"), [("each", 1, 0), ("daily", 0, 1), ("never", 0, 0)])
def test_what_is_told_and_when_is_the_agreements_word(
    house: House, monkeypatch: pytest.MonkeyPatch, wish: str, today: int, tomorrow: int
) -> None:
    monkeypatch.setattr(TellingOwners, "_wish", lambda *_: wish)
    telling = TellingOwners(house.database, lambda: house.now)
    house.keep(access("alder", START))
    house.book.spread()
    house.now = START + HOUR
    assert telling.run() == today
    house.now = START + DAY
    assert telling.run() == tomorrow
    assert telling.run() == 0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")
