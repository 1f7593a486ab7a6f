"""Signatures: Ed25519 keys, JWS in the general JSON form, and every check on it. Nothing is taken on trust.

Rules held here (`agreements.md` 11): the payload is RFC 8785 bytes made once and never re-serialised; exactly one
signature per party; the set of key ids equals the set of the parties' keys; a protected header has exactly the
expected members and an envelope no others; one algorithm; each signature is verified against *that* party's key; the
hash of the English text is signed too, so that what was read is what was signed. Public keys travel beside the
signatures and certify themselves: a key id is the key's RFC 7638 thumbprint.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import canonical, convert, digest, from_json
from commonwatch.agreements.document import Agreement, Charter, CommunityCharter, Document, Party, Signer
from commonwatch.agreements.english import GRAMMAR, grammars, say
from commonwatch.errors import CommonwatchError, InvalidInput, SignatureError

ALGORITHM = "Ed25519"
TYPES: dict[type[Document], str] = {
    Agreement: "dsa+json", Charter: "dsa-charter+json", CommunityCharter: "dsa-community-charter+json",
}  # fmt: skip
MAX_ENVELOPE = 4 << 20
_TODO = "ask who sent it for the signed original"


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One JWS signature: base64url of the protected header and of the 64 bytes. No unprotected header."""

    protected: str
    signature: str


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """JWS JSON serialisation, general form (RFC 7515 7.2.1), with the public keys (base64url) beside it."""

    payload: str
    signatures: tuple[Signature, ...] = ()
    keys: tuple[str, ...] = ()


class Verified(msgspec.Struct, frozen=True):
    """A document whose every signature was verified, and the digest of its payload."""

    document: Document
    digest: str


class SigningKey:
    """An Ed25519 key pair. The private part leaves only through `private_jwk`."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()
        self.thumbprint = thumbprint(self.public)

    @classmethod
    def generate(cls) -> SigningKey:
        """A new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of 32 secret bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, str]) -> SigningKey:
        """From a private JWK (RFC 8037). Raises InvalidInput if it is not one."""
        if (jwk.get("kty"), jwk.get("crv")) != ("OKP", ALGORITHM):
            raise InvalidInput("this is not an Ed25519 key (JWK)", todo="make one with `agreement keygen`")
        try:
            key = cls.from_seed(unb64(jwk["d"], "d"))
        except (KeyError, ValueError, SignatureError):
            raise InvalidInput("the private part of the key is missing or malformed", where="d") from None
        if jwk.get("x", b64(key.public)) != b64(key.public):
            raise InvalidInput("the two halves of the key do not belong together", where="x")
        return key

    def private_jwk(self) -> dict[str, str]:
        """The whole key as a JWK: keep it secret."""
        return {**public_jwk(self.public), "d": b64(self._private.private_bytes_raw())}

    def sign(self, message: bytes) -> bytes:
        """64 bytes over `message`."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"SigningKey({self.thumbprint})"


def b64(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str, where: str = "") -> bytes:
    """Bytes of canonical, unpadded base64url; SignatureError for anything else."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    if b64(data) != text:
        raise SignatureError("this is not canonical base64url without padding", where=where, todo=_TODO)
    return data


def public_jwk(public: bytes) -> dict[str, str]:
    """A public key as a JWK (RFC 8037)."""
    return {"crv": ALGORITHM, "kty": "OKP", "x": b64(public)}


@lru_cache(maxsize=16_384)
def thumbprint(public: bytes) -> str:
    """RFC 7638 thumbprint of a public key: SHA-256 of its canonical JWK, base64url."""
    return b64(hashlib.sha256(rfc8785.dumps(public_jwk(public))).digest())


def envelope_from(data: bytes | str) -> Envelope:
    """An envelope from JSON; refuses the flattened form, unprotected headers, unknown and repeated members."""
    if len(data) > MAX_ENVELOPE:
        raise InvalidInput(f"the envelope has more than {MAX_ENVELOPE} bytes")
    try:
        text = data.decode() if isinstance(data, bytes) else data
        return msgspec.convert(from_json(text), type=Envelope)
    except UnicodeDecodeError:
        raise SignatureError("the envelope is not UTF-8 text", todo=_TODO) from None
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        raise SignatureError(f"not a JWS in general form: {what}", where=where.rstrip("`"), todo=_TODO) from None


def envelope_bytes(envelope: Envelope) -> bytes:
    """An envelope as JSON."""
    return msgspec.json.encode(envelope)


# --- signing ---------------------------------------------------------------------------------------------------------


def propose(document: Document) -> Envelope:
    """Freeze a document: its canonical bytes, checked, not yet signed by anybody."""
    check(document)
    return Envelope(b64(canonical(document)))


