"""Row references and paging tokens of one reader organisation.

Rules held here (`engine.md` 4): a reference is AES of the event's id under the organisation's key: one block, so
look-ups and paging need no table, and no reference says anything; a paging token is sealed and fits one question.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from commonwatch.errors import InvalidInput


class Pages:
    """References and paging tokens of one reader organisation."""

    def __init__(self, secret: bytes, org: str) -> None:
        key = hmac.digest(secret, b"commonwatch row references\0" + org.encode(), hashlib.sha256)
        self._cipher = Cipher(algorithms.AES128(key[:16]), modes.ECB())  # noqa: S305 - one block, an id, never text
        self._seal = key[16:]

    def reference(self, uid: bytes) -> str:
        """The reader's own reference to an event."""
        encryptor = self._cipher.encryptor()
        return base64.urlsafe_b64encode(encryptor.update(uid)).decode().rstrip("=")

    def event(self, reference: str) -> bytes:
        """The id of the event behind one of these references."""
        decryptor = self._cipher.decryptor()
        return decryptor.update(base64.urlsafe_b64decode(reference + "=" * (-len(reference) % 4)))

    def token(self, position: list[Any], question: str) -> str:
        """Where a page ended, sealed: it says nothing that the page did not show, and fits only this question."""
        body = json.dumps(position).encode()
        tag = hmac.digest(self._seal, question.encode() + b"\0" + body, hashlib.sha256)[:16]
        return base64.urlsafe_b64encode(tag + self._mask(tag, body)).decode().rstrip("=")

    def position(self, token: str, question: str) -> list[Any]:
        """Back from a paging token. Raises InvalidInput if it is not one of this reader's for this question."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        tag, body = raw[:16], self._mask(raw[:16], raw[16:])
        if not hmac.compare_digest(tag, hmac.digest(self._seal, question.encode() + b"\0" + body, hashlib.sha256)[:16]):
            raise InvalidInput("this page no longer exists", where="after", todo="start again from the first page")
        found: list[Any] = json.loads(body)
        return found

    def _mask(self, tag: bytes, body: bytes) -> bytes:
        stream = hashlib.shake_256(self._seal + tag).digest(len(body))
        return bytes(a ^ b for a, b in zip(body, stream, strict=True))
