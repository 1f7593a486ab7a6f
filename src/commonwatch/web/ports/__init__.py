"""What the HTTP room needs from whoever composes it (the hub). Ports only: no storage, no engine, no clock of its own.

Everyone acts for an organisation and a purpose: `Principal` is what authentication yields and what every route passes
on. No port returns an event: events come from `govern` alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from commonwatch.web.ports.accesses import (
    Accesses,
    AccessInfo,
    AccessPage,
    AccessSum,
    AccessSummary,
    AccessWanted,
    Audit,
)
from commonwatch.web.ports.agreements import (
    AgreementInfo,
    Agreements,
    DraftInfo,
    Drafts,
    DutiesInfo,
    KeyInfo,
    LifeInfo,
    Lives,
    OfferInfo,
    Offers,
    PartyInfo,
    SigningKeys,
    TemplateInfo,
    Templates,
    VersionInfo,
    Withdrawals,
)
from commonwatch.web.ports.gateways import GatewayInfo, Gateways
from commonwatch.web.ports.governed import Explainer, Governed, Opened
from commonwatch.web.ports.intelligence import (
    Given,
    GivenBy,
    Intelligence,
    NewSource,
    SourceChange,
    SourcesInfo,
    TakenIn,
)
from commonwatch.web.ports.people import (
    Accounts,
    CommunityInfo,
    Directory,
    Notices,
    NotificationInfo,
    Notifications,
    PersonInfo,
    Principal,
    ServiceInfo,
    SessionInfo,
    TokenInfo,
)
from commonwatch.web.ports.questions import (
    AskImpact,
    AskPreview,
    AskSees,
    ImpactInfo,
    Previews,
    Questions,
    SeenInfo,
    WhatSees,
)
from commonwatch.web.ports.releases import (
    AskBox,
    AskCost,
    BoxInfo,
    BudgetInfo,
    CostInfo,
    Released,
)

__all__ = [
    "AccessInfo",
    "AccessPage",
    "AccessSum",
    "AccessSummary",
    "AccessWanted",
    "Accesses",
    "Accounts",
    "AgreementInfo",
    "Agreements",
    "AskBox",
    "AskCost",
    "AskImpact",
    "AskPreview",
    "AskSees",
    "Audit",
    "BoxInfo",
    "BudgetInfo",
    "CommunityInfo",
    "CostInfo",
    "Directory",
    "DraftInfo",
    "Drafts",
    "DutiesInfo",
    "Explainer",
    "GatewayInfo",
    "Gateways",
    "Given",
    "GivenBy",
    "Governed",
    "ImpactInfo",
    "Intelligence",
    "KeyInfo",
    "LifeInfo",
    "Lives",
    "NewSource",
    "Notices",
    "NotificationInfo",
    "Notifications",
    "OfferInfo",
    "Offers",
    "Opened",
    "PartyInfo",
    "PersonInfo",
    "Ports",
    "Previews",
    "Principal",
    "Questions",
    "Released",
    "SeenInfo",
    "ServiceInfo",
    "SessionInfo",
    "SigningKeys",
    "SourceChange",
    "SourcesInfo",
    "TakenIn",
    "TemplateInfo",
    "Templates",
    "TokenInfo",
    "VersionInfo",
    "WhatSees",
    "Withdrawals",
]


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Everything the room is given. `epoch` is the policy epoch now; raises `Unavailable` like the policy itself."""

    govern: Governed
    releases: Released
    explainer: Explainer
    accounts: Accounts
    agreements: Agreements
    gateways: Gateways
    withdrawals: Withdrawals
    notices: Notices
    notifications: Notifications
    drafts: Drafts
    templates: Templates
    offers: Offers
    previews: Previews
    questions: Questions
    accesses: Accesses
    lives: Lives
    signing_keys: SigningKeys
    audit: Audit
    intelligence: Intelligence
    given: Given
    epoch: Callable[[], int]
    #: Microseconds since 1970 UTC by the hub's clock, for `CW-Hub-Time`.
    now: Callable[[], int]
