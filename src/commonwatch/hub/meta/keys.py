"""Keys the hub keeps, wrapped, in a file of their own: `keys.sqlite`, and `kek` (the key that wraps them), both 0600.

Kinds: `hub` and `audit` (the hub's own Ed25519 seeds), `pseudonym` (32 bytes per owner, from which readers' pseudonym
keys derive), `signing` (an organisation's Ed25519 seed, kept here ONLY as a labelled convenience; an organisation that
signs elsewhere has none).
Rules (`engine.md` 9.4): destroying a key deletes it, makes a new wrapping key and wraps the survivors again: old copies
of the file are dead too. Neither file belongs in an ordinary backup. Keys are never logged or shown.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, LargeBinary, String, delete, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from commonwatch.errors import NotFound, Unavailable
from commonwatch.hub.meta.database import answering, sqlite_engine

Kind = Literal["hub", "audit", "pseudonym", "signing"]


class KeyTable(DeclarativeBase):
    """The key file has one table of its own."""


class Wrapped(KeyTable):
    """A wrapped key: 12 bytes of nonce, then AES-256-GCM over the 32 bytes, bound to its kind and name."""

    __tablename__ = "wrapped"
    kind: Mapped[str] = mapped_column(String, primary_key=True)
    name: Mapped[str] = mapped_column(String, primary_key=True)
    key: Mapped[bytes] = mapped_column(LargeBinary)


class KeyFile:
    """The keys of one hub. Implements govern's KeySource. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.path, self.kek_path = folder / "keys.sqlite", folder / "kek"
        self._known: dict[tuple[str, str], bytes] = {}
        self._lock = threading.RLock()
        self._create()
        self.engine = sqlite_engine(f"sqlite:///{self.path}", "BEGIN IMMEDIATE")
        with answering(), self.engine.begin() as connection:
            KeyTable.metadata.create_all(connection)
            self._recover(connection)

    def _recover(self, connection: Connection) -> None:
        """Finish or undo a `destroy` that a crash cut short: whichever wrapping key opens the file stays."""
        beside = self.kek_path.with_suffix(".new")
        if not beside.exists():
            return
        row = connection.execute(select(Wrapped.kind, Wrapped.name, Wrapped.key).limit(1)).first()
        try:
            unwrap(self._kek(), *row) if row else None
            beside.unlink()
        except Unavailable:
            os.replace(beside, self.kek_path)

    def _create(self) -> None:
        for path, content in ((self.kek_path, secrets.token_bytes(32)), (self.path, b"")):
            if not path.exists():
                if path == self.kek_path and self.path.exists():
                    raise Unavailable(
                        "the key file is there, but not its wrapping key", where=str(path), todo="restore it"
                    )
                write_private(path, content)

    def pseudonym_key(self, owner: str) -> bytes | None:
        """The owner's key for readers' pseudonyms; None once destroyed or never made."""
        return self.get("pseudonym", owner)

    def get(self, kind: Kind, name: str) -> bytes | None:
        """The 32 bytes of a key, or None. Raises Unavailable when the file does not answer or does not unwrap."""
        with self._lock:
            if (known := self._known.get((kind, name))) is not None:
                return known
            with answering(), self.engine.connect() as connection:
                found = connection.scalar(select(Wrapped.key).where(Wrapped.kind == kind, Wrapped.name == name))
            if found is None:
                return None
            return self._known.setdefault((kind, name), unwrap(self._kek(), kind, name, found))

    def need(self, kind: Kind, name: str) -> bytes:
        """Like `get`, but NotFound when there is none."""
        if (key := self.get(kind, name)) is None:
            raise NotFound(f"this hub holds no {kind} key of {name}", todo="sign with the key where it is kept")
        return key

    def ensure(self, kind: Kind, name: str) -> bytes:
        """The key, made now when there is none yet."""
        with self._lock:
            if (known := self.get(kind, name)) is not None:
                return known
            fresh = secrets.token_bytes(32)
            with answering(), self.engine.begin() as connection:
                found = connection.scalar(select(Wrapped.key).where(Wrapped.kind == kind, Wrapped.name == name))
                if found is None:
                    values = {"kind": kind, "name": name, "key": wrap(self._kek(), kind, name, fresh)}
                    connection.execute(insert(Wrapped).values(values))
            return self._known.setdefault((kind, name), unwrap(self._kek(), kind, name, found) if found else fresh)

    def put(self, kind: Kind, name: str, key: bytes) -> None:
        """Keep this key, in place of whatever was kept."""
        with self._lock, answering(), self.engine.begin() as connection:
            connection.execute(delete(Wrapped).where(Wrapped.kind == kind, Wrapped.name == name))
            values = {"kind": kind, "name": name, "key": wrap(self._kek(), kind, name, key)}
            connection.execute(insert(Wrapped).values(values))
            self._known[(kind, name)] = key

    def destroy(self, name: str, kinds: Sequence[Kind] = ("pseudonym", "signing")) -> None:
        """Destroy one owner's keys of these kinds (all it has), in this file and in every old copy of it."""
        with self._lock:
            old, new = self._kek(), secrets.token_bytes(32)
            beside = self.kek_path.with_suffix(".new")
            beside.unlink(missing_ok=True)
            write_private(beside, new)
            with answering(), self.engine.begin() as connection:
                connection.execute(delete(Wrapped).where(Wrapped.name == name, Wrapped.kind.in_(kinds)))
                rewrap(connection, old, new)
            os.replace(beside, self.kek_path)
            with answering(), self.engine.connect() as connection:
                connection.rollback()
                connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._known.clear()

    def _kek(self) -> bytes:
        try:
            return self.kek_path.read_bytes()
        except OSError as error:
            raise Unavailable("the wrapping key cannot be read", where=str(self.kek_path), todo="restore it") from error

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()


def write_private(path: Path, content: bytes) -> None:
    """A new file that only we may read, on disk before we go on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def wrap(kek: bytes, kind: str, name: str, key: bytes) -> bytes:
    """The stored form of a key."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(kek).encrypt(nonce, key, f"{kind}\x00{name}".encode())


def unwrap(kek: bytes, kind: str, name: str, stored: bytes) -> bytes:
    """The key of a stored form. Raises Unavailable when the wrapping key is another one."""
    try:
        return AESGCM(kek).decrypt(stored[:12], stored[12:], f"{kind}\x00{name}".encode())
    except InvalidTag as error:
        raise Unavailable("a key does not unwrap", where="kek", todo="restore kek and keys.sqlite together") from error


def rewrap(connection: Connection, old: bytes, new: bytes) -> None:
    """Wrap every key under a new wrapping key."""
    for row in connection.execute(select(Wrapped.kind, Wrapped.name, Wrapped.key)).all():
        fresh = wrap(new, row.kind, row.name, unwrap(old, row.kind, row.name, row.key))
        connection.execute(update(Wrapped).where(Wrapped.kind == row.kind, Wrapped.name == row.name).values(key=fresh))