def sign(payload: bytes, typ: str, key: SigningKey, **more: str) -> Signature:
    """One signature over `payload`; `more` are further protected header members."""
    header = {"alg": ALGORITHM, "kid": key.thumbprint, "typ": typ, **more}
    protected = b64(rfc8785.dumps(header))
    return Signature(protected, b64(key.sign(f"{protected}.{b64(payload)}".encode())))


def sign_document(envelope: Envelope, key: SigningKey) -> Envelope:
    """Add one party's signature, in place of its earlier one. Raises InvalidInput if the key is not that of a party."""
    document = read_payload(envelope)
    if key.thumbprint not in signer_keys(document):
        raise InvalidInput(
            "this key belongs to no party of the document", where="$.parties", todo="check `key` of each party"
        )
    kept = [s for s in envelope.signatures if _header(s)["kid"] != key.thumbprint]
    made = sign(unb64(envelope.payload), TYPES[type(document)], key, grammar=GRAMMAR, text=text_digest(document))
    keys = tuple(dict.fromkeys((*envelope.keys, b64(key.public))))
    return Envelope(envelope.payload, (*kept, made), keys)


def text_digest(document: Document, grammar: str = GRAMMAR) -> str:
    """SHA-256 of the English text people read before signing. SignatureError for a grammar that cannot say it."""
    if grammar not in grammars(document):
        raise SignatureError(
            f"grammar {grammar[:8]!r} is not known for this document", where="grammar", todo="update this program"
        )
    return digest(say(document).encode())


def sign_message(typ: str, payload: bytes, key: SigningKey) -> Envelope:
    """An envelope around any bytes, signed by one key."""
    return Envelope(b64(payload), (sign(payload, typ, key),), (b64(key.public),))


# --- verifying -------------------------------------------------------------------------------------------------------


def signers(document: Document) -> tuple[Signer | Party, ...]:
    """Who must sign: all parties, the owner of a charter, the steward of a community's."""
    if isinstance(document, Agreement):
        return document.parties
    return (document.owner if isinstance(document, Charter) else document.steward,)


def signer_keys(document: Document) -> list[str]:
    """The thumbprints of all who must sign."""
    return [signer.key for signer in signers(document)]


def read_payload(envelope: Envelope) -> Document:
    """The document inside, checked and canonical. Says nothing about signatures."""
    payload = unb64(envelope.payload, "payload")
    try:
        document = convert(from_json(payload.decode()))
        check(document)
    except UnicodeDecodeError:
        raise InvalidInput("the payload is not UTF-8 text", where="payload") from None
    if canonical(document) != payload:
        raise SignatureError("the payload is not in canonical form (RFC 8785)", where="payload", todo=_TODO)
    return document


def verify_document(envelope: Envelope, keys: Iterable[bytes] = ()) -> Verified:
    """The document, if every one of its signers, and nobody else, signed exactly these bytes.

    `keys` are further public keys to the ones the envelope carries. Raises SignatureError or InvalidInput.
    """
    document = read_payload(envelope)
    headers = [_header(s, more=("text", "grammar")) for s in envelope.signatures]
    kids, wanted = [h["kid"] for h in headers], signer_keys(document)
    if len(set(kids)) != len(kids):
        raise SignatureError("one key signed twice", where="signatures", todo=_TODO)
    if set(kids) != set(wanted) or len(wanted) != len(kids):
        missing = [s.id for s in signers(document) if s.key not in kids]
        what = f"not yet signed by {', '.join(missing)}" if missing else "signed by a key that belongs to no party"
        raise SignatureError(what, where="signatures", todo="every party signs, and nobody else")
    ring = _ring(envelope, keys)
    for number, signature in enumerate(envelope.signatures):
        _verify_part(document, envelope.payload, signature, ring, f"signatures[{number}]")
    return Verified(document, digest(unb64(envelope.payload)))


def verify_part(envelope: Envelope, signature: Signature, key: bytes) -> Signer | Party:
    """Whose signature of a document this is, if it was made with this public key, over exactly the envelope's bytes.

    For collecting signatures one by one. Raises SignatureError, also when the key is that of no signer.
    """
    document = read_payload(envelope)
    kid = _verify_part(document, envelope.payload, signature, {thumbprint(key): key}, "signature")
    found = [signer for signer in signers(document) if signer.key == kid]
    if not found:
        raise SignatureError("signed by a key that belongs to no party", where="signature", todo=_TODO)
    return found[0]


