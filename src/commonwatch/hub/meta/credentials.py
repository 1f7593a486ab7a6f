"""Secrets of people and machines: made at random, stored as hashes, compared in constant time; failed tries slow down.

Rules: random secrets have at least 160 bits, so SHA-256 of them is enough; passphrases go through scrypt (N=2^15, r=8,
p=1, about 0.1 s), at most two at once. A try for an unknown person costs the same as one for a known person.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from commonwatch.errors import InvalidInput, Overloaded

SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 2**20, "dklen": 32}
SHORTEST, LONGEST = 10, 512
_slots = threading.BoundedSemaphore(2)


def random_secret(characters: int = 40) -> str:
    """A new secret in lower-case base32: 5 bits a character."""
    return base64.b32encode(secrets.token_bytes(characters * 5 // 8 + 1)).decode()[:characters].lower()


def hashed(secret: str) -> str:
    """The form in which a random secret is stored and looked up."""
    return hashlib.sha256(b"commonwatch secret\x00" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def same(first: str, second: str) -> bool:
    """Equality in constant time."""
    return hmac.compare_digest(first.encode(), second.encode())


def stretch(passphrase: str, salt: bytes) -> bytes:
    """scrypt of a passphrase. Raises Overloaded when others are already waiting for it."""
    if not _slots.acquire(timeout=3):
        raise Overloaded("too many people log in at once", retry_after=3, todo="try again in a few seconds")
    try:
        return hashlib.scrypt(passphrase.encode(), salt=salt, **SCRYPT)
    finally:
        _slots.release()


def seal_passphrase(passphrase: str) -> str:
    """The stored form `scrypt$salt$hash` of a new passphrase. Raises InvalidInput when it is too short or too long."""
    if not SHORTEST <= len(passphrase) <= LONGEST:
        raise InvalidInput(
            f"a passphrase has {SHORTEST} to {LONGEST} characters", where="passphrase", todo="choose another"
        )
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${stretch(passphrase, salt).hex()}"


def opens(stored: str | None, passphrase: str) -> bool:
    """Whether the passphrase is the stored one; takes as long where nothing is stored."""
    _, salt, expected = (stored or f"scrypt${'00' * 16}${'00' * 32}").split("$")
    found = stretch(passphrase[:LONGEST], bytes.fromhex(salt)).hex()
    return same(found, expected) and stored is not None


class Throttle:
    """Counts failures per name and over all, in a sliding window; too many raise Overloaded. Memory is bounded."""

    def __init__(
        self, each: int = 5, total: int = 200, window: float = 300.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.each, self.total, self.window, self.clock = each, total, window, clock
        self._names: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque(maxlen=total)
        self._lock = threading.Lock()

    def admit(self, name: str = "") -> None:
        """Raise Overloaded when this name, or everybody together, failed too often of late."""
        with self._lock:
            now = self.clock()
            if name:
                self._wait(self._names.get(name, deque()), self.each, now)
            self._wait(self._all, self.total, now)

    def failed(self, name: str = "") -> None:
        """Remember a failure; without a name it counts over all only (a random secret cannot be guessed)."""
        with self._lock:
            now = self.clock()
            self._all.append(now)
            if name:
                self._names.setdefault(name, deque(maxlen=self.each)).append(now)
                self._names.move_to_end(name)
            while len(self._names) > 10_000:
                self._names.popitem(last=False)

    def forget(self, name: str) -> None:
        """A success clears the name."""
        with self._lock:
            self._names.pop(name, None)

    def _wait(self, failures: deque[float], most: int, now: float) -> None:
        if len(failures) >= most and now - failures[0] < self.window:
            seconds = int(self.window - (now - failures[0])) + 1
            todo = f"wait {seconds} seconds, or ask an administrator for a new link"
            raise Overloaded("too many failed logins", retry_after=seconds, todo=todo)
