"""Seeded mutation: damages inputs that are well, so that a short run already reaches deep. Needs nothing installed."""

from __future__ import annotations

import random
import time

from fuzz.targets import Target

NASTY = [
    b"\x00", b"\xff", b"\xef\xbb\xbf", b'"', b"\\", b"{", b"}", b"[", b"]", b"[" * 40, b'{"a":' * 40, b"\n", b"\r\n",
    b"\\ud800", b"NaN", b"Infinity", b"-0", b"1e999", b"99999999999999999999999", b"null", b"true", b"# ", b"//", b"=", b"|",
    b"\\x", b"\t", b"\xc0\x80", b"\xed\xa0\x80", b"CEF:0|", b"LEEF:2.0|", b"#separator \\x09", b"#fields\t",
    b"<14>Nov 16 09:30:00 host ", b"9" * 5_000, "\u202e\u0000é".encode(), b"&yaml *yaml", b"!!python/object",
]  # fmt: skip


def damage(data: bytes, pool: tuple[bytes, ...], rng: random.Random) -> bytes:
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
            out += rng.choice([b"\n", b"", b","]) + rng.choice(pool)[:2_000]
        elif what == 5:
            out[:0] = rng.choice([b"[", b"[\n  ", b"{\n", b"\xef\xbb\xbf", b"\n\n"])
        else:
            end = out.find(b",", at)
            out[at : end if end > 0 else at] = b": " + rng.choice(NASTY)
    return bytes(out)


def hunt(target: Target, seconds: float, seed: int) -> tuple[int, bytes | None, Exception | None]:
    """Damage and run for a while: how many inputs, and the first that broke something with what it raised."""
    rng = random.Random(f"{target.name} {seed}")
    small = tuple(s[:20_000] for s in target.seeds)
    end, runs = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = damage(rng.choice(small), small, rng)
        try:
            target.run(data)
        except Exception as error:
            return runs, data, error
        runs += 1
    return runs, None, None