def _verify_part(document: Document, payload: str, signature: Signature, ring: Mapping[str, bytes], where: str) -> str:
    """The key id of one signature of a document, every check on it held."""
    header = _header(signature, more=("text", "grammar"))
    _expect(header, TYPES[type(document)], where)
    if header["text"] != text_digest(document, header["grammar"]):
        raise SignatureError("the text that was read is not the text of this document", where=where, todo=_TODO)
    _verify(payload, signature, ring, header["kid"], where)
    return header["kid"]


def verify_agreement(envelope: Envelope, keys: Iterable[bytes] = ()) -> Agreement:
    """The agreement, fully signed (`verify_document`)."""
    document = verify_document(envelope, keys).document
    if not isinstance(document, Agreement):
        raise SignatureError("this is not an agreement", where="payload", todo=_TODO)
    return document


def signed_by(envelope: Envelope, keys: Iterable[bytes] = ()) -> frozenset[str]:
    """Of a partly signed document: the organisations whose signatures are there and valid."""
    document, ring = read_payload(envelope), _ring(envelope, keys)
    found: set[str] = set()
    for signature in envelope.signatures:
        try:
            kid = _verify_part(document, envelope.payload, signature, ring, "signatures")
            found |= {s.id for s in signers(document) if s.key == kid}
        except SignatureError:
            continue
    return frozenset(found)


class Message(NamedTuple):
    """The verified bytes of a message and the thumbprint of the key that signed them."""

    payload: bytes
    kid: str


def verify_message(typ: str, envelope: Envelope, key: str | bytes | None = None) -> Message:
    """The payload, if exactly one signature is there, of this type, by `key` (thumbprint or public key; None: any)."""
    if len(envelope.signatures) != 1:
        raise SignatureError("exactly one signature is expected", where="signatures", todo=_TODO)
    header = _header(envelope.signatures[0], more=())
    _expect(header, typ, "signatures[0]")
    wanted = thumbprint(key) if isinstance(key, bytes) else key
    if wanted is not None and header["kid"] != wanted:
        raise SignatureError("signed by another key than the one expected", where="signatures[0]", todo=_TODO)
    ring = _ring(envelope, [key] if isinstance(key, bytes) else [])
    _verify(envelope.payload, envelope.signatures[0], ring, header["kid"], "signatures[0]")
    return Message(unb64(envelope.payload, "payload"), header["kid"])


def signing_keys(envelope: Envelope) -> list[str]:
    """Thumbprints of the keys its signatures say they are by. Not verified. Raises SignatureError."""
    return [_header(signature)["kid"] for signature in envelope.signatures]


def _header(signature: Signature, more: tuple[str, ...] | None = None) -> dict[str, str]:
    """The protected header: exactly alg, kid, typ and `more`, all text. (None: a document's or a message's.)"""
    try:
        plain = from_json(unb64(signature.protected, "protected").decode())
    except (UnicodeDecodeError, InvalidInput):
        raise SignatureError("the protected header is not an object", where="protected", todo=_TODO) from None
    expected = {"alg", "kid", "typ", *(more or ())}
    if not isinstance(plain, dict) or not all(isinstance(v, str) for v in plain.values()):
        raise SignatureError("the protected header is not an object of texts", where="protected", todo=_TODO)
    if more is None and "text" in plain:
        expected |= {"text", "grammar"}
    if set(plain) != expected:
        raise SignatureError(
            f"the protected header has not exactly {', '.join(sorted(expected))}", where="protected", todo=_TODO
        )
    return plain


def _expect(header: Mapping[str, str], typ: str, where: str) -> None:
    if header["alg"] != ALGORITHM:
        raise SignatureError(f"only the algorithm {ALGORITHM} is accepted", where=f"{where}.alg", todo=_TODO)
    if header["typ"] != typ:
        raise SignatureError(f"signed as something else than {typ}", where=f"{where}.typ", todo=_TODO)


def _ring(envelope: Envelope, keys: Iterable[bytes]) -> dict[str, bytes]:
    """Every key at hand by its thumbprint: what a key is called follows from the key."""
    carried = [unb64(key, "keys") for key in envelope.keys]
    return {thumbprint(key): key for key in (*carried, *keys) if len(key) == 32}


def _verify(payload: str, signature: Signature, ring: Mapping[str, bytes], kid: str, where: str) -> None:
    if kid not in ring:
        raise SignatureError("the public key of a signature is not there", where=where, todo="send it in `keys`")
    try:
        raw = unb64(signature.signature, where)
        Ed25519PublicKey.from_public_bytes(ring[kid]).verify(raw, f"{signature.protected}.{payload}".encode())
    except (InvalidSignature, ValueError):
        raise SignatureError("a signature does not verify", where=where, todo=_TODO) from None


def is_signed(envelope: Envelope) -> bool:
    """Whether `verify_document` accepts it."""
    try:
        verify_document(envelope)
    except CommonwatchError:
        return False
    return True
