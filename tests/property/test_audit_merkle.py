"""Every proof the tree gives verifies, no changed log does, and the pure Ed25519 agrees with a well-kept library."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from commonwatch.audit.checkpoint import public_bytes, sign
from commonwatch.audit.merkle import Tree
from commonwatch.audit.verify import (
    EMPTY_ROOT,
    checkpoint_bytes,
    ed25519_verify,
    leaf_hash,
    roots_at,
    verify_checkpoint,
    verify_consistency,
    verify_inclusion,
)

LOGS = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


def tree_of(entries: list[bytes]) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.append(entry)
    return tree


def rfc6962(entries: list[bytes]) -> bytes:
    """The definition of the root, word for word (RFC 6962 section 2.1)."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + rfc6962(entries[:k]) + rfc6962(entries[k:])).digest()


def test_roots_equal_the_published_test_vectors():
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    tree = tree_of([bytes.fromhex(leaf) for leaf in leaves])
    assert tree.root(1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root(2).hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"
    assert tree.root(7).hex() == "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"
    assert tree.root(8).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@given(LOGS)
def test_every_past_root_equals_the_definition(entries: list[bytes]):
    tree = tree_of(entries)
    sizes = range(len(entries) + 1)
    expected = {n: rfc6962(entries[:n]) for n in sizes}
    assert {n: tree.root(n) for n in sizes} == expected
    assert roots_at(entries, sizes) == (expected, len(entries))


@given(LOGS, st.data())
def test_every_inclusion_proof_holds_for_its_entry_and_no_other(entries: list[bytes], data: st.DataObject):
    tree = tree_of(entries)
    size = data.draw(st.integers(1, len(entries)))
    n, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    path, root = tree.inclusion(n, size), tree.root(size)
    assert verify_inclusion(tree.leaf(n), n, size, path, root)
    assert not verify_inclusion(leaf_hash(b"forged!"), n, size, path, root)
    assert not verify_inclusion(tree.leaf(n), n, size, [*path, EMPTY_ROOT], root)
    if path:
        assert not verify_inclusion(tree.leaf(n), n, size, path[:-1], root)
    if other != n:
        assert not verify_inclusion(tree.leaf(n), other, size, path, root) or entries[n] == entries[other]


@given(LOGS, st.data())
def test_a_member_with_a_checkpoint_detects_any_changed_dropped_or_reordered_entry(
    entries: list[bytes], data: st.DataObject
):
    size = data.draw(st.integers(1, len(entries)))
    kept = tree_of(entries).root(size)
    changed = data.draw(st.sampled_from(["change", "drop", "reorder"]))
    forged, n = list(entries), data.draw(st.integers(0, size - 1))
    if changed == "change":
        forged[n] = data.draw(st.binary(max_size=4))
    elif changed == "drop":
        del forged[n]
    else:
        m = data.draw(st.integers(0, size - 1))
        forged[n], forged[m] = forged[m], forged[n]
    assume(forged[:size] != entries[:size])
    tree = tree_of(forged)
    for second in range(size, len(forged) + 1):
        path = tree.consistency(size, second)
        assert not verify_consistency(size, second, path, kept, tree.root(second))
    roots, _ = roots_at(forged, [size])
    assert roots.get(size) != kept


@given(LOGS, st.data())
def test_every_consistency_proof_holds_and_no_altered_one_does(entries: list[bytes], data: st.DataObject):
    tree = tree_of(entries)
    second = data.draw(st.integers(0, len(entries)))
    first = data.draw(st.integers(0, second))
    path, old, new = tree.consistency(first, second), tree.root(first), tree.root(second)
    assert verify_consistency(first, second, path, old, new)
    assert not verify_consistency(first, second, [*path, EMPTY_ROOT], old, new)
    assert (first == 0 < second) == verify_consistency(first, second, path, old, leaf_hash(b"forged!"))
    assert not verify_consistency(first, second, path, leaf_hash(b"forged!"), new)


@settings(max_examples=25)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64), st.integers(0, 511))
def test_pure_ed25519_accepts_real_signatures_and_no_flipped_bit(seed: bytes, message: bytes, bit: int):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    signature = key.sign(message)
    assert ed25519_verify(public_bytes(key), message, signature)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not ed25519_verify(public_bytes(key), message, bytes(flipped))
    assert not ed25519_verify(public_bytes(key), message + b"x", signature)


def test_a_signature_with_an_unreduced_scalar_is_refused():
    key = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    signature = key.sign(b"m")
    order = 2**252 + 27742317777372353535851937790883648493
    bent = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not ed25519_verify(public_bytes(key), b"m", bent)


@settings(max_examples=20)
@given(st.sampled_from(["origin", "size", "root", "time", "signature"]), st.integers(0, 2**40))
def test_no_field_of_a_checkpoint_can_be_changed(field: str, size: int):
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    head = sign(key, "hub.example/audit", size, EMPTY_ROOT, 7)
    good = {"origin": head.origin, "size": size, "root": head.root, "time": 7, "signature": head.signature}
    assert verify_checkpoint(good, public_bytes(key))
    bad = dict(good)
    bad[field] = good[field] + 1 if isinstance(good[field], int) else "00" + str(good[field])[2:]
    assume(bad[field] != good[field])
    assert not verify_checkpoint(bad, public_bytes(key))
    assert checkpoint_bytes("a", 1, "b", 2) != checkpoint_bytes("a", 1, "b", 22)
