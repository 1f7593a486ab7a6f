"""Check checkpoints, logs and proofs with nothing but Python's standard library (runs alone: `python verify.py`).

Rules held here:
- no import from the rest of the project: a member can read this one file and run it anywhere;
- hashing is RFC 6962 (leaf 0x00, node 0x01, SHA-256), signatures are Ed25519 (RFC 8032), both written out below;
- what cannot be proven is said to be unproven, never passed over in silence.

A log is a file of lines: line i, without its newline, is entry i. A checkpoint is a JSON object with origin, size,
root (hex), time (microseconds), key and signature (hex). A proof is a JSON object with `entry`, `size`, `leaf`, `path`
(inclusion) or `first`, `second`, `path` (consistency). An inclusion proof with `access` (`text`, `place`, `path`) and
`data` (the log's entry) also shows that what left of one owner is bound by that entry.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

EMPTY_ROOT = hashlib.sha256(b"").digest()
_DOMAIN = "commonwatch-checkpoint-1"
#: Levels of the small tree over what one answer showed of each owner; the audit log has its root.
SHEET_DEPTH = 16


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two neighbouring subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def roots_at(entries: Iterable[bytes], sizes: Iterable[int]) -> tuple[dict[int, bytes], int]:
    """The root over the first n entries for each n of `sizes` that the log reaches, and how many entries it has."""
    wanted, found, stack, count = set(sizes), {}, [], 0
    if 0 in wanted:
        found[0] = EMPTY_ROOT
    for entry in entries:
        stack.append(leaf_hash(entry))
        count += 1
        for _ in range(_trailing_zeros(count)):
            right = stack.pop()
            stack[-1] = node_hash(stack[-1], right)
        if count in wanted:
            found[count] = _fold(stack)
    return found, count


def verify_inclusion(leaf: bytes, entry: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash is entry number `entry` of the log of `size` entries with this root (RFC 9162 2.1.3.2)."""
    if not 0 <= entry < size:
        return False
    position, last, value = entry, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            value = node_hash(step, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, step)
        position, last = position >> 1, last >> 1
    return last == 0 and value == root


def sheet_root(text: bytes, place: int, path: Sequence[bytes]) -> bytes:
    """The root of the small tree in which this text stands at this place, beside these hashes, lowest first."""
    value = leaf_hash(text)
    for level, step in enumerate(path):
        value = node_hash(step, value) if place >> level & 1 else node_hash(value, step)
    return value


def verify_access(access: Mapping[str, Any], data: str) -> bool:
    """Whether the log's entry `data` binds what left: `text` (salt, then JSON on the next line), `place`, `path`."""
    path = [bytes.fromhex(step) for step in access["path"]]
    logged = json.loads(data)
    if len(path) != SHEET_DEPTH or logged.get("kind") != "accessed":
        return False
    found = sheet_root(str(access["text"]).encode(), int(access["place"]), path)
    return bool(found.hex() == logged["detail"]["sheet"])


def verify_consistency(first: int, second: int, path: Sequence[bytes], old: bytes, new: bytes) -> bool:
    """Whether the log of `second` entries begins with the log of `first` entries (RFC 9162 2.1.4.2)."""
    if not 0 <= first <= second:
        return False
    if first in (0, second):
        return not path and (old == new or first < second) and (first > 0 or old == EMPTY_ROOT)
    steps = list(path) if first & (first - 1) else [old, *path]
    if not steps:
        return False
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            after = node_hash(after, step)
        position, last = position >> 1, last >> 1
    return last == 0 and before == old and after == new


def checkpoint_bytes(origin: str, size: int, root: str, time: int) -> bytes:
    """The bytes a checkpoint's signature covers."""
    return f"{_DOMAIN}\n{origin}\n{size}\n{root}\n{time}\n".encode()


def verify_checkpoint(checkpoint: Mapping[str, Any], key: bytes) -> bool:
    """Whether the checkpoint is well formed and signed by this 32-byte public key."""
    try:
        origin, root = str(checkpoint["origin"]), str(checkpoint["root"])
        size, time = int(checkpoint["size"]), int(checkpoint["time"])
        signature = bytes.fromhex(checkpoint["signature"])
    except (KeyError, TypeError, ValueError):
        return False
    if "\n" in origin or len(root) != 64 or size < 0:
        return False
    return ed25519_verify(key, checkpoint_bytes(origin, size, root, time), signature)


