"""The collector's pauses, in a process of its own: what is set aside would stay so for whoever ran the tests."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import gc, weakref
from commonwatch.hub.jobs.heap import FULL, Heap

class Ring: pass
heap, kept, ring = Heap(), [[] for _ in range(20_000)], Ring()
ring.me, gone = ring, weakref.ref(ring)
heap.turn()
assert gc.get_freeze_count() > 20_000, "what lives is set aside"
del ring
heap.turn()
assert gone() is not None, "what refers to itself stays until the full look"
heap._full -= FULL + 1
heap.turn()
assert gone() is None, "which lets it go"
assert gc.get_freeze_count() > 20_000
"""


def test_what_lives_is_set_aside_and_looked_at_in_full_now_and_then() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
