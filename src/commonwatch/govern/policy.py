"""What govern must be told: the live policy, the keys for pseudonyms, where decisions are logged. Ports only.

`PolicySource.view()` is asked for every request. It either returns the policy as it stands now, or raises
`Unavailable`: then nothing is shown (fail closed). `epoch` rises with every change of any agreement, charter, role or
membership; equal epochs mean equal policies up to the clock, so decision tables are cached by (epoch, reader).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.reader import Reader
from commonwatch.govern.taken import Taken


class OrgInfo(msgspec.Struct, frozen=True):
    """The organisation dimension: public attributes, never part of an event. `sector` is a NACE code such as `Q86`."""

    org: str
    name: str
    roles: tuple[str, ...] = ()
    communities: tuple[str, ...] = ()
    sector: str = ""
    region: str = ""
    size: str = ""


class OwnerPolicy(msgspec.Struct, frozen=True):
    """One owner's live documents and their digest (32 bytes over ids, versions and states)."""

    owner: str
    documents: OwnerDocuments
    digest: bytes


class PolicyView(msgspec.Struct, frozen=True):
    """The policy at one instant. `now` is microseconds UTC from the hub's clock, which never runs backwards."""

    epoch: int
    now: int
    owners: Mapping[str, OwnerPolicy]
    orgs: Mapping[str, OrgInfo]


class PolicySource(Protocol):
    """Gives the live policy, or raises `Unavailable`."""

    def view(self) -> PolicyView: ...


class KeySource(Protocol):
    """Per-owner hub key from which readers' pseudonym keys are derived; None withholds every token of that owner."""

    def pseudonym_key(self, owner: str) -> bytes | None: ...


class Decided(NamedTuple):
    """One decision of several that are logged together."""

    reader: Reader
    kind: str
    detail: Mapping[str, Any]
    taken: Taken | None = None


class DecisionLog(Protocol):
    """Where decisions go: the audit log. Details name clauses and counts, never values.

    `taken` is what leaves with it of other organisations: recorded for each of them, durably, before this returns.
    """

    def decided(self, reader: Reader, kind: str, detail: Mapping[str, Any], taken: Taken | None = None) -> None: ...
    def decided_all(self, decisions: Sequence[Decided]) -> None: ...
