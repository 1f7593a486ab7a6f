"""Changing what is withheld changes no byte of anything a reader can fetch; a canary in it appears nowhere."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.errors import CommonwatchError
from commonwatch.govern.query import Area, Constraint, Cube, Distinct, Filter, Histogram, Interval, Order, Rows, Top
from doubles.govern import (
    DAY,
    EXACT,
    HOUR,
    NOW,
    Keys,
    Log,
    Policy,
    batch,
    documents,
    event,
    govern,
    limit,
    org,
    reader,
    share,
    to,
)

CANARY = "canary-7f3a9"
OWNERS = ("acme", "bolt")
WARN = {
    "time": "hour", "owner": "pseudonym", "owner_sector": "section", "src_ip": "pseudonym+country", "signature": "family",
    "src_port": "range", "user": "withheld", "severity": "exact", "malware": "family", "domain": "registered", "url": "site",
    "volume": "magnitude", "mail_from": "domain",
}  # fmt: skip
#: Columns whose values no reader below is shown for intrusion events.
WITHHELD = ("message", "dst_ip", "src_user", "dst_user", "src_host", "process_cmd", "user_agent", "file_sha256", "mail_subject",
    "tls_fingerprint", "rule_name", "rule_uid", "malware_names", "cve_uids", "sensor_uid", "community_id")  # fmt: skip


def policy() -> Policy:
    shares = [
        share("warn", to("cert"), WARN, events=("intrusion",), tlp="green"),
        share("late", to("cert"), {"time": "day", "owner_sector": "exact"}, events=("dns",), after=24, until=72),
    ]
    owners = [documents(o, *shares, limit("people", {"message": "withheld"})) for o in OWNERS]
    return Policy(owners, [*(org(o) for o in OWNERS), org("cert", "cert")])


def base(seed: int) -> list[list[dict]]:
    rng = random.Random(seed)
    return [
        [event(rng, domain="www.evil.example", url="http://h.test/a?x=1", mail_from="Bob@b.test") for _ in range(60)]
        for _ in OWNERS
    ]


def changed(rows: list[list[dict]], rng: random.Random) -> list[list[dict]]:
    """The same events with other values wherever they are withheld from the CERT."""
    return [[_changed(e, rng) for e in each] for each in rows]


def _changed(e: dict, rng: random.Random) -> dict:
    other = event(rng)
    if e["event_class"] != 2 or e["tlp"] > 1:
        if e["event_class"] == 9:  # whether a dns event is old enough is its time's day: keep the day
            return e | {
                k: v
                for k, v in other.items()
                if k not in {"event_uid", "time", "event_class", "tlp", "severity_id", "site_uid"}
            }
        keep = {"event_uid", "event_class", "tlp", "severity_id", "site_uid"}
        return e | {k: v for k, v in other.items() if k not in keep}
    hidden = {name: other[name] for name in WITHHELD}
    hidden |= {
        "message": CANARY,
        "src_user": f"{CANARY}-u",
        "src_host": CANARY,
        "process_cmd": CANARY,
        "rule_name": CANARY,
    }
    return e | hidden | {
        "time": e["time"] // HOUR * HOUR + rng.randrange(HOUR), "src_port": {0: 80, 80: 1023, 1023: 0, 1024: 40_000, 40_000: 1024, 65_535: 50_000}[e["src_port"]],
        "url": f"http://h.test/{CANARY}?{CANARY}", "domain": f"{CANARY}.evil.example", "mail_from": f"{CANARY}@b.test",
    }  # fmt: skip


def questions() -> list:
    dims = ("org", "sector", "class", "severity", "family", "rule", "category", "technique", "src_ip", "dst_ip", "src_country",
        "dst_port", "src_port", "domain", "url", "hash", "host", "user", "sensor", "cve", "action")  # fmt: skip
    filters = [
        Filter(), Filter(time=Interval(last="30d")), Filter(area=Area(net="10.0.0.0/8")), Filter(dims={"user": Constraint(within=("Bob",))}),
        Filter(dims={"host": Constraint(within=(CANARY,))}), Filter(dims={"src_ip": Constraint(outside=("203.0.1.1",))}),
        Filter(dims={"rule": Constraint(within=("(withheld)", CANARY))}),
    ]  # fmt: skip
    made = [Top(by=d, filter=f) for d in dims for f in filters[:1]] + [Distinct(by=d) for d in dims]
    made += [Top(by="class", filter=f) for f in filters] + [Rows(filter=f, limit=50) for f in filters[:3]]
    made += [
        Rows(order=Order(column=c, descending=d), limit=20)
        for c in ("time", "severity", "count", "src_port")
        for d in (True, False)
    ]
    made += [
        Histogram(bin="15m"),
        Histogram(filter=filters[1]),
        Cube(by=("org", "severity")),
        Cube(by=("src_ip", "user"), bin=None),
    ]
    bad = [Top(by="nothing"), Rows(limit=9_999), Rows(order=Order(column="src_ip")), Rows(after="AAAA"), Rows(columns=("event_uid",)),
        Filter(dims={"src_ip": Constraint()}), Top(by="org", filter=Filter(area=Area(net="x")))]  # fmt: skip
    return made + [q for q in bad if not isinstance(q, Filter)]


def everything(govern) -> list[bytes]:
    """Every byte a reader can fetch, errors included."""
    who, found = reader("cert"), []
    for question in questions():
        try:
            found.append(msgspec.json.encode(govern.ask(who, question)))
        except CommonwatchError as error:
            found.append(f"{error.code} {error}".encode())
    found += [
        msgspec.json.encode(govern.describe(who)),
        msgspec.json.encode(govern.releases(who)),
        govern.release(who).body,
    ]
    found.append(msgspec.json.encode([govern.observables(who), govern.sightings(who), list(govern.standing(who))]))
    return found


@given(st.integers(0, 2**32))
@settings(max_examples=max(1, settings().max_examples // 60))
def test_changing_a_withheld_value_changes_no_byte(tmp_path_factory, seed):
    rows = base(seed)
    other = changed(rows, random.Random(seed + 1))
    assert other != rows
    log = Log()
    one = govern(
        tmp_path_factory.mktemp("one"), policy(), *(batch(o, r) for o, r in zip(OWNERS, rows, strict=True)), log=log
    )
    two = govern(tmp_path_factory.mktemp("two"), policy(), *(batch(o, r) for o, r in zip(OWNERS, other, strict=True)))
    first, second = everything(one), everything(two)
    assert first == second
    assert len(set(first)) > 20
    assert len(one.ask(reader("cert"), Rows(limit=200)).rows) > 5
    assert not any(CANARY.encode() in answer for answer in second[:-1] if b"filter" not in answer)


def test_a_withheld_owner_is_named_nowhere(tmp_path):
    mine = Policy([documents("acme", share("all", to("cert"), {k: v for k, v in EXACT.items() if k not in {"owner", "host", "user", "sensor", "message"}}))],
        [org("acme"), org("cert", "cert")])  # fmt: skip
    log = Log()
    rows = [
        event(random.Random(3), event_class=2, tlp=1, mail_from=None, mail_to=[], mail_subject=None) for _ in range(5)
    ]
    here = govern(
        tmp_path, mine, batch("acme", [r | {"event_uid": bytes([i] * 16)} for i, r in enumerate(rows)]), log=log
    )
    found = everything(here)
    assert here.ask(reader("cert"), Rows()).rows
    assert not [answer for answer in found if b"acme" in answer.lower()]
    assert log.seen
    assert "acme" not in repr(log.seen)


def test_nothing_agreed_nothing_shared(tmp_path):
    here = govern(tmp_path, Policy([], [org("acme"), org("cert", "cert")]), batch("acme", base(1)[0]))
    assert here.ask(reader("cert"), Rows()).rows == []
    assert here.ask(reader("cert"), Top(by="class")).total == 0
    assert here.observables(reader("cert")) == []
    assert len(here.ask(reader("acme"), Rows(limit=200)).rows) == 60


def test_polling_does_not_date_an_event_below_its_level(tmp_path):
    """With `after: 24` and `time: hour`, two events of one hour appear in the same minute, and never before 24 h."""
    start = (NOW - 30 * HOUR) // HOUR * HOUR
    rows = [event(random.Random(i), event_class=2, tlp=1, time=start + m * 60_000_000) for i, m in enumerate((0, 59))]
    mine = Policy(
        [documents("acme", share("late", to("cert"), {"time": "hour", "severity": "exact"}, after=24))],
        [org("acme"), org("cert", "cert")],
    )
    here = govern(tmp_path, mine, batch("acme", rows))
    seen = {}
    for minute in range(0, 150, 10):
        mine.now = start + 24 * HOUR + minute * 60_000_000
        mine.epoch += 1
        seen[minute] = len(here.ask(reader("cert"), Rows()).rows)
    assert {n for m, n in seen.items() if m < 60} == {0}
    assert {n for m, n in seen.items() if m >= 60} == {2}


def test_polling_does_not_date_an_event_that_goes(tmp_path):
    start = (NOW - 30 * HOUR) // HOUR * HOUR
    rows = [event(random.Random(i), event_class=2, tlp=1, time=start + m * 60_000_000) for i, m in enumerate((0, 59))]
    mine = Policy(
        [documents("acme", share("early", to("cert"), {"time": "hour", "severity": "exact"}, until=24))],
        [org("acme"), org("cert", "cert")],
    )
    here = govern(tmp_path, mine, batch("acme", rows))
    seen = []
    for minute in range(-60, 70, 10):
        mine.now = start + 24 * HOUR + minute * 60_000_000
        seen.append(len(here.ask(reader("cert"), Rows()).rows))
    assert set(seen) == {0, 2}
    assert seen.index(0) <= 6, "gone before its oldest possible moment is 24 h old"


def test_a_table_is_not_used_beyond_its_time(tmp_path):
    """Nothing changes but the clock: the same epoch, the same store."""
    mine = Policy(
        [documents("acme", share("until", to("cert"), {"time": "exact"}, until=24))], [org("acme"), org("cert", "cert")]
    )
    here = govern(tmp_path, mine, batch("acme", [event(random.Random(1), event_class=2, tlp=1, time=NOW - HOUR)]))
    assert len(here.ask(reader("cert"), Rows()).rows) == 1
    body = here.release(reader("cert")).body
    mine.now = NOW + 23 * HOUR
    assert here.ask(reader("cert"), Rows()).rows == []
    assert here.release(reader("cert")).body != body


@pytest.mark.parametrize("gone", [(), ("acme",)])
def test_an_owner_without_a_key_shows_no_token(tmp_path, gone):
    fields = {"time": "hour", "src_ip": "pseudonym+network", "user": "pseudonym", "owner": "pseudonym"}
    mine = Policy([documents("acme", share("all", to("cert"), fields))], [org("acme"), org("cert", "cert")])
    rows = [event(random.Random(1), event_class=2, tlp=1, src_user="Bob", time=NOW - DAY)]
    here = govern(tmp_path, mine, batch("acme", rows), keys=Keys(gone))
    cells = msgspec.to_builtins(here.ask(reader("cert"), Rows(columns=("src_ip", "user", "org"))).rows[0].cells)
    if gone:
        assert cells[0].startswith("203.0.")
        assert [c["withheld"] for c in cells[1:]] == ["not-held", "not-held"]
    else:
        assert cells[0].startswith("pfx:")
        assert cells[1][0].startswith("user_")
        assert cells[2].startswith("owner_")
