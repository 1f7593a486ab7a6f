"""The kinds of findings: one table for the code, the reference page and the editor.

Rules held here: a finding names a path in the document, says in one sentence for people what is so, and carries a case
in which it is so wherever there is one; a fix is given as patches (RFC 6902) that a program can apply.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from commonwatch.agreements.impact.words import Witness
from commonwatch.agreements.reader import ClauseRef

KindName = Literal[
    "never-applies", "idle-purpose", "nobody-yet", "unknown-organisation", "unknown-community", "unknown-site",
    "contradiction", "cut-by-limit", "against-charter", "against-community-charter", "nothing-to-count",
    "limit-covers-nothing", "contained", "shown-elsewhere", "undercut", "duties-clash", "outlives-duties",
    "below-every-plan", "small-cell",
]  # fmt: skip
Weight = Literal["warning", "note"]


class Kind(NamedTuple):
    """What a kind of finding means and what can be done. A warning is most likely a mistake, a note may be meant."""

    weight: Weight
    meaning: str
    todo: str


KINDS: dict[KindName, Kind] = {
    "never-applies": Kind(
        "warning", "The clause can never apply: it addresses nobody but the owner, no reader addressed may act for its "
        "purposes, or a limit exempts everyone.",
        "correct `to`, `purposes` or `outside`, or leave the clause out",
    ),
    "idle-purpose": Kind(
        "note", "No reader the clause addresses may act for one of its purposes.", "leave that purpose out",
    ),
    "nobody-yet": Kind(
        "note", "Nobody is in the communities and roles the clause addresses yet; it applies to whoever joins.",
        "nothing, if that is meant",
    ),
    "unknown-organisation": Kind("warning", "No organisation of this name is known.", "correct the name"),
    "unknown-community": Kind("warning", "No community of this name is known.", "correct the name"),
    "unknown-site": Kind(
        "warning", "Neither labelling rules nor events of the owner have a site of this name: it covers no event.",
        "correct the name, or label the site",
    ),
    "contradiction": Kind(
        "warning", "A limit of the same agreement keeps a field below what the share says for every row of the share.",
        "lower the level of the share, or exempt its readers from the limit",
    ),
    "cut-by-limit": Kind(
        "note", "A limit of the same agreement keeps a field below what the share says for some rows or readers.",
        "nothing, if that is meant",
    ),
    "against-charter": Kind(
        "warning", "The owner's charter keeps a field below what the share says, for all of its rows or some.",
        "lower the level of the share, or raise the charter",
    ),
    "against-community-charter": Kind(
        "warning", "The charter of the community that the agreement names keeps a field below what the share says.",
        "lower the level of the share, or ask the community's steward",
    ),
    "nothing-to-count": Kind(
        "warning", "Limits or charters leave nothing of a count, for all of its rows or some.",
        "leave out the dimension that is withheld, or raise the limit",
    ),
    "limit-covers-nothing": Kind(
        "note", "The limit lowers nothing that is shown or counted under the documents it caps.",
        "keep it as a safeguard, or leave it out",
    ),
    "contained": Kind(
        "warning", "Other shares of the same agreement show everything that this share shows.", "leave it out",
    ),
    "shown-elsewhere": Kind(
        "note", "Other agreements of the owner, as they are, show everything that this share shows.",
        "nothing, if it should stay shown when they end",
    ),
    "undercut": Kind(
        "warning", "Another agreement of the owner shows more than this limit, which binds its own agreement only.",
        "move the limit into the charter, which binds all agreements",
    ),
    "duties-clash": Kind(
        "note", "Readers receive the same rows under other duties as well; the strictest of them applies.",
        "make the duties equal, so that readers see at once what applies",
    ),
    "outlives-duties": Kind(
        "note", "Rows stay readable for longer than readers may keep them.",
        "shorten `until`, or lengthen `delete_after_days`",
    ),
    "below-every-plan": Kind(
        "warning", "Every plan of joint releases in force spends more noise budget, or pools fewer contributors, "
        "than the count permits: it takes part in none.",
        "raise `epsilon` or lower `contributors`, or leave the count out",
    ),
    "small-cell": Kind(
        "warning", "Sector, region and size are shown so finely, beside a hidden contributor, that fewer than five "
        "members match: the contributor can be told.", "show sector or region more coarsely, or leave size out",
    ),
}  # fmt: skip


class Patch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation of RFC 6902 on the document named `target` (an id, or `charter` for the owner's)."""

    target: str
    op: Literal["add", "remove", "replace"]
    path: str
    value: Any = None


class Fix(msgspec.Struct, frozen=True):
    """What can be done at one go."""

    text: str
    patches: tuple[Patch, ...]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing found. `about` names the other clauses that have part in it."""

    kind: KindName
    weight: Weight
    document: str
    path: str
    message: str
    witness: Witness | None = None
    about: tuple[ClauseRef, ...] = ()
    fix: Fix | None = None
