"""The store keeps batches once, in whole, with their rungs, and gives the same numbers after a restart."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

import msgspec
import pytest
from sqlglot import exp

from commonwatch.errors import Conflict, InvalidInput
from commonwatch.events import rungs
from commonwatch.events.address import parse
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import family_of
from commonwatch.store import Store
from commonwatch.store.layout import PHYSICAL, PORT_CODES, RUNGS
from doubles.govern import DAY, EXACT, NOW, batch, event, events


@pytest.fixture
def store(tmp_path):
    made = Store.open(tmp_path, memory_limit="256MB", threads=1)
    yield made
    made.close()


def stored(store: Store, *columns: str) -> list[dict]:
    with store.session() as session:
        tree = exp.select("*").from_(store.relation(list(columns)).subquery("r"))
        return session.run(tree).to_pylist()


def test_a_batch_is_stored_once_however_often_it_is_sent(store):
    one = batch("acme", events(50), uid=2**64 - 3)
    assert [store.append(one) for _ in range(3)] == [50, 0, 0]
    assert store.has(2**64 - 3)
    assert not store.has(3)
    assert len(stored(store, "handling")) == 50
    assert store.watermark() == (1, NOW)


def together(store: Store, batches: list) -> list[int | str]:
    """What each append gives when all of them wait for the writer at once."""
    with ThreadPoolExecutor(len(batches)) as pool:
        with store._writer:
            waiting = [pool.submit(store.append, each) for each in batches]
            until = time.monotonic() + 10
            while len(store._waiting) < len(batches) and time.monotonic() < until:
                time.sleep(0.005)
        return ["failed" if w.exception() else w.result() for w in waiting]


def test_batches_that_wait_are_written_together_and_each_once(store):
    known = events(30, seed=1)
    store.append(batch("acme", known, uid=1))
    more = [batch("acme", [dict(e, event_uid=bytes([n]) * 16) for e in known], uid=n) for n in (2, 3, 4)]
    sent = [
        *more,
        batch("acme", known, uid=1),
        batch("bolt", events(20, seed=2), uid=9),
        batch("bolt", events(20, seed=2), uid=9),
    ]
    assert sorted(together(store, sent)) == [0, 0, 20, 30, 30, 30]
    assert store.watermark()[0] == 5
    rows = stored(store, "batch_uid", "arrival", "handling")
    assert Counter(r["batch_uid"] for r in rows) == {1: 30, 2: 30, 3: 30, 4: 30, 9: 20}
    assert {r["batch_uid"]: r["arrival"] for r in rows}.keys() == {1, 2, 3, 4, 9}
    assert sorted({r["arrival"] for r in rows}) == [1, 2, 3, 4, 5]
    named = {h.no: h.owner for h in store.handlings}
    assert all(named[r["handling"]] == ("bolt" if r["batch_uid"] == 9 else "acme") for r in rows)


def test_what_could_not_be_written_is_written_when_it_is_sent_again(store, monkeypatch):
    made = [batch("acme", events(10, seed=n), uid=n) for n in (1, 2, 3)]
    store.append(made[0])
    with monkeypatch.context() as broken:
        broken.setattr("commonwatch.store.append.batch_row", lambda *_: [None])
        assert together(store, made) == [0, "failed", "failed"]
    assert store.watermark()[0] == 1
    assert sorted(together(store, made)) == [0, 10, 10]
    assert Counter(r["batch_uid"] for r in stored(store, "batch_uid")) == {1: 10, 2: 10, 3: 10}


def test_numbers_and_rows_survive_a_restart(tmp_path):
    store = Store.open(tmp_path)
    store.append(batch("acme", events(30, seed=1), uid=1))
    numbers, rows = store.handlings, stored(store, *PHYSICAL)
    store.close()
    again = Store.open(tmp_path)
    assert again.handlings == numbers
    assert stored(again, *PHYSICAL) == rows
    again.append(batch("bolt", events(30, seed=2), uid=2))
    assert again.handlings[: len(numbers)] == numbers
    assert len({h.no for h in again.handlings}) == len(again.handlings)
    assert again.append(batch("acme", events(30, seed=1), uid=1)) == 0
    again.close()


def test_what_left_the_gateway_is_part_of_the_handling_number(store):
    two = ({"time": "exact"}, {"time": "hour"})
    rows = [event(random.Random(1), profile=n, tlp=1, severity_id=3, site_uid="", event_class=2) for n in (0, 1)]
    store.append(batch("acme", [r | {"event_uid": bytes([n] * 16)} for n, r in enumerate(rows)], profiles=two))
    assert sorted(h.held for h in store.handlings) == [(("time", "exact"),), (("time", "hour"),)]


def test_every_rung_column_is_what_the_reference_says(store):
    rows = events(60)
    store.append(batch("acme", rows))
    found = {r["event_uid"]: r for r in stored(store, "event_uid", *(r.name for r in RUNGS))}
    for row in rows:
        for rung in RUNGS:
            if rung.rung == "folded":
                continue
            value = row.get(rung.column)
            family = family_of(COLUMNS[rung.column].field).name
            wanted = rungs.rung(family, rung.rung, rung.column, tuple(value) if isinstance(value, list) else value)
            cell = found[row["event_uid"]][rung.name]
            shown = PORT_CODES.get(cell, cell) if rung.rung == "range" else cell
            assert (tuple(shown) if isinstance(shown, list) else shown) == (
                wanted or (shown if shown in ((), 0) else None) or wanted
            )


def test_networks_come_with_every_address(store):
    rows = [
        event(random.Random(n), src_ip=ip, event_uid=bytes([n] * 16))
        for n, ip in enumerate(("203.0.113.9", "2001:db8:1:2::9", None))
    ]
    store.append(batch("acme", rows))
    found = {
        r["event_uid"][0]: (r["src_net_hi"], r["src_net_lo"])
        for r in stored(store, "event_uid", "src_net_hi", "src_net_lo")
    }
    assert found[0] == tuple(parse("203.0.113.0"))
    assert found[1] == tuple(parse("2001:db8:1::"))
    assert found[2] == (None, None)


def test_a_time_after_receipt_is_the_time_of_receipt(store):
    store.append(batch("acme", [event(random.Random(1), time=NOW + DAY, time_quality=0)]))
    (row,) = stored(store, "time", "time_quality", "ingest_time")
    assert row["time"] == row["ingest_time"]
    assert row["time_quality"] == 3


def test_a_time_that_cannot_be_stored_refuses_the_batch(store):
    with pytest.raises(InvalidInput):
        store.append(batch("acme", [event(random.Random(1), time=-5)]))
    assert store.watermark()[0] == 0
    assert store.append(batch("acme", events(3))) == 3


def test_a_mailbox_without_a_domain_shows_nothing_unless_it_is_held_as_one(store):
    rows = [event(random.Random(n), mail_from="root", profile=n, event_uid=bytes([n] * 16)) for n in (0, 1)]
    store.append(batch("acme", rows, profiles=(EXACT, {"mail_from": "domain"})))
    found = {r["event_uid"][0]: r["mail_from__domain"] for r in stored(store, "event_uid", "mail_from__domain")}
    assert found == {0: None, 1: "root"}


def test_a_second_process_cannot_open_the_store(tmp_path):
    import subprocess
    import sys

    store = Store.open(tmp_path)
    code = f"from commonwatch.store import Store; from pathlib import Path; Store.open(Path({str(tmp_path)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert Conflict.__name__ in done.stderr
    store.close()


def test_compaction_keeps_every_row_and_sorts_days(store):
    store.append(batch("bolt", events(40, seed=1), uid=1))
    store.append(batch("acme", events(40, seed=2), uid=2))
    before = sorted(map(repr, stored(store, *PHYSICAL)))
    moved = store.compact(before=NOW - 30 * DAY)
    assert 0 < moved < 80
    store.append(batch("acme", events(10, seed=3), uid=3))
    assert store.compact() == 80 - moved + 10
    assert store.compact() == 0
    rows = stored(store, *PHYSICAL)
    kept = {repr(r) for r in rows}
    assert len(rows) == len(before) + 10
    assert all(row in kept for row in before)
    owners = {h.no: h.owner for h in store.handlings}
    days = [r["time"].date() for r in rows]
    assert len([d for d, _ in groupby(days)]) == len(set(days)), "a day is one stretch"
    for day in set(days):
        keys = [(owners[r["handling"]], r["time"]) for r in rows if r["time"].date() == day]
        assert keys == sorted(keys)


def test_forgetting_an_owner_leaves_the_others(store):
    store.append(batch("acme", events(20, seed=1), uid=1))
    store.append(batch("bolt", events(20, seed=2), uid=2))
    store.compact(before=NOW - 30 * DAY)
    assert store.erase({}, owner="acme") == {"acme": 20}
    owners = {h.no: h.owner for h in store.handlings}
    assert {owners[r["handling"]] for r in stored(store, "handling")} == {"bolt"}


def test_events_that_two_gateways_share_are_stored_once_and_only_their_owner_s_count(store):
    both, new = (
        events(40, seed=2),
        [dict(e, event_uid=bytes([7]) * 8 + bytes([n]) * 8) for n, e in enumerate(events(5))],
    )
    first, second = batch("acme", both, uid=1), batch("acme", [*both[10:], *new], uid=2)
    other = batch("birch", both, uid=3)
    shared = [msgspec.structs.replace(each, shared=True) for each in (first, second, other)]
    assert [store.append(each) for each in shared] == [40, 5, 40]
    assert [store.append(each) for each in shared] == [0, 0, 0]
    assert len(stored(store, "handling")) == 85
    store.compact(None)
    again = msgspec.structs.replace(batch("acme", [*both, *new], uid=4), shared=True)
    assert store.append(again) == 0
    assert store.has(4)


def test_shared_batches_that_wait_together_are_stored_once(store):
    both = events(30, seed=3)
    waiting = [msgspec.structs.replace(batch("acme", both, uid=n), shared=True) for n in (1, 2, 3)]
    assert sorted(together(store, waiting)) == [0, 0, 30]
    assert len(stored(store, "handling")) == 30
