"""`commonwatch doctor`: what is in order with a gateway, what is not, and what to do about it. Changes nothing.

Rules held here: every check says what it looked at and what it found; a check that cannot be made is a failure, not
silence; nothing is sent but one signed question for the time, and no record is shown.
"""

from __future__ import annotations

import shutil
import socket
import stat
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import httpx

from commonwatch.errors import CommonwatchError
from commonwatch.gateway.clock import Clock
from commonwatch.gateway.downlink.policy import PolicyKeeper
from commonwatch.gateway.edge import edge_keys
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.labels import checked
from commonwatch.gateway.link import hub_time
from commonwatch.gateway.listening.listeners import address_of
from commonwatch.gateway.report import declared_mappings, geo_table, labelling_file, own_networks
from commonwatch.gateway.state import Identity, Settings, StateFolder
from commonwatch.ingest.archives import Chunks
from commonwatch.ingest.recognise import HEAD_BYTES, recognise

Verdict = Literal["ok", "warning", "failure"]
_SECRETS = ("signing.key", "root.key", "events.key", "originals.key", "gateway.json")
#: Seconds the clocks may differ; bytes that should be free beside the spool's bound.
_DRIFT, _SPARE = 60.0, 256 << 20


class Finding(NamedTuple):
    """One check: what was looked at, how it is, what was found, what to do."""

    what: str
    verdict: Verdict
    found: str
    todo: str = ""


def examine(folder: StateFolder, inputs: Sequence[Path]) -> Iterator[Finding]:
    """Every check, one after the other; later ones need what earlier ones found."""
    try:
        identity, settings = folder.identity, folder.settings()
    except CommonwatchError as error:
        yield _failed("state folder", error)
        return
    yield Finding("state folder", "ok", f"{identity.gateway} of {identity.org_name}, hub {identity.url}")
    yield _secrets(folder.path)
    yield _room(folder.path, settings)
    yield from _hub(identity)
    yield from _policy(folder, identity, settings)
    yield from (_input(path) for path in inputs)
    yield from (_listener(one.kind, *address_of(one.address)) for one in settings.listen)


def _failed(what: str, error: CommonwatchError) -> Finding:
    return Finding(what, "failure", f"{error.what}{f' ({error.where})' if error.where else ''}", error.todo or "")


def _secrets(path: Path) -> Finding:
    open_ = [n for n in _SECRETS if (path / n).exists() and stat.S_IMODE((path / n).stat().st_mode) & 0o077]
    if open_ or stat.S_IMODE(path.stat().st_mode) & 0o077:
        named = ", ".join(open_) or "the folder"
        return Finding("secrets", "failure", f"others on this machine can read {named}", f"chmod -R go= {path}")
    return Finding("secrets", "ok", "readable by their owner alone")


def _room(path: Path, settings: Settings) -> Finding:
    free, wanted = shutil.disk_usage(path).free, settings.spool_mb * 1_048_576 + _SPARE
    said = f"{free >> 20:,} MB free; the spool may take {settings.spool_mb:,} MB"
    if free < wanted:
        return Finding(
            "disk", "warning", said, "free some space, or lower spool_mb: reading stops when the disk is full"
        )
    return Finding("disk", "ok", said)


def _hub(identity: Identity) -> Iterator[Finding]:
    """Whether the hub answers, and how far the clocks are apart."""
    try:
        answer = httpx.get(f"{identity.url}/healthz", timeout=10.0)
    except httpx.HTTPError as error:
        todo = "check the address, the network and the hub's certificate; events wait in the spool meanwhile"
        yield Finding("hub", "failure", f"does not answer: {type(error).__name__}", todo)
        return
    yield Finding("hub", "ok" if answer.is_success else "warning", f"answers {answer.status_code}")
    theirs = hub_time(answer.headers)
    drift = abs(theirs / 1_000_000 - time.time()) if theirs is not None else 0.0
    verdict: Verdict = "warning" if drift > _DRIFT else "ok"
    yield Finding(
        "clock", verdict, f"{drift:.0f} s beside the hub's", "set this machine's clock" if drift > _DRIFT else ""
    )


def _policy(folder: StateFolder, identity: Identity, settings: Settings) -> Iterator[Finding]:
    """The agreements held, and the files the settings name."""
    journal = Journal(folder.path / "gateway.db")
    try:
        keeper = PolicyKeeper(journal, identity, edge_keys(folder.root, identity.org), Clock())
        try:
            keeper.restore()
        except CommonwatchError as error:
            yield _failed("agreements", error)
        held = keeper.held()
        if held is None:
            yield Finding("agreements", "warning", "none received yet: nothing is read", "run the gateway once")
        elif keeper.policy() is None:
            yield Finding("agreements", "warning", "the last ones held have expired", "run the gateway near its hub")
        else:
            yield Finding("agreements", "ok", f"snapshot {keeper.number}, {len(held.documents)} documents")
        yield _settled(
            "labelling rules", lambda: _rules(labelling_file(folder, settings), keeper.owner_keys(), journal)
        )
    finally:
        journal.close()
    yield _settled("own networks", lambda: own_networks(settings))
    yield _settled("table of places", lambda: geo_table(folder, settings))
    yield _settled("declared mappings", lambda: declared_mappings(folder, settings))


def _rules(data: bytes | None, keys: Collection[str], journal: Journal) -> None:
    """Check labelling rules without taking them into use."""
    if data is not None:
        checked(data, keys, journal)


def _settled(what: str, read: Callable[[], object]) -> Finding:
    try:
        read()
    except CommonwatchError as error:
        return _failed(what, error)
    except (ValueError, OSError) as error:
        return Finding(what, "failure", f"cannot be read: {type(error).__name__}", "correct the file")
    return Finding(what, "ok", "readable")


def _input(path: Path) -> Finding:
    """Whether an input can be read and what it is."""
    what = f"input {path}"
    if path.is_dir():
        return Finding(what, "ok", f"a folder with {sum(1 for _ in path.iterdir())} entries")
    try:
        head = next(iter(Chunks(path, HEAD_BYTES)), b"")
    except OSError as error:
        return Finding(what, "failure", f"cannot be read: {error.strerror}", "check the path and who may read it")
    found = recognise(head[:HEAD_BYTES])
    if not head:
        return Finding(what, "ok", "empty so far")
    if found is None:
        return Finding(what, "warning", "of no known format", "see `gateway try` and the guide on formats")
    return Finding(what, "ok", found.title)


def _listener(kind: str, host: str, port: int) -> Finding:
    """Whether a port is free, or taken (perhaps by this very gateway)."""
    what = f"listener {kind} {host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "syslog-udp" else socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(what, "warning", f"taken: {error.strerror}", "well if the gateway runs; else free the port")
    return Finding(what, "ok", "free")
