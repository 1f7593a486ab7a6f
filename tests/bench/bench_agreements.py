"""What the algebra over agreements costs: 1,000 agreements of 20 clauses, asked, linted, changed. Beside the plain way.

The plain way is the reference itself, asked case by case (`effective()` at random labels, ages and readers): it proves
nothing before it has seen every case, so what stands beside each figure is the part of them that it sees in the same
time. Options: `--agreements N` (default 1000), `--seed N`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from commonwatch.agreements.document import (
    Agreement,
    Charter,
    Clause,
    Count,
    Dimensions,
    Fields,
    Limit,
    LimitRows,
    Noise,
    Party,
    Share,
    ShareRows,
    Signer,
    To,
)
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments, effective
from commonwatch.agreements.impact.boxes import bits, without
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.findings import lint_all
from commonwatch.agreements.impact.placing import with_document
from commonwatch.agreements.impact.questions import Asked
from commonwatch.agreements.impact.regions import Regions, newly, rungs
from commonwatch.agreements.impact.space import Space
from commonwatch.agreements.impact.world import Member, World
from commonwatch.agreements.lattice import parse_point, points
from commonwatch.agreements.reader import PURPOSES, Reader
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS

COMMUNITIES = tuple(f"community-{n}" for n in range(12))
READERS = tuple((f"{role}-{n}", role) for role in ("mssp", "cert", "isp", "researcher") for n in range(5))
SITES = ("branch", "head-office")
OWNER_AGREEMENTS = 2
TARGET = 5.0


def agreement(rng: random.Random, owner: str, name: str, clauses: int) -> Agreement:
    """An agreement of 20 clauses, as a member with much to say would have it."""
    made = tuple(clause(rng, f"clause-{n}") for n in range(clauses))
    return Agreement(
        dsa="1", id=name, version=1, title="Bench", parties=(Party(id=owner, name=owner, role="owner", key="k" * 43),),
        starts=dt.date(2026, 1, 1), ends=dt.date(2027, 12, 31), clauses=made, community=rng.choice(COMMUNITIES),
    )  # fmt: skip


def clause(rng: random.Random, name: str) -> Clause:
    """Twelve shares, three counts and five limits in twenty."""
    kind, shown = rng.random(), fields(rng, rng.randint(4, 12))
    events = tuple(rng.sample(list(CLASS_WORDS), rng.randint(1, 5)))
    if kind < 0.25:
        after = LimitRows(events=events if rng.random() < 0.5 else (), from_severity=rng.choice([None, "high"]))
        return Limit(id=name, fields=shown, rows=after, outside=to(rng) if rng.random() < 0.5 else To())
    rows = ShareRows(
        events=events, tlp=rng.choice(["green", "amber", "amber+strict"]),  # type: ignore[arg-type]
        severity=rng.choice([None, "low", "high"]), sites=rng.choice([(), (), SITES[:1], SITES]),  # type: ignore[arg-type]
        after=rng.choice([0, 0, 0, 24]), until=rng.choice([None, 720, 2160]),
    )  # fmt: skip
    purposes = tuple(rng.sample(PURPOSES, rng.randint(1, 3)))
    if kind < 0.4:
        by = Dimensions(time="day", malware="family")
        return Count(id=name, to=to(rng), purposes=purposes, rows=rows, by=by, noise=Noise(epsilon=2.2))
    return Share(id=name, to=to(rng), purposes=purposes, rows=rows, fields=shown)


def to(rng: random.Random) -> To:
    """A provider, a community, or all of a kind."""
    pick = rng.random()
    if pick < 0.5:
        return To(organisations=(rng.choice(READERS)[0],))
    if pick < 0.8:
        return To(communities=(rng.choice(COMMUNITIES),))
    return To(roles=(rng.choice(["cert", "mssp", "isp"]),))  # type: ignore[arg-type]


def fields(rng: random.Random, count: int) -> Fields:
    """Some fields at some level."""
    return Fields(**{f: rng.choice(list(points(FIELDS[f].family))) for f in rng.sample(list(FIELDS), count)})


def town(rng: random.Random, agreements: int) -> tuple[list[OwnerDocuments], World]:
    """Owners with their documents, everyone having accepted, and who there is."""
    owners = [f"owner-{n}" for n in range(agreements // OWNER_AGREEMENTS)]
    members = [
        Member(o, ("sme",), tuple(sorted(rng.sample(COMMUNITIES, 2))), rng.choice(["Q86", "C10"]), "DE", "small")
        for o in owners
    ]
    members += [Member(name, (role,), tuple(sorted(rng.sample(COMMUNITIES, 3)))) for name, role in READERS]  # type: ignore[arg-type]
    everyone = frozenset(m.org for m in members)
    documents = []
    for owner in owners:
        made = [agreement(rng, owner, f"{owner}-{n}", 20) for n in range(OWNER_AGREEMENTS)]
        charter = Charter(
            charter="1", id=f"{owner}-charter", version=1, title="Ours", owner=Signer(id=owner, name="o", key="k" * 43),
            clauses=(Limit(id="people", fields=Fields(user="pseudonym", mail_subject="withheld")),),
        )  # fmt: skip
        live = tuple(LiveAgreement(a, f"{a.id:0<64}"[:64], everyone) for a in made)
        documents.append(OwnerDocuments(owner, live, charter))
    return documents, World(tuple(members), COMMUNITIES, known=True)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one processor, and what came of it: the machine is shared, and all of it runs in one thread."""
    begun = time.process_time()
    found = call()
    return time.process_time() - begun, found


