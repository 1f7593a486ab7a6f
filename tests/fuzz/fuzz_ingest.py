"""Seeded mutation fuzzing of recognition, framing and parsers: `python tests/fuzz/fuzz_ingest.py [SECONDS] [SEED]`.

Starts from the golden records and damages them: cuts, copies, flips, joins, swaps in nasty tokens. Any exception is a
finding, as is a count that does not add up or a result that depends on how the bytes were portioned.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from commonwatch.ingest import Counters, Parsed, read
from strategies.eve import CORPUS, golden, source

NASTY = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"\\", b"{", b"}", b"[", b"]", b"[" * 40, b'{"a":' * 40, b"\n", b"\r\n",
    b"\\ud800", b"NaN", b"Infinity", b"-0", b"1e999", b"99999999999999999999999", b"null", b"true", b"# ", b"//",
    b"\xc0\x80", b"\xed\xa0\x80",
    b"CEF:0|", b"#separator \\x09", b"<14>Nov 16 09:30:00 host ", b"9" * 5_000, "\u202e\u0000é".encode(),
]  # fmt: skip


def seeds() -> list[bytes]:
    """Golden records as lines, and every other file of the corpus as it is."""
    import json

    lines = [json.dumps(case["record"]).encode() for case in golden()]
    files = [p.read_bytes() for p in CORPUS.rglob("*") if p.is_file() and p.name != "golden.jsonl"]
    return [*lines, *files]


def damage(data: bytes, pool: list[bytes], rng: random.Random) -> bytes:
    """One to six random damages."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(out) + 1)
        what = rng.randrange(7)
        if what == 0:
            del out[at : at + rng.randint(1, 40)]
        elif what == 1:
            out[at:at] = rng.choice(NASTY)
        elif what == 2 and out:
            out[at % len(out)] = rng.randrange(256)
        elif what == 3:
            out[at:at] = bytes(out[at : at + rng.randint(1, 200)])
        elif what == 4:
            out += rng.choice([b"\n", b"", b","]) + rng.choice(pool)
        elif what == 5:
            out[:0] = rng.choice([b"[", b"[\n  ", b"{\n", b"\xef\xbb\xbf", b"\n\n"])
        else:
            end = out.find(b",", at)
            out[at : end if end > 0 else at] = b": " + rng.choice(NASTY)
    return bytes(out)


def summary(data: bytes, portion: int, fmt: str | None) -> list[tuple[int, str]]:
    """Outcomes by position; checks that the counts add up."""
    counters = Counters()
    chunks = (data[i : i + portion] for i in range(0, len(data), portion))
    found = list(read(chunks, source(format=fmt), counters))
    assert counters.records == len(found), "counts do not add up"
    return sorted((o.position, o.kind if isinstance(o, Parsed) else o.reason) for o in found)


def one(data: bytes, rng: random.Random) -> None:
    """Check one input."""
    summary(data, len(data) or 1, None)
    whole = summary(data, len(data) or 1, "suricata_eve")
    assert summary(data, rng.randint(1, 300), "suricata_eve") == whole, "portions matter"


def main(seconds: float, seed: int) -> int:
    """Fuzz for a while; returns 1 at the first finding, with the input that made it."""
    rng, pool = random.Random(seed), seeds()
    end, runs = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = damage(rng.choice(pool), pool, rng)
        try:
            one(data, rng)
        except Exception as error:
            print(f"fuzz_ingest: after {runs} runs (seed {seed}): {error!r}\n{data!r}")
            return 1
        runs += 1
    print(f"fuzz_ingest: {runs} inputs in {seconds:.0f} s, nothing found (seed {seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0, int(sys.argv[2]) if len(sys.argv) > 2 else 1))
