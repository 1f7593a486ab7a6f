"""Backups of a hub that carry the day on which they must end.

Rules held here: the events first, then the audit log, then the metadata, so that what is restored is never older than
what it decides about; the keys (`keys.sqlite`, `kek`) are never inside; a backup ends when the first owner's rows in it
would have to be deleted: after the shortest `delete_after_days` of all owners. `prune` deletes what has ended.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec

from commonwatch.govern.policy import PolicyView
from commonwatch.hub.keeping.retention import DAY, days_of
from commonwatch.hub.settings import Settings

MANIFEST = "manifest.json"


class Settles(Protocol):
    """All that a backup may do with the store before its files are copied. It reads no event."""

    def checkpoint(self) -> None:
        """Everything stored is in the files."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds (file -> SHA-256) and when it ends (microseconds; None: no owner asks for it)."""

    hub: str
    made: int
    expires: int | None
    days: dict[str, int]
    files: dict[str, str]
    metadata: str


def back_up(settings: Settings, store: Settles, view: PolicyView) -> Path:
    """Copy a hub that does not serve meanwhile into a new folder under `backups`; that folder."""
    stamp = dt.datetime.fromtimestamp(view.now / 1_000_000, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = settings.backups / f"hub-{stamp}"
    folder.mkdir(parents=True, mode=0o700)
    store.checkpoint()
    shutil.copytree(settings.store, folder / "store", ignore=shutil.ignore_patterns("spill"))
    shutil.copytree(settings.audit, folder / "audit")
    metadata = "the PostgreSQL database: back it up now, by its own means"
    if settings.database_url.startswith("sqlite:///"):
        metadata = "meta.sqlite"
        _copy_sqlite(Path(settings.database_url.removeprefix("sqlite:///")), folder / metadata)
    days = {o: d for o, policy in view.owners.items() if (d := days_of(policy.documents.own)) is not None}
    files = {str(p.relative_to(folder)): _sum(p) for p in sorted(folder.rglob("*")) if p.is_file()}
    expires = view.now + min(days.values()) * DAY if days else None
    made = Manifest(hub=settings.name, made=view.now, expires=expires, days=days, files=files, metadata=metadata)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(made)))
    return folder


def manifests(settings: Settings) -> Iterator[tuple[Path, Manifest]]:
    """Every backup here, oldest first."""
    for path in sorted(settings.backups.glob(f"hub-*/{MANIFEST}")):
        yield path.parent, msgspec.json.decode(path.read_bytes(), type=Manifest)


def prune(settings: Settings, now: int) -> list[Path]:
    """Delete the backups that have ended; their folders."""
    ended = [folder for folder, made in manifests(settings) if made.expires is not None and made.expires <= now]
    for folder in ended:
        shutil.rmtree(folder)
    return ended


def kept_until(settings: Settings) -> int | None:
    """When the last backup here ends; None when there is none, or one that does not end."""
    ends = [made.expires for _, made in manifests(settings)]
    return None if None in ends else max((e for e in ends if e is not None), default=None)


def _copy_sqlite(file: Path, target: Path) -> None:
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    target.chmod(0o600)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
