"""What an answer took in, compared with brute force: the same question asked of a world where one owner alone shares."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from commonwatch.govern.query import Constraint, Cube, Distinct, Filter, Histogram, Interval, Query, Rows, Top
from commonwatch.govern.service import Govern
from commonwatch.govern.taken import INSIDE, Taken, Use
from commonwatch.store import Store
from doubles.govern import Keys, Policy, batch, documents, events, org, reader, share, to

OWNERS = ("acme", "bolt", "peer")


class Noting:
    """Remembers what was taken in."""

    def __init__(self) -> None:
        self.taken: list[Taken | None] = []

    def decided(self, _: Any, kind: str, detail: Any, taken: Taken | None = None) -> None:
        if kind in {"query", "release-opened"}:
            self.taken.append(taken)


def agreed(owner: str, rng: random.Random) -> Any:
    """Two shares that overlap, at levels of their own, with bounds of age."""
    names = {
        "time": ("exact", "hour", "day"),
        "src_ip": ("exact", "network", "pseudonym"),
        "owner": ("exact", "pseudonym"),
    }
    clauses = []
    for ident, classes in (("one", ("malware", "intrusion")), ("two", ("intrusion", "dns", "firewall"))):
        fields = {f: rng.choice(levels) for f, levels in names.items()} | {"malware": "exact", "domain": "registered"}
        rng.random() < 0.3 and fields.pop("owner")
        more = {"until": rng.choice((720, 1_440))} if rng.random() < 0.5 else {}
        clauses.append(share(ident, to("mssp"), fields, events=classes, tlp=rng.choice(("green", "amber")), **more))
    return documents(owner, *clauses)


def questions(rng: random.Random) -> list[Query]:
    found = rng.choice((
        Filter(), Filter(dims={"family": Constraint(within=("emotet",))}), Filter(time=Interval(last="30d")),
        Filter(dims={"domain": Constraint(outside=("evil.co.uk",))}), Filter(dims={"org": Constraint(within=("(withheld)",))}),
    ))  # fmt: skip
    return [
        Histogram(filter=found, bin="1d"), Top(by="src_ip", filter=found, limit=5), Distinct(by="family", filter=found),
        Cube(by=("class", "family"), filter=found, bin=None), Rows(filter=found, limit=40, columns=("time", "src_ip", "org")),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_what_is_taken_in_is_what_each_owner_alone_would_give(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    store = Store.open(tmp_path, memory_limit="256MB", threads=1)
    for number, owner in enumerate((*OWNERS, "mssp")):
        store.append(batch(owner, events(60, seed * 9 + number), uid=number + 2))
    everybody = {owner: agreed(owner, rng) for owner in OWNERS}
    orgs = [org(o) for o in (*OWNERS, "mssp")]
    noting = Noting()
    whole = Govern(store, Policy(everybody.values(), orgs), Keys(), noting, secret=b"s" * 32)
    alone = {
        owner: Govern(store, Policy([docs], orgs), Keys(), Noting(), secret=b"s" * 32)
        for owner, docs in everybody.items()
    }
    nobody = Govern(store, Policy([], orgs), Keys(), Noting(), secret=b"s" * 32)
    for question in questions(rng):
        answer = whole.ask(reader(), question, use=Use("", "person"))
        taken = noting.taken[-1]
        assert taken is not None
        assert (taken.query, taken.by) == (answer.query, "person")
        counted: Counter[str] = Counter()
        for part in taken.parts:
            counted[part.owner] += part.count
            assert part.count > 0
            assert part.clauses
            assert all(ref.startswith(f"{part.owner}-dsa@1#") for ref in part.clauses)
        assert len({(p.owner, p.clauses) for p in taken.parts}) == len(taken.parts)
        if isinstance(question, Rows):
            own = sum(not row.clauses for row in answer.rows)
            assert counted.total() == len(answer.rows) - own
        else:  # how many of the owner's events the same filter finds when nobody else shares
            every = Top(by="class", filter=question.filter)
            mine = nobody.ask(reader(), every, use=INSIDE).total or 0
            expected = {o: (here.ask(reader(), every, use=INSIDE).total or 0) - mine for o, here in alone.items()}
            assert counted == {o: n for o, n in expected.items() if n}
    store.close()


def test_what_stays_inside_is_not_recorded_and_what_is_not_said_is(tmp_path: Path) -> None:
    store = Store.open(tmp_path, memory_limit="256MB", threads=1)
    store.append(batch("acme", events(20, 1), uid=2))
    noting = Noting()
    policy = Policy([agreed("acme", random.Random(1))], [org("acme"), org("mssp")])
    here = Govern(store, policy, Keys(), noting, secret=b"s" * 32)
    here.ask(reader(), Histogram(), use=INSIDE)
    here.ask(reader(), Histogram())
    first, second = noting.taken
    assert first is None
    assert second is not None
    assert (second.by, second.surface) == ("hub", "explore")
    assert {p.owner for p in second.parts} == {"acme"}
    store.append(batch("acme", events(20, 2), uid=3))
    here.ask(reader(), Histogram())
    assert noting.taken[-1] is not None
    before, after = (sum(p.count for p in t.parts) for t in (second, noting.taken[-1]))
    assert after > before, "what was counted before the batch is not taken for what is there now"
    store.close()
