"""Duties as FIRST IEP 2.0 policies, and the strictest of several.

Rules held here (`agreements.md` 5): one to one, word for word, by the tables below; what IEP has no word for travels
as our extension beside it; an id is uuid5 of (agreement, version): the same text has the same policy id everywhere; a
value allowed under several agreements carries the strictest duty of all of them, duty by duty.

Source: FIRST, Information Exchange Policy 2.0 JSON Specification (2019); names of the values as printed there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, get_args, get_type_hints
from uuid import UUID, uuid5

import msgspec

from commonwatch.agreements.document import Agreement, Duties, Share
from commonwatch.events.labels import TLP_WORDS, Tlp

NAMESPACE = UUID("0d3a0f1c-6a0b-5b0e-9f65-6d2f0a5b7c44")
VERSION = "2.0"
#: `duties.actions` -> IEP `permitted_actions`, strictest first.
ACTIONS = {
    "none": "none",
    "contact-first": "contact-for-instruction",
    "internal": "internally-visible-actions",
    "external-indirect": "externally-visible-indirect-actions",
    "external-direct": "externally-visible-direct-actions",
}
#: IEP 2.0 lists the words of TLP 1; amber+strict is amber, with our extension beside it.
TLP = {Tlp.CLEAR: "white", Tlp.GREEN: "green", Tlp.AMBER: "amber", Tlp.AMBER_STRICT: "amber", Tlp.RED: "red"}
#: Duties with named values, each strictest first, as the document lists them.
_SCALES: dict[str, Sequence[str]] = {
    name: get_args(hint)
    for name, hint in get_type_hints(Duties).items()
    if name in {"actions", "onward", "attribution", "notify_affected", "resale", "encrypt"}
}


class Named(msgspec.Struct, frozen=True, order=True):
    """One signed version of one agreement."""

    agreement: str
    version: int

    def __str__(self) -> str:
        return f"{self.agreement}@{self.version}"


class Terms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What binds whoever was given a value: the agreements it may be told of, and the strictest over all there are.

    `whole` tells that the named agreements are all; otherwise others stand behind the duties and dates as well.
    """

    named: tuple[Named, ...]
    duties: Duties
    title: str
    starts: dt.date
    ends: dt.date
    tlp: int
    whole: bool = True

    @property
    def policy_id(self) -> str:
        """The IEP id: that of the one agreement, or one made of everything these terms say."""
        if self.whole and len(self.named) == 1:
            return policy_id(self.named[0].agreement, self.named[0].version)
        return str(uuid5(NAMESPACE, msgspec.json.encode(self, order="deterministic").decode()))

    def may(self, action: str) -> bool:
        """Whether the duties permit an action at least as visible as this (a word of `duties.actions`)."""
        scale = _SCALES["actions"]
        return scale.index(self.duties.actions) >= scale.index(action)


def policy_id(agreement: str, version: int) -> str:
    """The IEP id of one version of an agreement."""
    return str(uuid5(NAMESPACE, f"{len(agreement)}:{agreement}:{version}"))


def strictest(several: Iterable[Duties]) -> Duties:
    """The strictest value of each duty; of nothing, the defaults, which are the strictest there are."""
    duties = list(several)
    if not duties:
        return Duties()
    chosen: dict[str, Any] = {
        name: min((getattr(d, name) for d in duties), key=scale.index) for name, scale in _SCALES.items()
    }
    days = [d.delete_after_days for d in duties if d.delete_after_days is not None]
    hours = min(d.breach_notice_hours for d in duties)
    return Duties(**chosen, delete_after_days=min(days, default=None), breach_notice_hours=hours)


def terms_of(agreements: Iterable[Agreement], *, named: Iterable[Named] | None = None) -> Terms:
    """The terms of these agreements together. `named`: those that may be told; all of them when left out."""
    found = [a for _, a in sorted({(a.id, a.version): a for a in agreements}.items())]
    names = tuple(sorted(named)) if named is not None else tuple(Named(a.id, a.version) for a in found)
    title = found[0].title if len(found) == len(names) == 1 else f"Strictest of {len(names) or 'several'} agreements"
    return Terms(
        names, strictest(a.duties for a in found), title, max(a.starts for a in found), min(a.ends for a in found),
        max(highest_tlp(a) for a in found), whole=len(names) == len(found),
    )  # fmt: skip


def highest_tlp(agreement: Agreement) -> int:
    """The highest TLP that any share covers; clear where there is none."""
    return max((int(TLP_WORDS[c.rows.tlp]) for c in agreement.clauses if isinstance(c, Share)), default=0)


def policy(terms: Terms, reference: str = "") -> dict[str, Any]:
    """The IEP 2.0 policy as FIRST's JSON; what it has no word for under `commonwatch`."""
    duties = terms.duties
    body: dict[str, Any] = {
        "id": terms.policy_id,
        "name": terms.title,
        "description": described(terms),
        "iep_version": VERSION,
        "start_date": f"{terms.starts.isoformat()}T00:00:00Z",
        "end_date": f"{terms.ends.isoformat()}T23:59:59Z",
        "encrypt_in_transit": duties.encrypt,
        "permitted_actions": ACTIONS[duties.actions],
        "affected_party_notifications": duties.notify_affected,
        "tlp": TLP[Tlp(terms.tlp)],
        "attribution": duties.attribution,
        "unmodified_resale": duties.resale,
    }
    if reference:
        body["external_reference"] = reference
    return body | {"commonwatch": extension(terms)}


def extension(terms: Terms) -> dict[str, Any]:
    """Duties that IEP 2.0 has no word for."""
    duties = terms.duties
    more: dict[str, Any] = {"onward": duties.onward, "breach_notice_hours": duties.breach_notice_hours}
    if duties.notify_owner_on_access != "each":
        more["notify_owner_on_access"] = duties.notify_owner_on_access
    if duties.delete_after_days is not None:
        more["delete_after_days"] = duties.delete_after_days
    if terms.named:
        more["agreements"] = [str(name) for name in terms.named]
    return more | {"tlp_2_0": Tlp(terms.tlp).word}


def described(terms: Terms) -> str:
    """One sentence for people."""
    names = ", ".join(str(name) for name in terms.named) or "agreements that are not named to you"
    more = "" if terms.whole or not terms.named else " and others"
    days = terms.duties.delete_after_days
    until = f"Delete what you received after {days} days." if days else "Delete what you received when it ends."
    return f"Terms of {names}{more}. {until}"


def file_of(policies: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A policy file as IEP 2.0 exchanges them: a list under `iep_policies`."""
    return {"iep_policies": list(policies)}
