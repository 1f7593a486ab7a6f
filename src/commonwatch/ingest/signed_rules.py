"""Labelling rules as an owner signs them: one envelope around the rule set, by one of the owner's keys.

Rules held here: what is signed is the canonical rule set (RFC 8785), `typ: dsa-labelling+json`; a signature counts only
with a key the caller knows to be the owner's; rules that nobody signed are read by `rules.read_rules`, for trying only.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import rfc8785

from commonwatch.agreements.decode import from_json
from commonwatch.agreements.signing import SigningKey, envelope_bytes, envelope_from, sign_message, verify_message
from commonwatch.errors import InvalidInput, SignatureError
from commonwatch.ingest.rules import Rules, read_rules, write_rules

TYPE = "dsa-labelling+json"


class SignedRules(msgspec.Struct, frozen=True):
    """A rule set whose signature was verified, and the bytes that were signed."""

    rules: Rules
    payload: bytes


def sign_rules(rules: Rules, key: SigningKey) -> bytes:
    """The rule set in a signed envelope, as JSON."""
    return envelope_bytes(sign_message(TYPE, rfc8785.dumps(write_rules(rules)), key))


def is_signed(data: bytes) -> bool:
    """Whether this is an envelope rather than bare rules. Says nothing about the signature."""
    if not data.lstrip().startswith(b"{"):
        return False
    try:
        plain = from_json(data.decode())
    except (UnicodeDecodeError, InvalidInput):
        return False
    return isinstance(plain, dict) and "payload" in plain


def open_rules(data: bytes, keys: Collection[str] | None) -> SignedRules:
    """The rules inside, signed by one of `keys` (thumbprints; None: whoever). Raises SignatureError, InvalidInput."""
    message = verify_message(TYPE, envelope_from(data))
    if keys is not None and message.kid not in keys:
        raise SignatureError(
            "the labelling rules are not signed by their owner", where="signatures[0]",
            todo="sign them with the key your organisation's agreements are signed with: gateway labels sign",
        )  # fmt: skip
    return SignedRules(read_rules(message.payload), message.payload)
