"""Original records, kept at the gateway alone: bounded, encrypted, found again by event id.

Rules held here: nothing is kept unless the owner asks for it (`keep_originals_mb`); what is kept never leaves; each
block is compressed and sealed with ChaCha20-Poly1305 under a key of the state folder, bound to its number; when the
bound is reached the oldest blocks go. A record is here before the journal says that it was read.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blocks (no INTEGER PRIMARY KEY AUTOINCREMENT, bytes INTEGER NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ids (id BLOB PRIMARY KEY, block INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ids_block ON ids (block);
"""
#: The file in the state folder.
ORIGINALS = "originals.db"
_NONCE = 12
#: What an id costs beside its block, bytes.
_EACH = 64
#: A block is at most so large when opened; it was sealed here, so more is damage.
_MOST = 1 << 30
_CUT = (
    "DELETE FROM blocks WHERE no <= (SELECT no FROM"
    " (SELECT no, sum(bytes) OVER (ORDER BY no DESC) AS total FROM blocks) WHERE total > ? ORDER BY no DESC LIMIT 1)"
)


class Original(msgspec.Struct, frozen=True, array_like=True):
    """A record as it came, and what its format remembered when it was read."""

    record: bytes
    format: str = ""
    memory: bytes = b""


_decoder = msgspec.msgpack.Decoder(dict[bytes, Original])


class Originals:
    """A ring of blocks in one file. Safe from several threads."""

    def __init__(self, path: Path, key: bytes, most: int) -> None:
        """`key`: 32 bytes; `most` bytes are kept."""
        path.touch(mode=0o600, exist_ok=True)
        self._cipher, self._most, self._lock = ChaCha20Poly1305(key), most, threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, timeout=30)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;" + _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def keep(self, records: Mapping[bytes, Original]) -> None:
        """Keep records by event id, as one block; the oldest blocks go where there is no room."""
        if not records:
            return
        plain = zlib.compress(msgspec.msgpack.encode(records), 1)
        with self._lock, self._db as db:
            no = int(db.execute("INSERT INTO blocks (bytes, sealed) VALUES (0, x'')").lastrowid or 0)
            nonce = secrets.token_bytes(_NONCE)
            sealed = nonce + self._cipher.encrypt(nonce, plain, _bound(no))
            size = len(sealed) + _EACH * len(records)
            db.execute("UPDATE blocks SET bytes = ?, sealed = ? WHERE no = ?", (size, sealed, no))
            db.executemany("INSERT OR REPLACE INTO ids VALUES (?, ?)", [(uid, no) for uid in records])
            db.execute(_CUT, (self._most,))
            db.execute("DELETE FROM ids WHERE block < (SELECT coalesce(min(no), ?) FROM blocks)", (no + 1,))

    def find(self, event_uid: bytes) -> Original | None:
        """The record behind an event; None when it was never kept, or its time is up."""
        query = "SELECT no, sealed FROM blocks JOIN ids ON block = no WHERE id = ?"
        with self._lock:
            row = self._db.execute(query, (event_uid,)).fetchone()
        return self._open(*row).get(event_uid) if row else None

    def containing(self, text: bytes) -> Iterator[tuple[bytes, Original]]:
        """Every record with these bytes in it, newest block first."""
        with self._lock:
            numbers = [no for (no,) in self._db.execute("SELECT no FROM blocks ORDER BY no DESC")]
        for no in numbers:
            with self._lock:
                row = self._db.execute("SELECT sealed FROM blocks WHERE no = ?", (no,)).fetchone()
            found = self._open(no, row[0]) if row else {}
            yield from ((uid, original) for uid, original in found.items() if text in original.record)

    def _open(self, no: int, sealed: bytes) -> dict[bytes, Original]:
        """A block's records; none where it was damaged or changed."""
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _bound(no))
            return _decoder.decode(zlib.decompressobj().decompress(plain, _MOST))
        except (InvalidTag, zlib.error, msgspec.DecodeError):
            return {}


def _bound(no: int) -> bytes:
    return b"commonwatch originals 1\x00" + no.to_bytes(8, "big")
