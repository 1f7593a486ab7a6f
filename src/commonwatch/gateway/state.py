"""The gateway's state folder: who it is, its keys, its settings, and the lock that keeps a second run out.

Rules held here: the folder is 0700 and every file in it 0600; files are written whole and synced before they are named;
the owner's root key (`root.key`) is made here, never leaves, and is copied by hand to a second gateway of the owner.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatch.errors import Conflict, InvalidInput, NotFound

ENROL_FIRST = "run `commonwatch gateway enrol URL CODE` first"
_SECRETS = ("signing.key", "root.key", "events.key")


class Identity(msgspec.Struct, frozen=True):
    """What enrolment settled. Keys are 32 raw bytes (base64 in the file)."""

    url: str
    gateway: str
    org: str
    org_name: str
    name: str
    hub_key: bytes
    owner_key: bytes
    audit_key: bytes
    enrolled: int

    @property
    def hub(self) -> Ed25519PublicKey:
        """The hub's signing key, pinned at enrolment."""
        return Ed25519PublicKey.from_public_bytes(self.hub_key)

    @property
    def owner(self) -> Ed25519PublicKey:
        """The owner's signing key, pinned at enrolment."""
        return Ed25519PublicKey.from_public_bytes(self.owner_key)


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One listener. Files are relative to the folder; TLS needs `cert` and `key`, HTTP beyond loopback a token."""

    kind: Literal["syslog-udp", "syslog-tcp", "syslog-tls", "http"]
    address: str
    cert: str = ""
    key: str = ""
    token_file: str = ""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`settings.toml` in the folder; every line of it may be absent.

    `spool_mb` bounds the spool on disk; `reserve_mb` is left free on the disk; `keep_sent_mb` of acknowledged batches
    are kept for a hub that is restored from a backup, and `keep_originals_mb` of records as they came. `mappings`: path
    pattern (`/var/log/router/*.csv`) -> declared mapping file. `listen`: what tools may send to by themselves.
    `status`: HOST:PORT of the local status page.
    `shared`: another gateway of ours, with the same root key, reads the same logs; the hub keeps each event once.
    `lookback_rows` and `lookback_days` bound the index of observables seen here; 0 rows: there is none.
    """

    zone: str = "UTC"
    own_networks: tuple[str, ...] = ()
    labels: str = ""
    geo: str = ""
    spool_mb: int = 2_048
    reserve_mb: int = 32
    keep_sent_mb: int = 64
    keep_originals_mb: int = 0
    mappings: dict[str, str] = {}
    listen: tuple[Listen, ...] = ()
    status: str = ""
    shared: bool = False
    lookback_rows: int = 500_000
    lookback_days: int = 90


class StateFolder:
    """A gateway's folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        """Make the folder and its secrets if they are not there yet; existing ones are kept."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        for name in _SECRETS:
            if not (self.path / name).exists():
                self.write(name, secrets.token_bytes(32))

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the folder whole: either the old or the new content survives a crash. 0600."""
        target, draft = self.path / name, self.path / f".{name}.new"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(target)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def adopt_root(self, root: bytes) -> None:
        """Take over the owner's root key from another gateway of the same owner."""
        if len(root) != 32:
            raise InvalidInput("a root key is 32 bytes", where="root", todo="copy root.key of the other gateway")
        self.write("root.key", root)

    def _secret(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            raise NotFound("this folder has no gateway's keys", where=str(self.path), todo=ENROL_FIRST) from None

    @property
    def signing_key(self) -> Ed25519PrivateKey:
        """The gateway's own key."""
        return Ed25519PrivateKey.from_private_bytes(self._secret("signing.key"))

    @property
    def root(self) -> bytes:
        """The owner's root key for pseudonyms: 32 bytes."""
        return self._secret("root.key")

    @property
    def events_key(self) -> bytes:
        """The key of event ids: 32 bytes."""
        return self._secret("events.key")

    @property
    def originals_key(self) -> bytes:
        """The key that original records are sealed with: 32 bytes, made when it is first asked for."""
        if not (self.path / "originals.key").exists():
            self.write("originals.key", secrets.token_bytes(32))
        return self._secret("originals.key")

    @property
    def identity(self) -> Identity:
        """Who this gateway is; NotFound before enrolment."""
        try:
            return msgspec.json.decode((self.path / "gateway.json").read_bytes(), type=Identity)
        except FileNotFoundError:
            raise NotFound("this gateway is not enrolled", where=str(self.path), todo=ENROL_FIRST) from None
        except msgspec.DecodeError as error:
            raise InvalidInput(
                f"the gateway's identity is damaged: {error}", where="gateway.json", todo=ENROL_FIRST
            ) from None

    def save_identity(self, identity: Identity) -> None:
        """Keep what enrolment settled."""
        self.write("gateway.json", msgspec.json.format(msgspec.json.encode(identity)))

    def settings(self) -> Settings:
        """The settings, or their defaults."""
        try:
            text = (self.path / "settings.toml").read_text(encoding="utf-8")
            return msgspec.convert(tomllib.loads(text), Settings)
        except FileNotFoundError:
            return Settings()
        except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise InvalidInput(str(error), where="settings.toml", todo="correct the file") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one running gateway; Conflict if another run holds it."""
        fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise Conflict("this gateway is already running", where=str(self.path), todo="stop the other run") from None
        finally:
            os.close(fd)