# Ed25519, RFC 8032 section 5.1: points as (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z
_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_I = pow(2, (_P - 1) // 4, _P)
_Point = tuple[int, int, int, int]
_ZERO: _Point = (0, 1, 1, 0)


def ed25519_verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the 64-byte signature over the message is by the 32-byte public key."""
    if len(key) != 32 or len(signature) != 64:
        return False
    public, s = _decode(key), int.from_bytes(signature[32:], "little")
    if public is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % _L
    x, y, z, t = public
    return _encode(_add(_times(s, _BASE), _times(k, (_P - x, y, z, _P - t)))) == signature[:32]


def _add(a: _Point, b: _Point) -> _Point:
    p, q = (a[1] - a[0]) * (b[1] - b[0]) % _P, (a[1] + a[0]) * (b[1] + b[0]) % _P
    r, s = 2 * a[3] * b[3] * _D % _P, 2 * a[2] * b[2] % _P
    e, f, g, h = q - p, s - r, s + r, q + p
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(scalar: int, point: _Point) -> _Point:
    result = _ZERO
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point, scalar = _add(point, point), scalar >> 1
    return result


def _decode(data: bytes) -> _Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _I % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _base() -> _Point:
    point = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    if point is None:
        raise ArithmeticError("the base point does not decode")
    return point


_BASE: _Point = _base()


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _fold(stack: Sequence[bytes]) -> bytes:
    value = stack[-1]
    for left in reversed(stack[:-1]):
        value = node_hash(left, value)
    return value


# The command.
def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `verify`."""
    parser.add_argument("checkpoint", nargs="+", help="files with checkpoints: one JSON object, or one a line")
    parser.add_argument("--log", metavar="FILE", help="the log itself, one entry a line")
    parser.add_argument(
        "--proof", metavar="FILE", action="append", default=[], help="an inclusion or consistency proof"
    )
    parser.add_argument("--key", metavar="HEX", help="the hub's audit key as you got it when you joined")


def verify(args: argparse.Namespace) -> int:
    """Check everything named, print one line a check; 0 if all held, 1 if one failed, 2 for an unusable file."""
    try:
        checkpoints = [c for name in args.checkpoint for c in _objects(Path(name))]
        proofs = [p for name in args.proof for p in _objects(Path(name))]
        findings = list(findings_of(checkpoints, proofs, Path(args.log) if args.log else None, args.key))
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"commonwatch audit: {error}\n")
        return 2
    for verdict, text in findings:
        sys.stdout.write(f"{verdict:<10} {text}\n")
    return 1 if any(verdict == "FAILED" for verdict, _ in findings) else 0


def findings_of(
    checkpoints: Sequence[Mapping[str, Any]], proofs: Sequence[Mapping[str, Any]], log: Path | None, key: str | None
) -> Iterator[tuple[str, str]]:
    """(`ok` | `FAILED` | `unproven`, sentence) for each check."""
    if not checkpoints:
        raise ValueError("no checkpoint in the files given")
    pinned = bytes.fromhex(key or str(checkpoints[0].get("key", "")))
    if key is None:
        yield (
            "unproven",
            f"whose key this is: {pinned.hex()} comes from the checkpoint itself; compare it, or give --key",
        )
    for c in checkpoints:
        yield _verdict(verify_checkpoint(c, pinned)), f"signature of the checkpoint at {c.get('size')} entries"
    roots: dict[int, bytes] = {}
    for c in checkpoints:
        size, root = int(c["size"]), bytes.fromhex(str(c["root"]))
        if roots.setdefault(size, root) != root:
            yield "FAILED", f"two different heads of {size} entries were signed: somebody was shown another log"
    yield from _against_log(roots, log)
    linked = set()
    for proof in proofs:
        yield _against_proof(roots, proof)
        if "access" in proof:
            yield _verdict(verify_access(proof["access"], str(proof["data"]))), _said(proof)
        linked.add((proof.get("first"), proof.get("second")))
    if log is None:
        sizes = sorted(roots)
        for old, new in pairwise(sizes):
            if (old, new) not in linked:
                yield "unproven", f"that the log of {new} entries continues the log of {old} (give --log or --proof)"


def _against_log(roots: Mapping[int, bytes], log: Path | None) -> Iterator[tuple[str, str]]:
    if log is None:
        return
    with log.open("rb") as lines:
        found, count = roots_at((line[:-1] for line in lines if line.endswith(b"\n")), roots)
    for size, root in sorted(roots.items()):
        if size > count:
            yield "FAILED", f"the log holds {count} entries, the checkpoint covers {size}: entries were dropped"
        else:
            yield _verdict(found[size] == root), f"the first {size} entries of the log are those that were signed"


def _against_proof(roots: Mapping[int, bytes], proof: Mapping[str, Any]) -> tuple[str, str]:
    path = [bytes.fromhex(step) for step in proof["path"]]
    if "entry" in proof:
        size, entry = int(proof["size"]), int(proof["entry"])
        if size not in roots:
            return "FAILED", f"the proof needs a checkpoint of {size} entries"
        leaf = leaf_hash(str(proof["data"]).encode()) if "data" in proof else bytes.fromhex(proof["leaf"])
        return _verdict(verify_inclusion(leaf, entry, size, path, roots[size])), f"entry {entry} is among the {size}"
    first, second = int(proof["first"]), int(proof["second"])
    if first not in roots or second not in roots:
        return "FAILED", f"the proof needs checkpoints of {first} and {second} entries"
    held = verify_consistency(first, second, path, roots[first], roots[second])
    return _verdict(held), f"the log of {second} entries continues the log of {first}"


def _said(proof: Mapping[str, Any]) -> str:
    """What a proven access says, in short."""
    left = json.loads(str(proof["access"]["text"]).partition("\n")[2])
    what = f"{left['count']} by {left['surface']} to {left['reader']} for {left['purpose']}"
    return f"entry {proof['entry']} binds: {what}, under {', '.join(left['clauses'])}"


def _verdict(held: bool) -> str:
    return "ok" if held else "FAILED"


def _objects(path: Path) -> list[dict[str, Any]]:
    text = path.read_text()
    try:
        found = json.loads(text)
    except ValueError:
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
    found = found if isinstance(found, list) else [found]
    if not found or not all(isinstance(item, dict) for item in found):
        raise ValueError(f"{path}: expected JSON objects")
    return found


if __name__ == "__main__":
    top = argparse.ArgumentParser(description="Check checkpoints, logs and proofs offline.")
    add(top)
    sys.exit(verify(top.parse_args()))
