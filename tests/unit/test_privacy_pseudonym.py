"""Pseudonyms equal the published vectors and keep exactly what they promise to keep."""

from __future__ import annotations

import ipaddress
import subprocess
import sys

import numpy as np
import pytest

from commonwatch.events.address import Address, parse
from commonwatch.privacy import pseudonym as p

K = bytes.fromhex("0123456789abcdeffedcba98765432101032547698badcfeefcdab8967452301")
K2 = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3ca9f5ba40db214c3798f2e1c23456789a")
PFX = [
    (K, "0.0.0.0", "151.82.155.134"),
    (K, "255.255.255.255", "94.185.169.89"),
    (K, "192.0.2.1", "100.115.72.131"),
    (K, "2001:db8::1", "c180:5dd4:2587:3524:30ab:fa65:6ab6:f88"),
    (K2, "10.0.0.47", "19.214.210.244"),
    (K2, "10.0.0.129", "19.214.210.80"),
    (K2, "10.0.0.234", "19.214.210.30"),
]
DET = [
    ("0.0.0.0", "bde9:6789:d353:824c:d7c6:f58a:6bd2:26eb"),
    ("192.0.2.1", "fa71:fba4:8e6c:205e:3805:2dae:3fba:39f1"),
]


def halves(addresses: list[Address]) -> tuple[np.ndarray, np.ndarray]:
    return (np.array([a.hi for a in addresses], np.int64), np.array([a.lo for a in addresses], np.int64))


def texts(hi: np.ndarray, lo: np.ndarray) -> list[str]:
    return [str(Address(int(h), int(low))) for h, low in zip(hi, lo, strict=True)]


@pytest.mark.parametrize(("key", "plain", "shown"), PFX)
def test_prefix_preserving_pseudonyms_equal_the_published_vectors(key: bytes, plain: str, shown: str):
    assert str(p.pfx_one(parse(plain), key)) == shown
    assert str(p.pfx_one_back(parse(shown), key)) == plain
    assert texts(*p.pfx(*halves([parse(plain)]), key)) == [shown]
    assert texts(*p.pfx(*halves([parse(shown)]), key, undo=True)) == [plain]


@pytest.mark.parametrize(("plain", "shown"), DET)
def test_deterministic_pseudonyms_equal_the_published_vectors(plain: str, shown: str):
    wanted = ipaddress.IPv6Address(shown).packed
    assert p.det_one(parse(plain), K[:16]).packed == wanted
    assert str(p.det_one(p.det_one(parse(plain), K[:16]), K[:16], undo=True)) == plain
    hi, lo = p.det(*halves([parse(plain)]), K[:16])
    assert Address(int(hi[0]), int(lo[0])).packed == wanted
    assert texts(*p.det(hi, lo, K[:16], undo=True)) == [plain]


def test_an_empty_column_stays_empty():
    empty = np.array([], np.int64)
    assert len(p.pfx(empty, empty, K)[0]) == 0
    assert len(p.det(empty, empty, K[:16])[1]) == 0


def test_a_prefix_key_with_equal_halves_is_refused():
    with pytest.raises(ValueError, match="different halves"):
        p.pfx_one(parse("192.0.2.1"), K[:16] * 2)


def test_two_recipients_two_owners_two_epochs_two_namespaces_never_share_a_key():
    keys = {
        p.derive(b"k" * 32, recipient, namespace, epoch, owner=owner, length=length)
        for recipient in ("a", "ab")
        for namespace in ("ip", "user")
        for epoch in (1, 11)
        for owner in ("b", "bc", "")
        for length in (16, 32)
    }
    assert len(keys) == 48
    assert len({key[:16] for key in keys}) == 48


def test_shifting_a_character_between_parts_changes_the_key():
    assert p.derive(b"k" * 32, "bc", "ip", 1, owner="a") != p.derive(b"k" * 32, "c", "ip", 1, owner="ab")


def test_an_identity_token_names_its_namespace_and_ignores_case_and_the_trailing_dot():
    token = p.identity_one("Administrator", b"k" * 32, "user")
    assert token.startswith("user_")
    assert len(token) == 5 + 16
    assert token == p.identity_one("ADMINISTRATOR.", b"k" * 32, "user") == token.lower()
    assert token[5:] != p.identity_one("administrator", b"k" * 32, "host")[5:]
    assert token != p.identity_one("administrator", b"j" * 32, "user")


def test_many_names_give_the_same_tokens_as_one_at_a_time():
    values = ["a", None, "b", "a", "Straße"]
    assert p.identity(values, b"k" * 32, "user") == [
        None if v is None else p.identity_one(v, b"k" * 32, "user") for v in values
    ]


def test_a_mailbox_token_keeps_the_domain_only_where_asked():
    kept = p.mailbox_one("Anna@Example.ORG", b"k" * 32, domain=True)
    bare = p.mailbox_one("anna@example.org", b"k" * 32, domain=False)
    assert kept == f"{bare}@example.org"
    assert p.mailbox_one("no-domain", b"k" * 32, domain=True).startswith("mail_")
    assert "@" not in p.mailbox_one("no-domain", b"k" * 32, domain=True)
    assert p.mailbox_one("anna@other.org", b"k" * 32, domain=False) != bare


def test_a_token_is_printed_so_that_nobody_takes_it_for_an_address():
    assert p.pfx_text(parse("100.115.72.131")) == "pfx:100.115.72.131"
    assert p.det_text(parse("::1")) == "det:" + "0" * 31 + "1"


def test_scalar_use_never_loads_numpy():
    code = (
        "import sys; from commonwatch.privacy import pseudonym as p; from commonwatch.events.address import parse;"
        "p.pfx_one(parse('192.0.2.1'), bytes(range(32))); assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
