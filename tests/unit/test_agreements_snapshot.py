"""Snapshots: a gateway refuses rollback, freeze, mix and match, and whatever its owner did not sign."""

from __future__ import annotations

import json

import msgspec
import pytest

from commonwatch.agreements.decode import canonical, digest
from commonwatch.agreements.edge import ceiling
from commonwatch.agreements.signing import sign_message, unb64
from commonwatch.agreements.snapshot import TYPE, VALID, Bundle, Snapshot, make_snapshot, verify_snapshot
from commonwatch.agreements.statement import Statement, sign_statement
from commonwatch.errors import CommonwatchError, SignatureError
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from strategies import signed as make

NOW, OWNER = make.NOW, make.OWNER
AGREEMENT, CHARTER = make.signed(make.agreement()), make.signed(make.charter(), OWNER)
HASH = digest(canonical(make.agreement()))
REVOKE = sign_statement(
    Statement(kind="revoke", id="alpha-shield", by="alpha-dental", at=NOW, version=1, hash=HASH), OWNER
)
MALWARE = Label(EventClass.MALWARE, Tlp.GREEN, Severity.HIGH)


def snap(
    documents=(AGREEMENT, CHARTER), statements=(), number=7, issued=NOW, key=make.HUB, owner="alpha-dental", **more
):
    """A snapshot for alpha-dental."""
    return make_snapshot(owner, number, issued, documents, statements, key=key, **more)


def check(data, last_number=0, now=NOW + 1, **more):
    """Verify it as the gateway does."""
    return verify_snapshot(data, make.HUB.thumbprint, OWNER.thumbprint, last_number, now, **more)


def refused(data, match, **more):
    """It is refused for this reason."""
    with pytest.raises(SignatureError, match=match):
        check(data, **more)


def test_a_fresh_snapshot_gives_the_owners_live_documents():
    docs = check(snap()).owner_documents(NOW)
    assert docs.charter == make.charter()
    assert [a.document.id for a in docs.agreements] == ["alpha-shield"]
    assert ceiling(docs, MALWARE) == {"time": "exact"}


def test_a_revocation_in_the_snapshot_closes_the_gateway():
    docs = check(snap(statements=[REVOKE])).owner_documents(NOW)
    assert docs.agreements[0].state == "revoked"
    assert ceiling(docs, MALWARE) is None


def test_an_empty_snapshot_is_valid_and_lets_nothing_leave():
    assert ceiling(check(snap(documents=())).owner_documents(NOW), MALWARE) is None


def test_rollback_is_refused_and_the_same_snapshot_again_is_not():
    refused(snap(number=6), "rollback", last_number=7)
    assert check(snap(number=7), last_number=7)


def test_freeze_is_refused():
    assert check(snap(), now=NOW + VALID - 1)
    refused(snap(), "freeze", now=NOW + VALID)


def test_mix_and_match_is_refused():
    bundle = msgspec.json.decode(snap(), type=Bundle)
    other = make.signed(make.agreement(title="Another"))
    for spoiled in (
        msgspec.structs.replace(bundle, documents=bundle.documents[:1]),
        msgspec.structs.replace(bundle, documents=(other, *bundle.documents[1:])),
        msgspec.structs.replace(bundle, documents=(*bundle.documents, other)),
        msgspec.structs.replace(bundle, statements=(REVOKE,)),
    ):
        refused(msgspec.json.encode(spoiled), "mix and match")
    with_statement = msgspec.json.decode(snap(statements=[REVOKE]), type=Bundle)
    refused(msgspec.json.encode(msgspec.structs.replace(with_statement, statements=())), "mix and match")


def test_a_snapshot_of_another_hub_is_refused():
    refused(snap(key=make.STRANGER), "another key")


def test_a_message_of_another_type_is_no_snapshot():
    bundle = msgspec.json.decode(snap(), type=Bundle)
    forged = sign_message("other+json", unb64(bundle.snapshot.payload), make.HUB)
    refused(msgspec.json.encode(msgspec.structs.replace(bundle, snapshot=forged)), "signed as something else")


def test_a_hub_cannot_add_what_the_owner_did_not_sign():
    key = make.STRANGER.thumbprint
    parties = [{"id": "alpha-dental", "name": "Alpha", "role": "owner", "key": key}]
    forged = make.signed(make.agreement(id="forged", parties=parties), make.STRANGER)
    refused(snap(documents=[AGREEMENT, forged]), "not signed by this owner's key")
    weak = make.charter(owner={"id": "alpha-dental", "name": "Alpha", "key": key}, clauses=[])
    refused(snap(documents=[AGREEMENT, make.signed(weak, make.STRANGER)]), "not signed by this owner's key")


def test_a_hub_cannot_slip_in_another_owners_agreement():
    parties = [{"id": "bravo-bakery", "name": "Bravo", "role": "owner", "key": make.STRANGER.thumbprint}]
    other = make.signed(make.agreement(id="other", parties=parties), make.STRANGER)
    refused(snap(documents=[other]), "of another owner")


def test_a_hub_cannot_unsay_what_it_said():
    last = check(snap(statements=[REVOKE])).snapshot
    refused(snap(number=9), "a statement seen before is missing", last=last)
    refused(
        snap(number=9, documents=[AGREEMENT], statements=[REVOKE]), "alpha-charter is older than, or gone", last=last
    )
    assert check(snap(number=9, documents=[CHARTER], statements=[REVOKE]), last=last)
    second = make.signed(make.agreement(version=2, previous=HASH))
    last = check(snap(documents=[AGREEMENT, second])).snapshot
    refused(snap(number=9, documents=[AGREEMENT]), "alpha-shield is older", last=last)


def test_snapshots_are_chained():
    first = check(snap())
    assert check(snap(number=8, previous=first.digest), last_number=7, last=first.snapshot)
    refused(snap(number=8), "does not follow", last_number=7, last=first.snapshot)
    refused(snap(number=7, issued=NOW + 5), "same number", last_number=7, last=first.snapshot, now=NOW + 6)


def test_a_new_owner_key_is_believed_when_the_pinned_key_introduced_it():
    new = make.key("owner, new")
    parties = [{"id": "alpha-dental", "name": "Alpha", "role": "owner", "key": new.thumbprint}]
    document = make.signed(make.agreement(parties=parties), new)
    refused(snap(documents=[document]), "not signed by this owner's key")
    change = Statement(kind="key-change", id="alpha-dental", by="alpha-dental", at=NOW, key=new.thumbprint)
    refused(snap(documents=[document], statements=[sign_statement(change, make.STRANGER)]), "not signed by this owner")
    assert check(snap(documents=[document], statements=[sign_statement(change, OWNER)])).owner_documents(NOW).agreements


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"snapshot":1}', b"{" * 100_000])
def test_rubbish_is_refused_cleanly(data):
    with pytest.raises(CommonwatchError):
        check(data)


def test_a_list_with_unknown_members_is_refused():
    bundle = msgspec.json.decode(snap(), type=Bundle)
    payload = json.loads(unb64(bundle.snapshot.payload)) | {"more": 1}
    forged = sign_message(TYPE, json.dumps(payload).encode(), make.HUB)
    refused(msgspec.json.encode(msgspec.structs.replace(bundle, snapshot=forged)), "not a snapshot")
    assert Snapshot.__struct_config__.forbid_unknown_fields
