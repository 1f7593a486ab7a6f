"""Strategies for documents, readers and labels: small pools of names, so that clauses meet readers often.

`owner_documents()` gives everything that decides about one owner; `questions()` a (label, age, reader). Every generated
agreement is valid (`check` accepts it). Pools are public so that other rooms' tests can make events that match.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import cache

import msgspec
from hypothesis import strategies as st

from commonwatch.agreements.decode import canonical
from commonwatch.agreements.document import (
    MEASURES,
    Agreement,
    Charter,
    Clause,
    CommunityCharter,
    Contact,
    Count,
    Dimensions,
    Duties,
    Fields,
    Law,
    Limit,
    LimitRows,
    Lookup,
    Noise,
    Origin,
    Party,
    Share,
    ShareRows,
    Signer,
    To,
    named,
)
from commonwatch.agreements.effective import LiveAgreement, OwnerDocuments
from commonwatch.agreements.lattice import points
from commonwatch.agreements.reader import PURPOSES, ROLES, Reader
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, EventClass, Label, Severity, Tlp

OWNER = "alpha-dental"
ORGS = ("bravo-bakery", "coast-cert", "delta-mss")
COMMUNITIES = ("harbour-ring", "sme-shield")
SITES = ("branch", "head-office")
CLASSES = ("malware", "intrusion", "dns")
FEW_FIELDS: tuple[FieldName, ...] = ("time", "owner", "src_ip", "dst_ip", "user", "mail_from", "signature", "message")
HOURS = (0, 1, 24, 48)
SEVERITIES = tuple(w for w in SEVERITY_WORDS if w != "unknown")


def some(values, *, least=0, most=None):
    """A tuple of distinct values. Strategies are made once: making them costs more than drawing."""
    return _some(tuple(values), least, most)


@cache
def _some(values, least, most):
    return st.lists(st.sampled_from(values), unique=True, min_size=least, max_size=most).map(tuple)


def pick(values):
    """One of the values."""
    return _pick(tuple(values))


@cache
def _pick(values):
    return st.sampled_from(values)


@cache
def maybe(strategy):
    """The value or None."""
    return st.none() | strategy


def mostly(usual, others, weight=3):
    """The usual value, now and then one of the others: so that clauses meet readers often."""
    return pick([usual] * weight * len(tuple(others)) + list(others) * 1)


ANYBODY = To(organisations=ORGS, communities=COMMUNITIES, roles=ROLES)
TOS = (
    *[To(organisations=ORGS)] * 12, *[ANYBODY] * 8, *[To(communities=COMMUNITIES)] * 3, To(roles=ROLES),
    To(roles=("sme",)),
    *[To(organisations=(org,)) for org in ORGS], *[To(communities=(name,)) for name in COMMUNITIES],
    To(organisations=ORGS[:1], roles=("cert",)), To(),
)  # fmt: skip


def tos():
    """Who is addressed: mostly many."""
    return pick(TOS)


def outsides():
    """Who is exempt from a limit: mostly nobody."""
    return mostly(To(), [*TOS[-6:], To(organisations=ORGS)], 2)


def purposes(least=1):
    """Purposes of a clause: mostly many."""
    alone = [(p,) for p in PURPOSES]
    return pick(
        [*[PURPOSES] * 5, PURPOSES[:3], PURPOSES[1:], *alone] if least else [(), (), (), (), (), *alone, PURPOSES[:2]]
    )


@cache
@st.composite
def ages(draw):
    """(after, until) in hours."""
    after = draw(mostly(0, HOURS[1:]))
    until = draw(mostly(None, [h for h in (1, 24, 48, 100) if h > after], 2))
    return {"after": after, "until": until}


@cache
@st.composite
def share_rows(draw, *, red=False, classes=CLASSES):
    """Rows of a share or count; red only where the clause may carry it."""
    tlps = [*["red"] * (6 if red else 0), "amber+strict", "amber+strict", "amber", "green"]
    return ShareRows(
        events=draw(mostly(tuple(classes), [tuple(classes[:1]), tuple(classes[1:])])), tlp=draw(pick(tlps)),
        severity=draw(mostly(None, SEVERITIES)), sites=draw(mostly((), [SITES, SITES[:1], SITES[1:]])),
        **draw(ages()),
    )  # fmt: skip


@cache
@st.composite
def limit_rows(draw, *, classes=CLASSES):
    """Rows of a limit, often everything."""
    if draw(mostly(True, [False], 1)):
        return LimitRows()
    return LimitRows(
        events=draw(mostly((), [tuple(classes), tuple(classes[:1])])),
        from_tlp=draw(mostly(None, list(TLP_WORDS)[:4], 1)),
        from_severity=draw(mostly(None, SEVERITIES, 2)), sites=draw(mostly((), [SITES, SITES[:1]])), **draw(ages()),
    )  # fmt: skip


@cache
@st.composite
def fields(draw, pool=FEW_FIELDS, least=1):
    """Some fields at some of their points."""
    chosen = draw(some(pool, least=least))
    return Fields(**{f: draw(pick(list(points(FIELDS[f].family)))) for f in chosen})


@cache
@st.composite
def dimensions(draw, pool=FEW_FIELDS, most=4):
    """Some dimensions at some of their steps."""
    chosen = draw(some(pool, least=1, most=most))
    return Dimensions(**{f: draw(pick(FAMILIES[FIELDS[f].family].precisions[1:])) for f in chosen})


@cache
@st.composite
def noises(draw):
    """A privacy budget whose life is not shorter than its window."""
    epsilon = draw(pick([0.5, 1.0, 2.2, 3.0]))
    return Noise(epsilon=epsilon, total=draw(maybe(pick([3.0, 7.0, 12.25]))))


def _tokens(shown: Fields) -> list[FieldName]:
    return [f for f, name in named(shown).items() if "pseudonym" in name]


@cache
def _lookups(tokens):
    return st.builds(Lookup, fields=some(tokens, least=1), per_day=pick([1, 50, 100]))


@cache
@st.composite
def shares(draw, ident="share-1", pool=FEW_FIELDS, classes=CLASSES):
    """A valid share clause."""
    to = draw(tos())
    red = bool(to.organisations) and not to.communities and not to.roles
    shown = draw(fields(pool, 3))
    tokens = _tokens(shown)
    lookup = draw(maybe(_lookups(tuple(tokens)))) if tokens else None
    return Share(
        id=ident,
        to=to,
        purposes=draw(purposes()),
        rows=draw(share_rows(red=red, classes=classes)),
        fields=shown,
        lookup=lookup,
    )


@cache
@st.composite
def count_clauses(draw, ident="count-1", pool=FEW_FIELDS, classes=CLASSES):
    """A valid count clause."""
    to, noise = draw(tos()), draw(maybe(noises()))
    red = bool(to.organisations) and not to.communities and not to.roles
    return Count(
        id=ident, to=to, purposes=draw(purposes()), rows=draw(share_rows(red=red, classes=classes)),
        by=draw(dimensions(pool)), measures=draw(some(MEASURES[:2] if noise else MEASURES, least=1)),
        contributors=draw(pick([2, 5, 20])), noise=noise,
    )  # fmt: skip


@cache
@st.composite
def limits(draw, ident="limit-1", pool=FEW_FIELDS, classes=CLASSES):
    """A valid limit clause: it caps something."""
    capped = draw(fields(pool, 3) if draw(mostly(True, [False])) else st.just(Fields()))
    on = draw(pick(["rows", "counts", "both", "both", "both"]))
    groups = draw(maybe(pick([2, 10]))) if on != "rows" else None
    noise = draw(maybe(noises())) if on != "rows" else None
    if not (named(capped) or groups or noise):
        capped = Fields(message="withheld")
    return Limit(
        id=ident, fields=capped, rows=draw(limit_rows(classes=classes)), outside=draw(outsides()), on=on,
        purposes=draw(purposes(0)), contributors=groups, noise=noise,
    )  # fmt: skip


@cache
def _kinds(most):
    return st.lists(pick([shares, shares, limits, limits, count_clauses]), min_size=min(2, most), max_size=most)


@cache
@st.composite
def clause_lists(draw, most=4, pool=FEW_FIELDS, classes=CLASSES):
    """Clauses of one agreement with their ids."""
    kinds = draw(_kinds(most))
    return tuple(draw(kind(f"clause-{i}", pool=pool, classes=classes)) for i, kind in enumerate(kinds))


def thumbprint(name: str) -> str:
    """A well-formed thumbprint that belongs to nobody."""
    return hashlib.sha256(name.encode()).hexdigest()[:43]


NAMES = pick(["Alpha Dental Ltd", "Bäckerei Öttl & Söhne", "C.O.A.S.T. (CERT)", "Delta, Inc; and more: 1"])
LINES = (
    st.text(
        st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters='"[]'), min_size=1, max_size=20
    )
    | NAMES
)


CONTACTS = st.lists(st.builds(Contact, name=LINES, reach=LINES), max_size=2)
ORIGINS = st.builds(
    Origin, template=pick(["member", "and"]), version=pick([1, 12]), level=pick(range(5)),
    changed=some(["and", "warn-peers", "for", "people"]),
)  # fmt: skip


@cache
@st.composite
def parties(draw, owner=OWNER):
    """The owner, perhaps an operator, perhaps members."""
    found = [Party(id=owner, name=draw(NAMES), role="owner", key=thumbprint(owner))]
    for org, role in zip(draw(some(ORGS)), ("operator", "member", "member"), strict=False):
        contacts = tuple(draw(CONTACTS))
        found.append(Party(id=org, name=draw(NAMES), role=role, key=thumbprint(org), contacts=contacts))
    return tuple(found)


DUTIES = st.builds(
    Duties,
    actions=pick(["none", "contact-first", "internal", "external-indirect", "external-direct"]),
    onward=pick(["none", "same-community", "tlp"]),
    attribution=pick(["must-not", "may", "must"]),
    notify_affected=pick(["must-not", "may"]),
    resale=pick(["must-not", "may"]),
    encrypt=pick(["must", "may"]),
    notify_owner_on_access=pick(["each", "daily", "never"]),
    delete_after_days=maybe(pick([1, 30, 90])),
    breach_notice_hours=pick([1, 24, 72]),
)
ANY_DUTIES = st.just(Duties()) | DUTIES
LAWS = st.builds(
    Law, purpose=maybe(LINES), basis=maybe(LINES), roles=maybe(LINES), jurisdiction=maybe(LINES), notes=maybe(LINES)
).filter(lambda law: law != Law())
DAYS = st.dates(dt.date(2026, 1, 1), dt.date(2027, 12, 31))


@cache
@st.composite
def agreements(draw, ident="dsa-one", most=4, owner=OWNER, pool=FEW_FIELDS, classes=CLASSES):
    """A valid agreement of `owner`."""
    starts, ends = sorted([draw(DAYS), draw(DAYS)])
    version = draw(pick([1, 2, 30]))
    return Agreement(
        dsa="1", id=ident, version=version, title=draw(LINES), parties=draw(parties(owner)), starts=starts, ends=ends,
        clauses=draw(clause_lists(most, pool, classes)), community=draw(maybe(pick(COMMUNITIES))),
        previous=hashlib.sha256(ident.encode()).hexdigest() if version > 1 else None,
        duties=draw(ANY_DUTIES), law=draw(maybe(LAWS)), origin=draw(maybe(ORIGINS)),
    )  # fmt: skip


@cache
@st.composite
def plain_agreements(draw, ident="dsa-one", most=4, owner=OWNER, pool=FEW_FIELDS, classes=CLASSES):
    """A valid agreement with nothing drawn that does not decide about disclosure."""
    return Agreement(
        dsa="1", id=ident, version=1, title="An agreement", starts=dt.date(2026, 1, 1), ends=dt.date(2027, 12, 31),
        parties=(Party(id=owner, name="Owner", role="owner", key=thumbprint(owner)),),
        clauses=draw(clause_lists(most, pool, classes)), community=draw(maybe(pick(COMMUNITIES))),
    )  # fmt: skip


@cache
@st.composite
def limit_lists(draw, most=3, pool=FEW_FIELDS, classes=CLASSES):
    """Clauses of a charter."""
    count = draw(pick(range(most + 1)))
    return tuple(draw(limits(f"limit-{i}", pool=pool, classes=classes)) for i in range(count))


@cache
@st.composite
def charters(draw, owner=OWNER, ident="charter-one", pool=FEW_FIELDS, classes=CLASSES):
    """An owner's charter."""
    signer = Signer(id=owner, name="Owner", key=thumbprint(owner))
    return Charter(
        charter="1", id=ident, version=1, title=draw(LINES), owner=signer, clauses=draw(limit_lists(3, pool, classes))
    )


