"""A short slice of fuzzing at every run, and everything that fuzzing ever found. `./dev fuzz` goes on for long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fuzz.mutate import hunt
from fuzz.targets import FOUND, Target, targets

EACH = pytest.mark.parametrize("target", targets().values(), ids=list(targets()))


@EACH
def test_damaged_inputs_break_nothing(target: Target) -> None:
    runs, data, error = hunt(target, 0.4, seed=1)
    assert error is None, (repr(data), error)
    assert runs > 0


@pytest.mark.parametrize("path", [p for p in sorted(FOUND.rglob("*")) if p.is_file()], ids=lambda p: p.name)
def test_what_was_found_once_is_mended(path: Path) -> None:
    name = path.parent.name
    next(t for t in targets().values() if t.name.replace(" ", "-") == name).run(path.read_bytes())


HOSTILE = {
    "brackets": b"[" * 400_000, "quotes": b'"' * 400_000, "escapes": b"\\" * 400_000, "equals": b"a=" * 200_000,
    "commas": b"," * 400_000, "pipes": b"CEF:0|" + b"|" * 400_000, "keys": b"CEF:0|a|b|c|d|e|1|" + b"k=v " * 100_000,
    "tabs": b"#separator \\x09\n#fields\t" + b"a\t" * 20_000 + b"\n" + b"x\t" * 20_000, "one key": b'{"a":' * 60_000,
    "dates": b"<1>" + b"Nov 16 09:30:00 " * 25_000, "digits": b"9" * 400_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_input_takes_more_than_linear_time(name: str) -> None:
    """Four times the input takes at most some ten times as long (twice four, and the noise of a shared machine)."""
    data = HOSTILE[name]
    for target in targets().values():
        took = [_seconds(target, data[: len(data) // 4]), _seconds(target, data)]
        assert took[1] < max(10 * took[0], 2.0), (target.name, took)


def _seconds(target: Target, data: bytes) -> float:
    began = time.process_time()
    target.run(data)
    return time.process_time() - began
