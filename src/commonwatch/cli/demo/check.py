"""`commonwatch demo --check`: the whole path without a browser. Every step is a claim that can fail.

Steps: history stored; each role sees what its agreements allow, the outbreak arrives live; indicators reach entitled
gateways within seconds; a revocation changes the next read and tells open streams; the audit log verifies offline.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from commonwatch.cli.demo.replay import replay
from commonwatch.cli.demo.stage import Stage, run
from commonwatch.simulate.members import Member

PATIENCE = 120.0
HEADERS = {"X-Commonwatch": "1"}
Report = dict[str, Any]


def check(stage: Stage, say: Callable[[str], None]) -> Report:
    """Walk the path; `ok` is true only if every claim in `claims` held."""
    report: Report = {"ok": False, "claims": {}, "members": len(stage.community.members)}
    claim = _Claims(report)
    roles = {"mssp": stage.one("mssp"), "cert": stage.one("cert"), "isp": stage.one("isp"), "sme": stage.smes()[0]}
    browsers = {role: Browser(stage, member) for role, member in roles.items()}
    say("waiting until the history is stored")
    report["history"] = settle(stage)
    before = {role: browser.picture() for role, browser in browsers.items()}
    say("replaying the outbreak")
    begun = time.monotonic()
    report["replayed"] = replay(stage)
    report["replay_seconds"] = round(time.monotonic() - begun, 1)
    report["events"] = settle(stage)
    after = {role: browser.picture() for role, browser in browsers.items()}
    report["readers"] = {"before": before, "after": after}
    _pictures(claim, stage, report)
    report["indicators"] = arrivals(stage)
    _arrived(claim, report["indicators"])
    say("revoking an agreement")
    report["revocation"] = revoke(browsers)
    _revoked(claim, report["revocation"])
    say("verifying the audit log offline")
    report["audit"] = audit(stage)
    claim("the audit log verifies offline at every gateway", report["audit"]["verified"] == len(stage.smes()))
    report["ok"] = all(report["claims"].values())
    return report


class _Claims:
    """Collects what was claimed and whether it held."""

    def __init__(self, report: Report) -> None:
        self._claims: dict[str, bool] = report["claims"]

    def __call__(self, sentence: str, held: object) -> None:
        self._claims[sentence] = bool(held)


class Browser:
    """A person of one organisation, logged in through its set-up link."""

    def __init__(self, stage: Stage, member: Member) -> None:
        assert stage.founded
        self.member = member
        self.http = httpx.Client(base_url=stage.url, headers=HEADERS, timeout=60, trust_env=False)
        link = stage.founded.links[f"{member.id}-analyst"].partition("#link=")[2]
        self.post("/api/session", {"link": link})

    def post(self, path: str, body: Report) -> Any:
        """POST JSON, give JSON; raises on any problem."""
        answer = self.http.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        """GET JSON; raises on any problem."""
        answer = self.http.get(path)
        answer.raise_for_status()
        return answer.json()

    def ask(self, **query: Any) -> Any:
        """A typed query."""
        return self.post("/api/query", query)

    def total(self) -> int:
        """How many events this reader may see."""
        return int(self.ask(kind="histogram", bin="1d")["total"])

    def shown(self, dim: str) -> list[str]:
        """The shown values of a dimension; withheld ones are left out."""
        rows = self.ask(kind="top", by=dim, limit=50)["rows"]
        return [str(row["cells"][0]) for row in rows if isinstance(row["cells"][0], str)]

    def picture(self) -> Report:
        """What this reader sees: total, who, families, how many agreements bind it."""
        session, view = self.get("/api/session"), self.get("/api/view")
        withheld = sorted(f["field"] for f in view["fields"] if not f["granted"])
        return {
            "org": self.member.id, "purpose": session["purpose"], "events": self.total(), "owners": self.shown("org"),
            "families": self.shown("family"), "agreements": len(view["agreements"]), "withheld": withheld,
        }  # fmt: skip


def status(stage: Stage, member: Member) -> Report:
    """A gateway's own account of itself."""
    done = run(["gateway", "status", "--state", str(stage.state(member)), "--json"])
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def statuses(stage: Stage, members: list[Member]) -> dict[str, Report]:
    """The accounts of several gateways."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip([m.id for m in members], pool.map(lambda m: status(stage, m), members), strict=True))


def settle(stage: Stage) -> Report:
    """Wait until every gateway has read its log to the end and the hub acknowledged all; the counts."""
    counts: Report = {}
    written = {m.id: stage.log(m).read_bytes().count(b"\n") for m in stage.smes()}

    def settled() -> bool:
        counts.clear()
        counts.update(tally(statuses(stage, stage.smes())))
        return bool(counts["read"] >= sum(written.values()) and counts["pending"] == 0)

    wait(settled)
    return {"written": sum(written.values()), **counts}


def tally(found: dict[str, Report]) -> Report:
    """Sums over gateways; `not_agreed` stayed there since no agreement shows it, `pending` is spooled still."""
    keys = ("read", "mapped", "skipped", "quarantined", "not_agreed", "sent", "stored")
    sums = {key: sum(_number(one.get("counts", {}).get(key, 0)) for one in found.values()) for key in keys}
    return sums | {"pending": sum(int(one.get("spool", {}).get("events", 1)) for one in found.values())}


def _number(value: Any) -> int:
    """A count, or the sum of counts by reason."""
    return sum(value.values()) if isinstance(value, dict) else int(value or 0)


def wait(done: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Whether `done` became true within `patience` seconds."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(0.2)
    return False


def _pictures(claim: _Claims, stage: Stage, report: Report) -> None:
    events, before, after = report["events"], report["readers"]["before"], report["readers"]["after"]
    family = stage.community.truth()["outbreak"]["family"]
    parts = events["mapped"] + events["skipped"] + events["quarantined"]
    claim("every record was mapped, skipped or quarantined", parts == events["read"] == events["written"])
    claim("what was sent was stored once", events["sent"] == events["stored"])
    claim("the outbreak is new to the MSSP", family not in before["mssp"]["families"])
    claim("the MSSP sees the outbreak", family in after["mssp"]["families"])
    claim("the MSSP sees every customer", len(after["mssp"]["owners"]) == len(stage.smes()))
    claim("the CERT sees the outbreak", family in after["cert"]["families"])
    claim("the CERT sees less than the MSSP", 0 < after["cert"]["events"] < after["mssp"]["events"])
    claim("the CERT sees nobody's name", not {m.id for m in stage.smes()} & set(after["cert"]["owners"]))
    claim("the CERT is told what is withheld from it", "user" in after["cert"]["withheld"])
    claim("the SME sees only its own", after["sme"]["owners"] == [after["sme"]["org"]])
    claim("the ISP sees no owner", not after["isp"]["owners"])


def arrivals(stage: Stage) -> Report:
    """Indicators at each gateway, and the seconds each took from the hub's storing the sighting."""
    found: Report = {}
    for member in stage.community.members:
        path = stage.state(member) / "indicators.json"
        items = json.loads(path.read_bytes()) if path.exists() else []
        seconds = sorted(i["seconds"] for i in items if i.get("seconds") is not None)
        found[member.id] = {
            "count": len(items), "values": sorted({i["value"] for i in items}),
            "median_seconds": seconds[len(seconds) // 2] if seconds else None,
            "slowest_seconds": seconds[-1] if seconds else None,
        }  # fmt: skip
    truth = stage.community.truth()["outbreak"]
    known = {*truth["addresses"], *truth["domains"], *truth["sha256"]}
    for one in found.values():
        one["of_the_outbreak"] = len(known & set(one.pop("values")))
    return found


def _arrived(claim: _Claims, found: Report) -> None:
    with_some = [one for one in found.values() if one["of_the_outbreak"]]
    claim("indicators of the outbreak reached most gateways", len(with_some) >= 0.7 * len(found))
    medians = [one["median_seconds"] for one in with_some if one["median_seconds"] is not None]
    claim("they took seconds", medians and max(medians) < 10)


class Watcher:
    """An open notice stream; remembers when it was told: `epoch`, or `bye` where the change touches its reader."""

    def __init__(self, browser: Browser) -> None:
        self.opened, self.epoch_at = threading.Event(), 0.0
        self._browser = browser
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        with (
            contextlib.suppress(httpx.HTTPError),
            self._browser.http.stream("GET", "/api/stream", timeout=60) as answer,
        ):
            for line in answer.iter_lines():
                self.opened.set()
                if line.replace(" ", "") in {"event:epoch", "event:bye"}:
                    self.epoch_at = self.epoch_at or time.monotonic()
                    return

    def wait(self, since: float, patience: float = 10.0) -> float | None:
        """Seconds from `since` to the notice; None if it did not come."""
        self._thread.join(patience)
        return round(self.epoch_at - since, 3) if self.epoch_at else None


def revoke(browsers: dict[str, Browser]) -> Report:
    """The first SME revokes its service agreement: seconds until the next read and the open streams obeyed."""
    sme, mssp = browsers["sme"], browsers["mssp"]
    name = f"{sme.member.id}-service"
    watchers = {role: Watcher(browser) for role, browser in browsers.items()}
    for watcher in watchers.values():
        watcher.opened.wait(10)
    had, owners = mssp.total(), mssp.shown("org")
    begun = time.monotonic()
    outcome = sme.post(f"/api/agreements/{name}/revoke", {"reason": "demonstration"})
    next_owners = mssp.shown("org")
    read = round(time.monotonic() - begun, 3)
    return {
        "agreement": name, "epoch": outcome.get("epoch"), "events_before": had, "events_after": mssp.total(),
        "owner_seen_before": sme.member.id in owners, "owner_seen_after": sme.member.id in next_owners,
        "next_read_seconds": read, "streams_seconds": {r: w.wait(begun) for r, w in watchers.items()},
    }  # fmt: skip


def _revoked(claim: _Claims, found: Report) -> None:
    claim("the MSSP saw the SME before it revoked", found["owner_seen_before"])
    claim("the next read obeyed the revocation", not found["owner_seen_after"])
    claim("its events are gone from the MSSP's picture", found["events_after"] < found["events_before"])
    streams = found["streams_seconds"].values()
    claim("open streams were told within a second", all(s is not None and s <= 1.0 for s in streams))


def audit(stage: Stage) -> Report:
    """Verify the checkpoints the SMEs' gateways hold, offline."""
    verified, sizes = 0, []
    for member in stage.smes():
        path = stage.state(member) / "checkpoint.json"
        if not path.exists():
            continue
        done = run(["audit", "verify", str(path), "--log", str(stage.settings.audit / "audit.log")])
        verified += done.returncode == 0
        sizes.append(json.loads(path.read_bytes()).get("size"))
    return {"verified": verified, "sizes": sizes}
