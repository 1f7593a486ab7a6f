"""Chains and lifecycle: which version is in force, and which statements change that."""

from __future__ import annotations

import msgspec
import pytest

from commonwatch.agreements.chain import live
from commonwatch.agreements.signing import Verified, verify_document
from commonwatch.agreements.statement import Statement, sign_statement, verify_statement
from commonwatch.errors import SignatureError
from strategies import signed as make

FIRST = verify_document(make.signed(make.agreement()))
SECOND = verify_document(
    make.signed(make.agreement(version=2, previous=FIRST.digest, starts="2027-02-01", title="Second"))
)
PARTIES = make.agreement().parties
NEW = make.key("owner, new")


def said(kind, by="alpha-dental", key=make.OWNER, about: Verified = FIRST, at=make.NOW, **more):
    """A verified statement about an agreement version."""
    statement = Statement(
        kind=kind, id=about.document.id, by=by, at=at, version=about.document.version, hash=about.digest, **more
    )
    return verify_statement(sign_statement(statement, key))


def changed(org, old, new, at=make.NOW):
    """A verified change of key."""
    statement = Statement(kind="key-change", id=org, by=org, at=at, key=new.thumbprint)
    return verify_statement(sign_statement(statement, old))


def state(documents, statements=(), now=make.NOW):
    """(version, state) of the only agreement."""
    (found,) = live(documents, statements, now)
    return found.document.version, found.state


def test_an_agreement_is_active_from_its_first_to_its_last_day():
    days = {"2026-11-30": "not-yet-active", "2026-12-01": "active", "2027-11-30": "active", "2027-12-01": "expired"}
    for day, expected in days.items():
        assert state([FIRST], now=make.instant(day)) == (1, expected)


def test_a_new_version_replaces_the_old_one_on_the_day_it_starts():
    assert state([FIRST, SECOND], now=make.instant("2027-01-31")) == (1, "active")
    assert state([SECOND, FIRST], now=make.instant("2027-02-01")) == (2, "active")


def test_a_version_that_does_not_follow_counts_as_absent():
    skipped = verify_document(make.signed(make.agreement(version=3, previous=FIRST.digest)))
    foreign = verify_document(make.signed(make.agreement(version=2, previous="0" * 64)))
    assert live([SECOND], [], make.NOW) == []
    assert state([FIRST, skipped]) == (1, "active")
    assert state([FIRST, foreign]) == (1, "active")


def test_two_documents_with_one_version_close_the_agreement():
    fork = verify_document(make.signed(make.agreement(title="Another")))
    assert live([FIRST, fork], [], make.NOW) == []


def test_a_version_of_another_owner_does_not_follow():
    parties = [msgspec.to_builtins(p) for p in PARTIES]
    turned = [parties[0] | {"role": "member"}, parties[1] | {"role": "owner"}]
    taken = verify_document(make.signed(make.agreement(version=2, previous=FIRST.digest, parties=turned)))
    assert state([FIRST, taken]) == (1, "active")


@pytest.mark.parametrize(("by", "key"), [("alpha-dental", make.OWNER), ("delta-mss", make.OPERATOR)])
def test_any_party_may_revoke_and_it_is_final(by, key):
    revoked = said("revoke", by, key)
    assert state([FIRST], [revoked]) == (1, "revoked")
    resumed = said("resume", at=make.NOW + 1)
    assert state([FIRST, SECOND], [revoked, resumed], make.instant("2027-03-01")) == (2, "revoked")


def test_a_stranger_cannot_revoke_suspend_or_speak_for_a_party():
    for by, key in (("alpha-dental", make.STRANGER), ("delta-mss", make.OWNER), ("stranger", make.STRANGER)):
        assert state([FIRST], [said("revoke", by, key), said("suspend", by, key)]) == (1, "active")


def test_a_statement_about_another_text_changes_nothing():
    other = verify_document(make.signed(make.agreement(title="Another")))
    assert state([FIRST], [said("revoke", about=other)]) == (1, "active")


def test_the_owner_suspends_and_resumes():
    suspended, resumed = said("suspend", at=make.NOW - 9), said("resume", at=make.NOW - 5)
    assert state([FIRST], [suspended]) == (1, "suspended")
    assert state([FIRST], [suspended, resumed]) == (1, "active")
    assert state([FIRST], [suspended, resumed, said("suspend", at=make.NOW)]) == (1, "suspended")


