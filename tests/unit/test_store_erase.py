"""Erasing leaves no byte: found before, absent after, the others' rows as they were; and questions go on."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlglot import exp

from commonwatch.errors import CommonwatchError
from commonwatch.store import Store
from doubles.govern import NOW, batch, events

DAY = 86_400_000_000
SECRET, KEPT = b"acme-secret", b"bolt-kept"


def named(owner: str, word: bytes, at: int, uid: int, count: int = 40) -> object:
    rows = events(count, seed=uid, domain=None)
    for number, row in enumerate(rows):
        row |= {"domain": f"{word.decode()}-{number}.example", "message": f"{word.decode()} {number}", "time": at}
    return batch(owner, rows, uid=uid)


def found(folder: Path, word: bytes) -> int:
    """How often the word stands in any file of the store."""
    return sum(path.read_bytes().count(word) for path in folder.rglob("*") if path.is_file())


def total(store: Store, word: bytes) -> int:
    with store.session() as session:
        tree = exp.select(exp.column("domain")).from_(store.relation(["domain"]).subquery("e"))
        return sum((text or "").startswith(word.decode()) for text in session.run(tree)["domain"].to_pylist())


@pytest.fixture
def store(tmp_path: Path):
    made = Store.open(tmp_path, memory_limit="256MB", threads=1)
    made.append(named("acme", SECRET, NOW - 40 * DAY, 1))
    made.append(named("acme", SECRET, NOW - 2 * DAY, 2))
    made.append(named("bolt", KEPT, NOW - 40 * DAY, 3))
    made.compact()
    made.append(named("acme", SECRET, NOW - 1 * DAY, 4, 5))
    yield made
    made.close()


def test_an_owner_that_leaves_leaves_no_byte(store: Store, tmp_path: Path) -> None:
    assert found(tmp_path, SECRET) > 80, "the control of the scan"
    assert store.erase({}, owner="acme") == {"acme": 85}
    assert found(tmp_path, SECRET) == 0
    assert (total(store, SECRET), total(store, KEPT)) == (0, 40)
    assert {h.owner for h in store.handlings} == {"bolt"}
    assert not store.append(named("acme", SECRET, NOW, 2)), "what was stored once is not stored again"
    store.append(named("coop", b"coop", NOW, 9, 3))
    numbers = [h.no for h in store.handlings]
    assert len(numbers) == len(set(numbers))
    store.close()
    again = Store.open(tmp_path, memory_limit="256MB", threads=1)
    assert (total(again, KEPT), total(again, b"coop")) == (40, 3)
    again.close()


def test_rows_go_when_their_time_is_up_and_younger_ones_stay(store: Store, tmp_path: Path) -> None:
    before = found(tmp_path, SECRET)
    assert store.erase({"acme": NOW - 30 * DAY, "bolt": NOW - 90 * DAY}) == {"acme": 40}
    assert (total(store, SECRET), total(store, KEPT)) == (45, 40)
    assert 0 < found(tmp_path, SECRET) < before
    assert store.erase({"acme": NOW - 30 * DAY}) == {}


def test_questions_and_batches_go_on_while_rows_are_erased(store: Store) -> None:
    over, wrong = threading.Event(), list[object]()

    def ask() -> None:
        while not over.is_set():
            try:
                if total(store, KEPT) != 40:
                    wrong.append("rows are missing")
            except CommonwatchError:
                pass  # a question that was in the way ends, and is asked again

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    store.append(named("bolt", b"later", NOW, 11, 7))
    store.erase({}, owner="acme")
    store.append(named("bolt", b"later", NOW, 12, 7))
    over.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert total(store, b"later") == 14