@cache
@st.composite
def community_charters(draw, community=COMMUNITIES[0], pool=FEW_FIELDS, classes=CLASSES):
    """A community's charter."""
    steward = Signer(id="steward-org", name="Steward", key=thumbprint("steward-org"))
    return CommunityCharter(
        charter="1", id=f"terms-{community}", version=1, title=draw(LINES), community=community, steward=steward,
        clauses=draw(limit_lists(2, pool, classes)),
    )  # fmt: skip


documents = st.one_of(agreements(), charters(), community_charters())


ACCEPTED = mostly(frozenset(ORGS), [frozenset(), frozenset(ORGS[:1])])


@cache
@st.composite
def live_agreements(draw, ident="dsa-one", owner=OWNER, most=4, pool=FEW_FIELDS, classes=CLASSES, active=False):
    """An agreement with its state, mostly active and mostly accepted by all."""
    document = draw(plain_agreements(ident, most, owner, pool, classes))
    states = ["active"] if active else [*["active"] * 20, "suspended", "revoked", "expired"]
    accepted = draw(ACCEPTED)
    digest = hashlib.sha256(canonical(document)).hexdigest()
    return LiveAgreement(document, digest, accepted, draw(pick(states)))


@cache
@st.composite
def owner_documents(draw, owner=OWNER, most=3, pool=FEW_FIELDS, classes=CLASSES):
    """All documents that decide about one owner. Ids carry the owner so that several owners can stand side by side."""
    number = draw(pick([*range(1, most + 1), most, most, 0]))
    live = tuple(draw(live_agreements(f"{owner}-dsa-{i}", owner, pool=pool, classes=classes)) for i in range(number))
    charter = draw(maybe(charters(owner, f"{owner}-charter", pool, classes)))
    communities = {c: draw(community_charters(c, pool, classes)) for c in draw(some(COMMUNITIES))}
    return OwnerDocuments(owner, live, charter, communities)


READERS = st.builds(
    Reader, pick(ORGS), pick([("sme",), ("cert", "sme"), ("researcher",), ("isp", "mssp"), ()]),
    pick([COMMUNITIES, COMMUNITIES, COMMUNITIES[:1], COMMUNITIES[1:], ()]), pick(PURPOSES),
)  # fmt: skip
LABELS = st.builds(
    Label, mostly(CLASS_WORDS["malware"], [CLASS_WORDS["intrusion"], CLASS_WORDS["dns"], EventClass.MATCH], 1),
    pick([*Tlp, Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER]), pick([*Severity, Severity.HIGH]),
    pick([*SITES, *SITES, "depot", ""]),
)  # fmt: skip
AGES = mostly(30, [0, 0.5, 1, 23.99, 24, 48, 99, 100, 5000], 1)


def dominating(docs: OwnerDocuments, **changes: object) -> OwnerDocuments:
    """The same documents with some parts replaced."""
    return msgspec.structs.replace(docs, **changes)


def with_clauses(live: LiveAgreement, clauses: tuple[Clause, ...]) -> LiveAgreement:
    """The same agreement with other clauses."""
    return msgspec.structs.replace(live, document=msgspec.structs.replace(live.document, clauses=clauses))
