"""A community that lets itself be counted: small firms with count clauses, a CERT, a provider; a clock one moves.

Real store, govern, metadata database and ledger; the policy is one that tests change. Noise is whatever the test hands
in: OpenDP's, or none, to see what would be drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from commonwatch.agreements.document import Agreement, Count, Dimensions, Noise, Share, ShareRows, To
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.reader import Reader
from commonwatch.events.rungs import ANCHOR, DAY, STEPS
from commonwatch.govern.service import Govern
from commonwatch.hub.budget.ledger import Ledger
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.meta.models import Community, Organisation
from commonwatch.hub.releases.closing import Closing
from commonwatch.hub.releases.serving import Served
from commonwatch.hub.releases.shelf import Shelf
from commonwatch.privacy.release.noise import Draw, Ints, gaussian
from commonwatch.privacy.release.profiles import ProfileName, usual
from commonwatch.store import Store
from doubles.govern import Keys, Log, Policy, batch, documents, org

#: The first moment of a window.
START = ANCHOR + 18 * STEPS["window"]
WINDOW = 18
HOUR = 3_600_000_000
BY = {"time": "day", "malware": "family", "owner_sector": "section"}


def count(
    ident: str = "counted",
    *,
    to: To | None = None,
    epsilon: float | None = 2.2,
    by: Mapping[str, str] = BY,
    **more: object,
) -> Count:
    """The clause of the shipped templates."""
    noise = None if epsilon is None else Noise(epsilon=epsilon, total=more.pop("total", None))  # type: ignore[arg-type]
    rows = ShareRows(events=("malware", "intrusion"), tlp="amber", **more.pop("rows", {}))  # type: ignore[arg-type]
    return Count(
        id=ident, to=to or To(communities=("ring",)), purposes=("detect", "research"), rows=rows, by=Dimensions(**by),
        measures=("onsets", "contributors"), contributors=more.pop("contributors", 10), noise=noise,
    )  # type: ignore[arg-type]  # fmt: skip


def silent(values: Ints, _: float) -> Ints:
    """No noise: what would be drawn."""
    return np.array(values, np.int64)


@dataclass
class Commons:
    """The community and everything of a hub that makes releases. `at` is the wall clock (microseconds)."""

    folder: Path
    members: int = 12
    url: str = ""
    draw: Draw = gaussian
    at: int = START
    profile: ProfileName | None = None
    clauses: tuple[Count | Share, ...] = (count(),)
    seen: int = field(default=100)

    def __post_init__(self) -> None:
        self.names = [f"firm-{n:03}" for n in range(self.members)]
        orgs = [
            org(name, region="GB-LND" if n % 2 else "GB-SCT", sector="Q86" if n % 3 else "M69")
            for n, name in enumerate(self.names)
        ]
        orgs += [org("coast-cert", "cert", communities=()), org("harbour-mss", "mssp")]
        self.policy = Policy([self.document(name) for name in self.names], orgs, self.at)
        self.store = Store.open(self.folder / "store", memory_limit="256MB", threads=1)
        self.govern = Govern(self.store, self.policy, Keys(), Log(), secret=b"s" * 32)
        self.database = Database(self.url or f"sqlite:///{self.folder}/meta.sqlite")
        migrate(self.database)
        with self.database.write() as session:
            epoch.found(session)
            if session.get(Community, "ring") is None:
                session.add_all(Organisation(id=o.org, name=o.name, roles=list(o.roles), created=0) for o in orgs)
                session.flush()
                session.add(Community(id="ring", name="Ring", steward="harbour-mss", created=0))
        self.clock = Clock(lambda: self.at, lambda: 0.0)
        self.ledger = Ledger(self.database, self.clock)
        self.shelf, self.log = Shelf(self.database), Log()
        self.served = Served(self.govern, self.shelf, self.ledger, self.log, self.clock.now)
        self.closing = Closing(
            self.shelf,
            self.ledger,
            self.govern,
            self.clock.now,
            draw=self.draw,
            profile=lambda n: self.profile or usual(n),
        )

    def document(self, name: str, *clauses: Count | Share) -> OwnerDocuments:
        """A member's agreement with these clauses; by default those of the community."""
        found = documents(name, *(clauses or self.clauses))  # type: ignore[arg-type]
        live = found.agreements[0]
        everybody = frozenset({*self.names, "coast-cert", "harbour-mss"})
        return OwnerDocuments(name, (type(live)(live.document, live.digest, everybody, live.state),))

    def revoke(self, *names: str) -> None:
        """These members revoke."""
        found = []
        for name in names:
            live = self.policy.owners[name].agreements[0]
            found.append(OwnerDocuments(name, (type(live)(live.document, live.digest, live.accepted, "revoked"),)))
        self.policy.replace(*found)

    def saw(self, sightings: Iterable[tuple[str, str, float]]) -> None:
        """(member, family, day of the window) as events that come in now, or when they happen."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for name, family, day in sightings:
            self.seen += 1
            rows.setdefault(name, []).append({
                "event_uid": hashlib.sha256(str(self.seen).encode()).digest()[:16],
                "time": START + int(day * DAY) + HOUR, "event_class": 1, "tlp": 1, "severity_id": 4, "site_uid": "",
                "malware_family": family, "malware_names": [family], "class_uid": 2004,
            })  # fmt: skip
        for name, events in rows.items():
            self.seen += 1
            self.store.append(batch(name, events, uid=self.seen, received=max(self.at, *(e["time"] for e in events))))

    def warm(self) -> None:
        """Every member has been there for a month."""
        self.saw((name, None, -30 + 2 * n) for name in self.names for n in range(15))  # type: ignore[misc]

    def go(self, day: float) -> int:
        """The clock goes to this day of the window, and days that are over close."""
        self.at = START + int(day * DAY)
        self.policy.now = self.clock.now()
        return self.closing.run()

    def reader(self, name: str) -> Reader:
        """An organisation as it asks."""
        return Reader(name, (), (), "detect")

    def private(self, name: str) -> Any:
        """What a reader is told of its private release."""
        found = self.served.releases(self.reader(name))
        return next((r for r in found if r.kind == "private"), None)

    def close(self) -> None:
        """Close the files."""
        self.database.close()
        self.store.close()


def agreement_of(docs: OwnerDocuments) -> Agreement:
    """The one agreement of a member."""
    return docs.agreements[0].document