def plainly(rng: random.Random, asked: Asked, documents: list[OwnerDocuments], seconds: float) -> int:
    """How many cases the reference decides in so many seconds, one field each."""
    space, whole, done = asked.space, asked.space.whole, 0
    begun = time.process_time()
    while time.process_time() - begun < seconds:
        docs = rng.choice(documents)
        case = space.case(whole._replace(**{a: 1 << rng.choice(bits(m)) for a, m in whole._asdict().items()}))
        effective(docs, case.label, case.age, "src_ip", case.reader)
        done += 1
    return done


def cases(asked: Asked, documents: list[OwnerDocuments]) -> int:
    """How many cases there are for one field."""
    total = len(documents)
    for mask in asked.space.whole:
        total *= len(bits(mask))
    return total


def one_owner(rng: random.Random, world: World) -> list[tuple[str, float, float]]:
    """Impact of one change for an owner with 3, 10 and 20 agreements: with and without the two savings."""
    rows = []
    for count in (3, 10, 20):
        made = [agreement(rng, "owner-0", f"a-{n}", 6) for n in range(count)]
        live = tuple(LiveAgreement(a, "d" * 64, frozenset(m.org for m in world.members)) for a in made)
        old = OwnerDocuments("owner-0", live)
        new = with_document(old, msgspec.structs.replace(made[0], clauses=(*made[0].clauses[1:], clause(rng, "new"))))
        quick = min(timed(lambda old=old, new=new: differences(old, new, world))[0] for _ in range(3))
        slow = timed(lambda old=old, new=new: everything_subtracted(old, new, world))[0]
        told = timed(lambda old=old, new=new: impact(old, new, world))[0]
        rows.append((f"{count} agreements of 6 clauses (told in words: {told * 1000:.0f} ms)", quick, slow))
    return rows


def differences(old: OwnerDocuments, new: OwnerDocuments, world: World) -> int:
    """Every field at every rung, what is newly shown."""
    space = Space(world, [old, new])
    before = Regions(space.accepting(old), space)
    after = Regions(space.accepting(new), space, before)
    return sum(bool(newly(before, after, f, r)) for f in after.fields for r in rungs(f))


def everything_subtracted(old: OwnerDocuments, new: OwnerDocuments, world: World) -> int:
    """The same by the definition: each region made anew, the old one subtracted from all of the new one."""
    space, found = Space(world, [old, new]), 0
    was, now = space.accepting(old), space.accepting(new)
    for field in FIELDS:
        for rung in rungs(field):
            before, after = Regions(was, space), Regions(now, space)
            found += bool(without(after.region(field, rung), before.region(field, rung)))
    return found


def main() -> int:
    """Print the table; 1 if the whole takes longer than it may."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--agreements", type=int, default=1_000)
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()
    rng = random.Random(args.seed)
    documents, world = town(rng, args.agreements)
    field: FieldName = "src_ip"
    asked_s, asked = timed(lambda: Asked(documents, world))
    who_s, who = timed(lambda: asked.who_sees(field, parse_point("address", "exact")))
    what_s, what = timed(lambda: list(asked.what_sees("cert-1", ["respond"])))
    lint_s, found = timed(lambda: lint_all(documents, world))
    docs = documents[len(documents) // 2]
    changed = with_document(docs, agreement(rng, docs.owner, docs.agreements[0].document.id, 20))
    impact_s, change = timed(lambda: impact(docs, changed, world))
    place = next(p for p in asked.space.places if p.org == "cert-1")
    reader = Reader(place.org, place.roles, place.communities, "respond")
    why_s, why = timed(lambda: asked.why_withheld(docs.owner, reader, field))
    total = asked_s + who_s + what_s + lint_s + impact_s + why_s
    per_second, every = plainly(rng, asked, documents, 1.0), cases(asked, documents)
    readers = len(asked.space.places)
    print(
        f"{args.agreements:,} agreements x 20 clauses, {len(documents)} owners, {readers} readers; processor seconds, one thread"
    )
    print(
        f"baseline: the reference, case by case, {per_second:,} cases a second of {every:.1e} there are for one field"
    )
    print(f"{'':<28}{'exact':>8}   {'baseline sees':<16}answer")
    for name, seconds, result in (
        ("make ready to ask", asked_s, f"{len(asked.regions)} owners"),
        ("who sees src_ip exactly", who_s, f"{len(who.readers):,} readers x purposes, {len(who.sights)} sentences"),
        ("what does cert-1 see", what_s, f"{len(what):,} kinds of rows"),
        ("lint of all", lint_s, f"{len(found):,} findings, each with its case"),
        ("impact of one change", impact_s, f"{len(change.newly)} newly, {len(change.no_longer)} no longer"),
        ("why is src_ip withheld", why_s, f"{len(why)} kinds of rows, one owner"),
    ):
        print(f"  {name:<26}{seconds:6.2f} s   {seconds * per_second / every:<16.0e}{result}")
    print(f"  {'together':<26}{total:6.2f} s   (aim: under {TARGET:.0f} s)")
    print()
    print("one clause changed, one owner: all fields and rungs               as built   by the definition")
    for name, quick, slow in one_owner(rng, world):
        print(f"  {name:<52}{quick * 1000:8.1f} ms {slow * 1000:10.0f} ms   x{slow / quick:.0f}")
    return 0 if total < TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
