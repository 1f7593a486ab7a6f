"""What benches load lies in the store as ingest leaves it, so that a change of the store cannot break them unseen."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from bench.loading import load
from commonwatch.agreements.document import ClassWord
from commonwatch.govern.query import Top
from commonwatch.govern.service import Govern
from commonwatch.store import Store
from doubles.govern import Keys, Log, Policy, documents, org, reader, share, to


def test_benches_load_events_that_a_reader_is_then_shown(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    load(store, ["acme"], 900)
    shown = documents("acme", share("all", to("mssp"), {"severity": "exact"}, events=get_args(ClassWord)))
    policy = Policy([shown], [org("acme"), org("mssp", "mssp")])
    answer = Govern(store, policy, Keys(), Log(), secret=b"s" * 32).ask(reader(), Top(by="severity"))
    assert answer.total == 900
    assert len(answer.rows) == 3
    store.close()
