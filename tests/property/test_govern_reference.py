"""What SQL answers is what the reference says: effective(), rungs and tokens, on random agreements and events."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from commonwatch.agreements.effective import effective
from commonwatch.agreements.lattice import TRUE, WITHHELD, Point, meet, parse_point
from commonwatch.agreements.reader import Reader
from commonwatch.events.address import Scope, network_text, parse, scope_of
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FAMILIES, FIELDS, family_of
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from commonwatch.events.rungs import ANCHOR, EARLY_ANCHOR, STEPS, floor_time, rung
from commonwatch.govern.answer.dims import ABSENT_TEXT, WITHHELD_TEXT
from commonwatch.govern.answer.pages import Pages
from commonwatch.govern.policy import OrgInfo
from commonwatch.govern.query import Constraint, Cube, Distinct, Filter, Hidden, Histogram, Interval, Rows, Top
from commonwatch.govern.service import Govern
from commonwatch.privacy import pseudonym
from commonwatch.privacy.pseudonym import READER_EPOCH
from commonwatch.store import Store
from doubles.govern import DAY, EXACT, HOUR, NOW, Keys, Log, Policy, batch, events, org
from strategies.agreements import READERS, owner_documents

#: Each example asks for every row several times.
FEW = settings().max_examples // 8
#: Shrinking asks thousands of questions; the seed reproduces an example as well.
HEAVY = settings(max_examples=FEW, phases=(Phase.explicit, Phase.reuse, Phase.generate))
OWNERS = ("alpha-dental", "echo-farm")
CANONICAL = tuple(
    c.name for c in COLUMNS.values()
    if c.field and c.name not in {"org_uid", "src_ip", "dst_ip", "domain", "url", "src_country", "dst_country", "src_port", "dst_port", "proto"}
)  # fmt: skip
ASKED = (
    "org",
    "sector",
    "region",
    "size",
    "class",
    *CANONICAL,
    "src_ip",
    "dst_ip",
    "src_port",
    "dst_port",
    "domain",
    "url",
    "src_country",
)
POOL = tuple(FIELDS)
#: What left the gateway: everything; coarser times, networks and tokens; little.
EDGE = {
    **EXACT,
    "time": "hour",
    "src_ip": "pseudonym+network",
    "user": "pseudonym",
    "message": "redacted",
    "src_port": "range",
    "volume": "magnitude",
}
LITTLE = dict.fromkeys(
    ("time", "owner", "owner_sector", "owner_region", "owner_size", "severity", "signature", "dst_ip"), "exact"
)
PROFILES = (EXACT, EDGE, LITTLE)
EDGE_KEY = bytes(range(32))


def at_the_edge(event: dict, profile: int) -> dict:
    """An event as the gateway would send it under a profile."""
    if profile == 1:
        token = pseudonym.pfx_one(parse(event["src_ip"]), EDGE_KEY)
        net = parse(network_text(parse(event["src_ip"])).partition("/")[0])
        name = event["src_user"] and pseudonym.identity_one(event["src_user"], EDGE_KEY, "user")
        low = max(p for p in (0, 1024, 49152) if p <= event["src_port"])
        return event | {
            "time": floor_time(event["time"], "hour"), "src_ip": token, "src_net": net, "src_user": name, "dst_user": None,
            "src_port": low, "message": rung("text", "redacted", "message", event["message"]),
            **{c: rung("number", "magnitude", c, event[c]) for c in ("count", "bytes_in")}, "profile": 1,
        }  # fmt: skip
    if profile == 2:
        kept = {"event_uid", "time", "event_class", "tlp", "severity_id", "site_uid"}
        kept |= {c.name for c in COLUMNS.values() if c.field in LITTLE}
        return {k: v for k, v in event.items() if k in kept} | {"profile": 2}
    return event | {"profile": 0}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    store = Store.open(tmp_path_factory.mktemp("world"), memory_limit="512MB", threads=1)
    rng, rows = random.Random(5), {}
    for n, owner in enumerate(OWNERS):
        made = [at_the_edge(e, rng.choice((0, 0, 1, 2))) for e in events(70, seed=n)]
        for one in made:  # some close to the bounds of age that agreements speak of
            if rng.random() < 0.4:
                near = NOW - rng.choice((1, 24, 48, 100)) * HOUR + rng.randrange(-2 * HOUR, 2 * HOUR)
                one["time"] = floor_time(near, "hour") if one["profile"] == 1 else near
        store.append(batch(owner, made, uid=n + 1, profiles=PROFILES))
        rows |= {e["event_uid"]: (owner, e) for e in made}
    store.compact(before=NOW - 30 * DAY)
    policy = Policy([], [org(o, "sme") for o in OWNERS])
    yield Govern(store, policy, Keys(), Log(), secret=b"s" * 32), policy, rows
    store.close()


def every_row(govern: Govern, reader: Reader, found: Filter = Filter(), columns=ASKED) -> list:
    rows, after = [], None
    while True:
        answer = govern.ask(reader, Rows(filter=found, columns=columns, limit=200, after=after))
        rows += answer.rows
        if not (after := answer.after):
            return rows


def levels_at(docs, label, age, reader, held):
    return {f: meet(effective(docs, label, age, f, reader).level, held[f]) for f in FIELDS}


def held_of(profile):
    return {f: parse_point(family_of(f).name, profile[f]) if f in profile else WITHHELD for f in FIELDS}


def key_for(owner, linkage, reader, docs, field, label, age, namespace, length):
    root = Keys().pseudonym_key(owner)
    epoch = (NOW - ANCHOR) // READER_EPOCH
    recipient = f"reader {reader.org}"
    if linkage == 3:
        clauses = {str(r) for r in effective(docs, label, age, field, reader).allowed}
        named = set()
        for live in docs.agreements:
            for clause in live.document.clauses:
                if f"{live.document.id}@{live.document.version}#{clause.id}" in clauses:
                    mine = {*clause.to.communities, live.document.community} & set(reader.communities)
                    named |= {min(mine)} if mine else set()
        recipient = f"community {min(named)}" if named else recipient
    return pseudonym.derive(root, recipient, namespace, epoch, owner=owner, length=length)


def expected(column, event, owner, level: Point, key):
    """The cell the reference shows, or Hidden (as the class) where the level withholds the column."""
    field = COLUMNS[column].field
    family, value = family_of(field), event.get(column)
    precision = family.precisions[level.precision]
    if level == WITHHELD:
        return Hidden
    if family.name == "address" and column in {"src_ip", "dst_ip"}:
        return address_text(column[:3], event, level, key)
    if family.tokens and family.name != "address" and 0 < level.linkage < TRUE:
        if level.linkage == 1:
            return ... if value else value
        make = (
            (lambda v: pseudonym.mailbox_one(v, key("mail", 32), domain=level.precision > 0)) if family.name == "mailbox"
            else (lambda v: pseudonym.identity_one(v, key(field, 32), field))
        )  # fmt: skip
        if isinstance(value, list):
            return list(dict.fromkeys(make(v) for v in value))
        return None if value is None else make(value)
    given = tuple(value) if isinstance(value, list) else value
    shown = rung(family.name, precision, column, given)
    if column in {"time", "end_time"} and shown is not None:
        return ("instant", shown)
    if isinstance(shown, tuple):
        return list(shown)
    return shown.hex() if isinstance(shown, bytes) else shown


def address_text(side, event, level, key):
    held, rung_name = event.get(f"{side}_ip"), FAMILIES["address"].precisions[level.precision]
    address = parse(held) if isinstance(held, str) else held
    net = event.get(f"{side}_net") or address
    beside = {
        "network": network_text(net) if net else None, "country": event.get(f"{side}_country"),
    }.get(rung_name)  # fmt: skip
    word = Scope(event[f"{side}_scope"]).word if event.get(f"{side}_scope") else None
    if level.linkage == TRUE:
        return None if address is None else str(address)
    if level.linkage == 0:
        return word if rung_name in {"scope", "subnet"} else beside
    if address is None:
        return None
    if level.linkage == 1:
        return ...
    if level.precision < 2 or scope_of(address) != Scope.OUTSIDE:
        namespace = "ip" if scope_of(address) == Scope.OUTSIDE else "ip-internal"
        text = pseudonym.det_text(pseudonym.det_one(address, key(namespace, 16)))
    else:
        text = pseudonym.pfx_text(pseudonym.pfx_one(address, key("ip", 32)))
    if beside:
        return f"{text} in {beside}"
    return f"{text} ({word})" if rung_name == "scope" and word else text


def grain(levels):
    precision = levels["time"].precision
    if all(level == WITHHELD for level in levels.values()):
        return 0
    return max(STEPS.get(FAMILIES["time"].precisions[precision], 1), STEPS["minute"]) if precision else STEPS["window"]


def settled(docs, label, reader, held, time):
    """The levels of a row where no bound of age is near, else None; and whether it may be shown at all."""
    bounds = {0, 1, 24, 48, 100}
    pieces = [levels_at(docs, label, b, reader, held) for b in sorted(bounds)]
    width = max(*(grain(p) for p in pieces), STEPS["minute"])
    start = EARLY_ANCHOR + (time - EARLY_ANCHOR) // width * width
    young, old = (NOW - start - width) / HOUR, (NOW - start) / HOUR
    now = levels_at(docs, label, max((NOW - time) / HOUR, 0), reader, held)
    around = [
        levels_at(docs, label, max(a, 0), reader, held) for a in (young, old, *(b for b in bounds if young <= b <= old))
    ]
    near = [levels_at(docs, label, max(a, 0), reader, held) for a in (young - width / HOUR, old + width / HOUR)]
    return now if all(a == now for a in (*around, *near)) else None, now


@given(owner_documents(OWNERS[0], pool=POOL), owner_documents(OWNERS[1], pool=POOL), READERS)
@HEAVY
def test_what_a_reader_is_shown_is_what_the_reference_says(world, first, second, reader):
    govern, policy, rows = world
    policy.orgs[reader.org] = OrgInfo(reader.org, reader.org, reader.roles, reader.communities)
    policy.replace(first, second)
    pages = Pages(b"s" * 32, reader.org)
    shown = {r.ref: r for r in every_row(govern, reader)}
    for uid, (owner, event) in rows.items():
        docs = policy.owners[owner]
        label = Label(
            EventClass(event["event_class"]),
            Tlp(event["tlp"]),
            Severity(event["severity_id"]),
            event.get("site_uid") or "",
        )
        held = held_of(PROFILES[event["profile"]])
        row = shown.pop(pages.reference(uid), None)
        sure, now = settled(docs, label, reader, held, event["time"])
        if sure is None:
            assert row is None or all(is_withheld(row, c) for c in CANONICAL if now[COLUMNS[c].field] == WITHHELD)
            continue
        visible = any(level != WITHHELD for level in sure.values())
        assert (row is not None) == visible
        if not visible:
            continue
        age = max((NOW - event["time"]) / HOUR, 0)
        for column in (*CANONICAL, "src_ip", "dst_ip"):
            field = COLUMNS[column].field
            if column == "community_id":
                continue

            asked = (owner, sure[field].linkage, reader, docs, field, label, age)
            key = partial(key_for, *asked)
            check(row.cells[ASKED.index(column)], expected(column, event, owner, sure[field], key), column)
        check_org(row, sure, owner, reader, docs, label, age)
    assert not shown, "a row that the reference does not know"


def is_withheld(row, column):
    return isinstance(row.cells[ASKED.index(column)], Hidden)


def check(cell, wanted, column):
    from commonwatch.govern.answer.asking import instant_text

    if wanted is Hidden:
        assert isinstance(cell, Hidden), column
    elif wanted is None or wanted == []:
        assert cell in (None, []) or isinstance(cell, Hidden), column
    elif wanted is ...:
        assert isinstance(cell, str | list), column
    elif isinstance(wanted, tuple):
        assert cell == instant_text(wanted[1]), column
    elif column.endswith("_scope"):
        assert cell == wanted
    else:
        assert cell == wanted, column


def check_org(row, levels, owner, reader, docs, label, age):
    cell = row.cells[0]
    if levels["owner"].linkage == TRUE:
        assert cell == owner
    elif levels["owner"].linkage in (2, 3):
        key = key_for(owner, levels["owner"].linkage, reader, docs, "owner", label, age, "owner", 32)
        assert cell == pseudonym.identity_one(owner, key, "owner")
    elif levels["owner"] == WITHHELD:
        assert isinstance(cell, Hidden)
        assert not any(owner in clause for clause in [str(c) for c in row.cells if isinstance(c, str)])
    sector = {"withheld": Hidden, "section": "Q", "exact": "Q86"}[
        FAMILIES["sector"].precisions[levels["owner_sector"].precision]
    ]
    assert isinstance(row.cells[1], Hidden) if sector is Hidden else row.cells[1] == sector


DIMS = {
    "org": 0,
    "class": 4,
    "src_ip": ASKED.index("src_ip"),
    "dst_ip": ASKED.index("dst_ip"),
    "domain": ASKED.index("domain"),
    "src_port": ASKED.index("src_port"),
    "src_country": ASKED.index("src_country"),
}


@given(
    owner_documents(OWNERS[0]), owner_documents(OWNERS[1], pool=POOL), READERS, st.sampled_from(sorted(DIMS)), st.data()
)
@HEAVY
def test_counts_are_counts_of_shown_rows(world, first, second, reader, key, data):
    govern, policy, _ = world
    policy.orgs[reader.org] = OrgInfo(reader.org, reader.org, reader.roles, reader.communities)
    policy.replace(first, second)
    rows = every_row(govern, reader)
    cells = [r.cells[DIMS[key]] for r in rows]
    plain = [c for c in cells if isinstance(c, str)]
    top = govern.ask(reader, Top(by=key, limit=100))
    assert top.total == len(rows)
    if one_time(policy, key):
        return
    counts = Counter(plain)
    assert {r.cells[0]: r.cells[1] for r in top.rows} == dict(counts)
    assert [r.cells[1] for r in top.rows] == sorted(counts.values(), reverse=True)
    assert top.other == 0
    assert govern.ask(reader, Distinct(by=key)).rows[0].cells == [len(counts)]
    cube = govern.ask(reader, Cube(by=(key,), bin=None))
    whole = counts + Counter(
        WITHHELD_TEXT if isinstance(c, Hidden) else ABSENT_TEXT for c in cells if not isinstance(c, str)
    )
    assert {r.cells[0]: r.cells[1] for r in cube.rows} == dict(whole)
    if whole:
        value = data.draw(st.sampled_from(sorted(whole)))
        within = Filter(dims={key: Constraint(within=(value,))})
        outside = Filter(dims={key: Constraint(outside=(value,))})
        assert govern.ask(reader, Top(by="class", filter=within)).total == whole[value]
        assert govern.ask(reader, Top(by="class", filter=outside)).total == len(rows) - whole[value]


def one_time(policy, key):
    return any(
        "one-time" in repr(c) for d in policy.owners.values() for live in d.agreements for c in live.document.clauses
    )


@given(
    owner_documents(OWNERS[0]),
    owner_documents(OWNERS[1], pool=POOL),
    READERS,
    st.integers(0, 2_000),
    st.integers(1, 400),
)
@HEAVY
def test_a_histogram_counts_shown_times(world, first, second, reader, back, length):
    govern, policy, _ = world
    policy.orgs[reader.org] = OrgInfo(reader.org, reader.org, reader.roles, reader.communities)
    policy.replace(first, second)
    start = (NOW - back * HOUR) // HOUR * HOUR
    found = Filter(time=Interval(start=text(start), end=text(start + length * HOUR)))
    at = ASKED.index("time")
    inside = [
        r.cells[at]
        for r in every_row(govern, reader)
        if isinstance(r.cells[at], str) and text(start) <= r.cells[at][:19] + "Z" < text(start + length * HOUR)
    ]
    answer = govern.ask(reader, Histogram(filter=found, bin="1h"))
    assert answer.total == len(inside) == len(every_row(govern, reader, found))
    assert sum(r.cells[1] for r in answer.rows) + answer.other == len(inside)


def text(micros):
    from commonwatch.govern.answer.asking import instant_text

    return instant_text(micros)


def test_pages_give_every_row_once_and_in_order(world):
    govern, policy, _ = world
    policy.orgs["mssp"] = org("mssp", "mssp")
    from doubles.govern import documents, share, to

    policy.replace(
        documents(OWNERS[0], share("all", to("mssp"), EXACT)),
        documents(OWNERS[1], share("all", to("mssp"), {"time": "day"})),
    )
    reader = Reader("mssp", (), (), "detect")
    whole = govern.ask(reader, Rows(limit=200, columns=("time",)))
    refs, after = [], None
    while True:
        page = govern.ask(reader, Rows(limit=7, columns=("time",), after=after))
        refs += [r.ref for r in page.rows]
        if not (after := page.after):
            break
    assert refs == [r.ref for r in whole.rows]
    times = [r.cells[0] for r in whole.rows]
    assert [t[:10] for t in times] == sorted((t[:10] for t in times), reverse=True)
