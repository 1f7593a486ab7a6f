"""What a gateway can say about itself: counts, status, the summary of a run. Numbers and reasons, never values."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from commonwatch.errors import InvalidInput
from commonwatch.events.address import IpNetwork
from commonwatch.gateway.downlink.inbox import listing
from commonwatch.gateway.downlink.witness import held_checkpoint
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.state import Settings, StateFolder
from commonwatch.ingest.declared import Declared, read_declared
from commonwatch.ingest.geo import GeoTable, read_table
from commonwatch.wire.messages import Counts

_PLAIN = ("read", "mapped", "not_agreed", "spooled", "sent", "acknowledged", "stored", "refused", "duplicate_batches")


def by_reason(counts: Mapping[str, int], kind: str) -> dict[str, int]:
    """Counts of one kind by what stands behind the colon."""
    return {k.partition(":")[2]: v for k, v in sorted(counts.items()) if k.startswith(f"{kind}:") and v}


def counts_of(counts: Mapping[str, int]) -> Counts:
    """The counts a heartbeat carries."""
    plain = {
        k: counts.get(k, 0) for k in ("read", "mapped", "not_agreed", "spooled", "sent", "acknowledged", "refused")
    }
    return Counts(skipped=by_reason(counts, "skipped"), quarantined=by_reason(counts, "quarantined"), **plain)


def known(counts: Mapping[str, int]) -> int:
    """Events the hub had already: another gateway of ours brought them, or a batch was sent twice."""
    return max(0, counts.get("acknowledged", 0) - counts.get("stored", 0))


def summary(journal: Journal, before: Mapping[str, int], seconds: float) -> dict[str, Any]:
    """What changed since `before`."""
    after = journal.counts()
    done = {name: after.get(name, 0) - before.get(name, 0) for name in after}
    batches, events, _ = journal.depth()
    return {
        **{name: done.get(name, 0) for name in _PLAIN},
        "skipped": by_reason(done, "skipped"),
        "quarantined": by_reason(done, "quarantined"),
        "damage": by_reason(done, "damage"),
        "spool": {"batches": batches, "events": events},
        "seconds": round(seconds, 3),
    }


def status(folder: StateFolder, *, values: bool = False) -> dict[str, Any]:
    """Everything an operator may want to know, without a running gateway. `values`: also what indicators name here."""
    identity, journal = folder.identity, Journal(folder.path / "gateway.db")
    try:
        counts, checkpoint = journal.counts(), held_checkpoint(journal)
        batches, events, size = journal.depth()
        return {
            "gateway": identity.gateway,
            "org": identity.org,
            "hub": identity.url,
            "spool": {"batches": batches, "events": events, "bytes": size},
            "counts": msgspec.to_builtins(counts_of(counts))
            | {"stored": counts.get("stored", 0), "known": known(counts)},
            "set_aside": [{"rows": rows, "reason": reason} for _, rows, reason in journal.set_aside_reasons()],
            "files": [
                {"path": m.path, "position": m.position, "size": m.size, "format": m.format, "done": m.done}
                for m in journal.marks()
            ],
            "indicators": len(held := listing(journal, folder)),
            "matches": len(seen := {i["value"]: i["seen_here"] for i in held if "seen_here" in i}),
            "checkpoint": None if checkpoint is None else {"size": checkpoint.size, "root": checkpoint.root},
            "evidence": [{"at": at, "what": what} for at, what, _ in journal.evidence()],
            "distrusts_hub": bool(journal.note("distrust")),
        } | ({"seen_here": [{"value": v, **s} for v, s in seen.items()]} if values else {})
    finally:
        journal.close()


def labelling_file(folder: StateFolder, settings: Settings) -> bytes | None:
    """The owner's signed labelling rules, if there are any."""
    return _file(folder, settings.labels) if settings.labels else None


def geo_table(folder: StateFolder, settings: Settings) -> GeoTable | None:
    """The table of countries and AS numbers, if there is one."""
    return read_table(_file(folder, settings.geo).decode().splitlines()) if settings.geo else None


def _file(folder: StateFolder, name: str) -> bytes:
    """A file the settings name, relative to the folder."""
    path = folder.path / Path(name)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(path), todo="correct settings.toml") from None


def declared_mappings(folder: StateFolder, settings: Settings) -> Callable[[str], Declared | None]:
    """Path of an input -> the mapping that is declared for it; the first pattern that fits."""
    known = [(pattern, read_declared(_file(folder, name))) for pattern, name in settings.mappings.items()]
    return lambda path: next((found for pattern, found in known if fnmatchcase(path, pattern)), None)


def own_networks(settings: Settings) -> tuple[IpNetwork, ...]:
    """The site's own networks."""
    try:
        return tuple(ipaddress.ip_network(n) for n in settings.own_networks)
    except ValueError as error:
        raise InvalidInput(str(error), where="settings.toml: own_networks", todo="write 10.1.0.0/16") from None
