"""A signing key behind a passphrase: the file that the browser saves and the command line reads, and the reverse.

Rules held here: the container is a standard JWE (RFC 7516, flattened JSON) around a JWK (RFC 7517 section 7); the
passphrase, in Unicode NFC, is stretched by PBKDF2 with HMAC-SHA-512 (RFC 7518 section 4.8); a file cannot make this
program compute without end; what does not open gives no key, and a wrong passphrase is said to be one.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable
from typing import Any

import msgspec
import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from commonwatch.agreements.decode import from_json
from commonwatch.agreements.signing import SigningKey, b64, unb64
from commonwatch.errors import CommonwatchError, InvalidInput

ALGORITHM, CIPHER = "PBES2-HS512+A256KW", "A256GCM"
#: Rounds of PBKDF2: ours (OWASP asks for 210,000 of HMAC-SHA-512), the fewest and the most of a file.
ROUNDS, FEWEST, MOST = 300_000, 1_000, 5_000_000
#: The fewest characters of a passphrase.
SHORTEST = 12
_TAG = 16
_NONE, _SAVED = "this is not a locked key file", "give the file that was saved when the key was made"


class Locked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: every member base64url."""

    protected: str
    encrypted_key: str
    iv: str
    ciphertext: str
    tag: str


class _Header(msgspec.Struct, frozen=True):
    alg: str
    enc: str
    p2c: int
    p2s: str


def is_locked(plain: object) -> bool:
    """Whether what a file holds is a key behind a passphrase."""
    return isinstance(plain, dict) and {"protected", "ciphertext"} <= set(plain)


def lock(key: SigningKey, passphrase: str, *, random: Callable[[int], bytes] = secrets.token_bytes) -> Locked:
    """The key in a file that only the passphrase opens. Raises InvalidInput for a short one."""
    if len(passphrase) < SHORTEST:
        raise InvalidInput(f"the passphrase has fewer than {SHORTEST} characters", todo="four or five words are good")
    salt, inner, iv = random(16), random(32), random(12)
    header: dict[str, str | int] = {"alg": ALGORITHM, "cty": "jwk+json", "enc": CIPHER, "kid": key.thumbprint}
    protected = b64(rfc8785.dumps({**header, "p2c": ROUNDS, "p2s": b64(salt)}))
    sealed = AESGCM(inner).encrypt(iv, rfc8785.dumps(key.private_jwk()), protected.encode())
    wrapped = aes_key_wrap(_stretched(passphrase, salt, ROUNDS), inner)
    return Locked(protected, b64(wrapped), b64(iv), b64(sealed[:-_TAG]), b64(sealed[-_TAG:]))


def unlock(plain: object, passphrase: str) -> dict[str, Any]:
    """The private JWK in a locked file. Raises InvalidInput: another passphrase, a changed file, none at all."""
    locked, salt, rounds = _opened(plain)
    try:
        wrapped, iv = unb64(locked.encrypted_key), unb64(locked.iv)
        inner = aes_key_unwrap(_stretched(passphrase, salt, rounds), wrapped)
        sealed = unb64(locked.ciphertext) + unb64(locked.tag)
        found = from_json(AESGCM(inner).decrypt(iv, sealed, locked.protected.encode()).decode())
    except InvalidUnwrap:
        raise InvalidInput("this passphrase does not open the file", todo="mind capitals and the keyboard") from None
    except (InvalidTag, ValueError, CommonwatchError):
        raise InvalidInput("the key file was damaged or changed", todo="use another copy of it") from None
    if not isinstance(found, dict):
        raise InvalidInput("there is no key in the file")
    return found


def _opened(plain: object) -> tuple[Locked, bytes, int]:
    """The parts of a file that this program is ready to compute with."""
    try:
        locked = msgspec.convert(plain, Locked)
        header = from_json(unb64(locked.protected).decode())
        made = msgspec.convert(header, _Header)
        salt = unb64(made.p2s)
    except (msgspec.ValidationError, ValueError, CommonwatchError):
        raise InvalidInput(_NONE, todo=_SAVED) from None
    if (made.alg, made.enc) == (ALGORITHM, CIPHER) and FEWEST <= made.p2c <= MOST:
        return locked, salt, made.p2c
    raise InvalidInput(_NONE, todo=_SAVED)


def _stretched(passphrase: str, salt: bytes, rounds: int) -> bytes:
    """The key that wraps (RFC 7518 section 4.8.1.1: the algorithm's name and a zero go before the salt)."""
    salted = ALGORITHM.encode() + b"\0" + salt
    typed = unicodedata.normalize("NFC", passphrase).encode()
    return PBKDF2HMAC(SHA512(), 32, salted, rounds).derive(typed)
