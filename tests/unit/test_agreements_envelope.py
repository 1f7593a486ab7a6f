"""Envelopes: one test for each thing a JOSE library accepts and we must not."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from commonwatch.agreements.decode import canonical, digest
from commonwatch.agreements.document import Law
from commonwatch.agreements.english import grammars, say
from commonwatch.agreements.signing import (
    Envelope,
    Signature,
    SigningKey,
    b64,
    envelope_bytes,
    envelope_from,
    is_signed,
    public_jwk,
    sign_document,
    sign_message,
    signed_by,
    thumbprint,
    unb64,
    verify_agreement,
    verify_document,
    verify_message,
)
from commonwatch.errors import InvalidInput, SignatureError
from strategies import signed as make

ENVELOPE = make.signed(make.agreement())


def refused(envelope: Envelope, match: str) -> None:
    """The envelope does not verify, for this reason."""
    with pytest.raises(SignatureError, match=match):
        verify_document(envelope)


def test_an_agreement_signed_by_every_party_verifies():
    assert verify_agreement(ENVELOPE) == make.agreement()
    assert verify_document(ENVELOPE).digest == digest(canonical(make.agreement()))
    assert envelope_from(envelope_bytes(ENVELOPE)) == ENVELOPE


def test_a_jose_library_verifies_our_envelopes_too():
    ring = {make.OWNER.thumbprint: make.OWNER, make.OPERATOR.thumbprint: make.OPERATOR}
    for signature in ENVELOPE.signatures:
        key = OKPKey.import_key(public_jwk(ring[make.header_of(signature)["kid"]].public))
        compact = f"{signature.protected}.{ENVELOPE.payload}.{signature.signature}"
        registry = jws.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)
        assert jws.deserialize_compact(compact, key, algorithms=["Ed25519"], registry=registry).payload == unb64(
            ENVELOPE.payload
        )


def test_the_text_that_is_signed_is_the_text_that_is_read():
    assert make.header_of(ENVELOPE.signatures[0])["text"] == digest(say(make.agreement()).encode())
    refused(make.resign(ENVELOPE, 0, make.OWNER, text="0" * 64), "text that was read")


def test_one_signature_is_not_enough():
    refused(make.signed(make.agreement(), make.OWNER), "not yet signed by delta-mss")
    assert signed_by(make.signed(make.agreement(), make.OWNER)) == {"alpha-dental"}


def test_no_signature_is_not_enough():
    refused(Envelope(ENVELOPE.payload), "not yet signed by alpha-dental, delta-mss")


def test_the_same_party_twice_is_refused():
    first = ENVELOPE.signatures[0]
    refused(msgspec.structs.replace(ENVELOPE, signatures=(first, first)), "signed twice")
    refused(msgspec.structs.replace(ENVELOPE, signatures=(*ENVELOPE.signatures, first)), "signed twice")


def test_a_stranger_among_the_signers_is_refused():
    stranger = make.resign(ENVELOPE, 1, make.STRANGER, kid=make.STRANGER.thumbprint)
    refused(stranger, "not yet signed by delta-mss")
    both = msgspec.structs.replace(ENVELOPE, signatures=(*ENVELOPE.signatures, stranger.signatures[1]))
    refused(both, "belongs to no party")
    with pytest.raises(InvalidInput, match="no party"):
        sign_document(ENVELOPE, make.STRANGER)


@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "crit", "b64", "cty"])
def test_a_header_with_another_member_is_refused(member):
    value = [member] if member == "crit" else False if member == "b64" else "https://example.org/key"
    refused(make.resign(ENVELOPE, 0, make.OWNER, **{member: value}), "protected header")


def test_b64_false_is_refused_even_as_text():
    refused(make.resign(ENVELOPE, 0, make.OWNER, b64="false"), "has not exactly")


@pytest.mark.parametrize("member", ["kid", "typ", "alg", "text", "grammar"])
def test_a_header_that_lacks_a_member_is_refused(member):
    refused(make.resign(ENVELOPE, 0, make.OWNER, **{member: None}), "has not exactly")


@pytest.mark.parametrize("typ", ["JWT", "dsa-statement+json", "dsa-charter+json", "application/dsa+json", "DSA+JSON"])
def test_a_signature_made_for_something_else_is_refused(typ):
    refused(make.resign(ENVELOPE, 0, make.OWNER, typ=typ), "signed as something else")


@pytest.mark.parametrize("alg", ["EdDSA", "none", "HS256", "ES256", "ed25519"])
def test_another_algorithm_is_refused(alg):
    refused(make.resign(ENVELOPE, 0, make.OWNER, alg=alg), "only the algorithm Ed25519")


def test_an_unknown_grammar_is_refused():
    refused(make.resign(ENVELOPE, 0, make.OWNER, grammar="9"), "grammar '9' is not known")


def test_what_was_signed_in_the_first_grammar_stays_valid():
    assert verify_document(make.resign(ENVELOPE, 0, make.OWNER, grammar="1"))


def test_the_first_grammar_cannot_say_contacts_purpose_or_origin():
    newer = msgspec.structs.replace(make.agreement(), law=Law(purpose="Early warning"))
    assert grammars(newer) == ("2",)
    assert grammars(make.agreement()) == ("1", "2")


def test_a_kid_in_an_unprotected_header_is_refused():
    plain = json.loads(envelope_bytes(ENVELOPE))
    plain["signatures"][0]["header"] = {"kid": make.OWNER.thumbprint}
    with pytest.raises(SignatureError, match="general form"):
        envelope_from(json.dumps(plain))


def test_the_flattened_form_is_refused():
    plain = json.loads(envelope_bytes(ENVELOPE))
    with pytest.raises(SignatureError, match="general form"):
        envelope_from(json.dumps({"payload": plain["payload"], **plain["signatures"][0]}))


def test_a_member_given_twice_is_refused():
    text = envelope_bytes(ENVELOPE).decode()
    with pytest.raises(InvalidInput, match="given twice"):
        envelope_from(text[:-1] + ',"payload":"e30"}')


def test_a_header_member_given_twice_is_refused():
    first = ENVELOPE.signatures[0]
    twice = unb64(first.protected)[:-1] + b',"alg":"Ed25519"}'
    protected = b64(twice)
    made = Signature(protected, b64(make.OWNER.sign(f"{protected}.{ENVELOPE.payload}".encode())))
    refused(msgspec.structs.replace(ENVELOPE, signatures=(made, ENVELOPE.signatures[1])), "protected header")


@pytest.mark.parametrize(
    "spoil",
    [lambda t: t + "=", lambda t: t + "\n", lambda t: t[:-1] + ("B" if t[-1] != "B" else "C"), lambda t: "+" + t[1:]],
)
def test_padded_or_otherwise_non_canonical_base64_is_refused(spoil):
    first, second = ENVELOPE.signatures
    bad = msgspec.structs.replace(first, signature=spoil(first.signature))
    with pytest.raises(SignatureError):
        verify_document(msgspec.structs.replace(ENVELOPE, signatures=(bad, second)))
    with pytest.raises((SignatureError, InvalidInput)):
        verify_document(msgspec.structs.replace(ENVELOPE, payload=spoil(ENVELOPE.payload)))


def test_each_signature_is_verified_against_its_own_partys_key():
    swapped = make.resign(ENVELOPE, 0, make.OPERATOR)
    refused(swapped, "does not verify")
    refused(make.resign(ENVELOPE, 0, make.STRANGER), "does not verify")


def test_a_changed_payload_is_refused():
    wider = make.agreement(title="Outbreak warning for all")
    other = msgspec.structs.replace(ENVELOPE, payload=b64(canonical(wider)))
    with pytest.raises(SignatureError):
        verify_document(other)
    for number, key in ((0, make.OWNER), (1, make.OPERATOR)):
        other = make.resign(other, number, key, text=digest(say(wider).encode()))
    assert verify_agreement(other) == wider


def test_a_payload_that_is_not_canonical_is_refused():
    payload = b64(json.dumps(json.loads(canonical(make.agreement())), indent=1).encode())
    envelope = msgspec.structs.replace(ENVELOPE, payload=payload)
    for number, key in ((0, make.OWNER), (1, make.OPERATOR)):
        envelope = make.resign(envelope, number, key)
    refused(envelope, "canonical form")


def test_an_invalid_document_is_refused_although_signed():
    plain = json.loads(canonical(make.agreement()))
    plain["clauses"][0]["rows"]["tlp"] = "red"
    plain["clauses"][0]["to"] = {"roles": ["cert"]}
    with pytest.raises(InvalidInput, match="TLP:RED"):
        verify_document(msgspec.structs.replace(ENVELOPE, payload=b64(json.dumps(plain).encode())))


def test_a_signature_without_its_public_key_is_refused_and_a_wrong_key_does_not_help():
    bare = msgspec.structs.replace(ENVELOPE, keys=())
    refused(bare, "public key of a signature is not there")
    refused(msgspec.structs.replace(ENVELOPE, keys=(b64(make.STRANGER.public), b64(make.HUB.public))), "not there")
    assert verify_document(bare, [make.OWNER.public, make.OPERATOR.public])
    assert not is_signed(bare)


def test_only_valid_signatures_count_as_given():
    forged = make.resign(ENVELOPE, 1, make.STRANGER)
    assert signed_by(forged) == {"alpha-dental"}


def test_signing_again_replaces_the_own_signature():
    again = sign_document(ENVELOPE, make.OWNER)
    assert len(again.signatures) == 2
    assert verify_agreement(again)


def test_a_charter_is_signed_by_its_owner_alone_and_is_no_agreement():
    envelope = make.signed(make.charter(), make.OWNER)
    assert verify_document(envelope).document == make.charter()
    with pytest.raises(SignatureError, match="not an agreement"):
        verify_agreement(envelope)


def test_messages_are_of_one_type_by_one_key():
    envelope = sign_message("note+json", b"hello", make.HUB)
    assert verify_message("note+json", envelope, make.HUB.thumbprint).payload == b"hello"
    assert (
        verify_message("note+json", msgspec.structs.replace(envelope, keys=()), make.HUB.public).kid
        == make.HUB.thumbprint
    )
    for typ, key in (
        ("other+json", make.HUB.thumbprint),
        ("note+json", make.OWNER.thumbprint),
        ("note+json", make.OWNER.public),
    ):
        with pytest.raises(SignatureError):
            verify_message(typ, envelope, key)
    with pytest.raises(SignatureError, match="has not exactly"):
        verify_message(
            "dsa+json",
            make.signed(
                make.agreement(
                    parties=[{"id": "alpha-dental", "name": "A", "role": "owner", "key": make.OWNER.thumbprint}]
                ),
                make.OWNER,
            ),
            make.OWNER.thumbprint,
        )


def test_thumbprints_are_those_of_rfc_8037():
    public = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_private_key_survives_its_jwk_and_a_broken_one_is_refused():
    jwk = make.OWNER.private_jwk()
    assert SigningKey.from_jwk(jwk).thumbprint == make.OWNER.thumbprint
    assert jwk["d"] not in repr(make.OWNER)
    for bad in (
        {},
        jwk | {"crv": "X25519"},
        jwk | {"d": "AAAA"},
        jwk | {"x": make.HUB.private_jwk()["x"]},
        public_jwk(make.OWNER.public),
    ):
        with pytest.raises(InvalidInput):
            SigningKey.from_jwk(bad)