def test_on_equal_times_suspending_wins_and_a_resume_in_the_future_does_not_count():
    assert state([FIRST], [said("suspend"), said("resume")]) == (1, "suspended")
    assert state([FIRST], [said("suspend"), said("resume", at=make.NOW + 1)]) == (1, "suspended")
    assert state([FIRST], [said("suspend"), said("resume", at=make.NOW + 1)], make.NOW + 2) == (1, "active")


def test_the_operator_may_suspend_but_not_resume():
    by_operator = said("suspend", "delta-mss", make.OPERATOR, at=make.NOW - 9)
    assert state([FIRST], [by_operator]) == (1, "suspended")
    assert state([FIRST], [by_operator, said("resume", "delta-mss", make.OPERATOR)]) == (1, "suspended")
    assert state([FIRST], [by_operator, said("resume")]) == (1, "active")


def test_a_new_key_is_introduced_by_the_old_one():
    parties = [msgspec.to_builtins(PARTIES[0]) | {"key": NEW.thumbprint}, msgspec.to_builtins(PARTIES[1])]
    amended = verify_document(
        make.signed(make.agreement(version=2, previous=FIRST.digest, parties=parties), NEW, make.OPERATOR)
    )
    assert state([FIRST, amended]) == (1, "active")
    assert state([FIRST, amended], [changed("alpha-dental", make.STRANGER, NEW)]) == (1, "active")
    assert state([FIRST, amended], [changed("alpha-dental", make.OWNER, NEW)]) == (2, "active")
    assert state([FIRST], [changed("alpha-dental", make.OWNER, NEW), said("revoke", key=NEW)]) == (1, "revoked")


def test_after_a_change_of_key_the_old_key_can_close_but_not_open():
    change = changed("alpha-dental", make.OWNER, NEW)
    assert state([FIRST], [change, said("revoke")]) == (1, "revoked")
    suspended = said("suspend", key=NEW, at=make.NOW - 9)
    assert state([FIRST], [change, suspended, said("resume")]) == (1, "suspended")
    assert state([FIRST], [change, suspended, said("resume", key=NEW)]) == (1, "active")


def test_two_successors_of_one_key_are_a_fork_and_neither_counts():
    both = [changed("alpha-dental", make.OWNER, NEW), changed("alpha-dental", make.OWNER, make.STRANGER)]
    for key in (NEW, make.STRANGER):
        assert state([FIRST], [*both, said("revoke", key=key)]) == (1, "active")
    assert state([FIRST], [*both, said("revoke")]) == (1, "revoked")


def test_duties_bind_parties_members_of_the_community_and_those_who_accept_this_text():
    document = verify_document(make.signed(make.agreement(community="sme-shield")))
    accepts = said("accept-duties", "coast-cert", make.STRANGER, document)
    (bare,) = live([document], [accepts], make.NOW)
    assert bare.accepted == {"alpha-dental", "delta-mss"}
    members = {"sme-shield": frozenset({"bravo-bakery"}), "other": frozenset({"x-other"})}
    (found,) = live([document], [accepts], make.NOW, members, {"coast-cert": make.STRANGER.thumbprint})
    assert found.accepted == {"alpha-dental", "delta-mss", "bravo-bakery", "coast-cert"}
    (forged,) = live([document], [accepts], make.NOW, {}, {"coast-cert": make.HUB.thumbprint})
    assert "coast-cert" not in forged.accepted
    (other_text,) = live([FIRST], [accepts], make.NOW, {}, {"coast-cert": make.STRANGER.thumbprint})
    assert "coast-cert" not in other_text.accepted


def test_a_statement_says_exactly_what_its_kind_needs():
    about = {"id": "alpha-shield", "by": "alpha-dental", "at": 1}
    for bad in (
        Statement(kind="revoke", **about),
        Statement(kind="revoke", version=1, hash="0" * 64, key=NEW.thumbprint, **about),
        Statement(kind="key-change", key=NEW.thumbprint, **about),
        Statement(kind="key-change", id="alpha-dental", by="alpha-dental", at=1),
    ):
        with pytest.raises(SignatureError):
            sign_statement(bad, make.OWNER)


def test_a_changed_statement_does_not_verify():
    envelope = sign_statement(Statement(kind="revoke", id="aa", by="bb", at=1, version=1, hash="0" * 64), make.OWNER)
    other = sign_statement(Statement(kind="resume", id="aa", by="bb", at=1, version=1, hash="0" * 64), make.OWNER)
    with pytest.raises(SignatureError):
        verify_statement(msgspec.structs.replace(envelope, payload=other.payload))
    with pytest.raises(SignatureError):
        verify_statement(envelope, make.STRANGER.thumbprint)
