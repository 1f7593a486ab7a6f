"""`./dev fuzz [SECONDS] [TARGET ...]`: coverage-guided fuzzing of every target, SECONDS for all of them (default 600).

Inputs that break something stay in `tests/fuzz/found` and are tried by the tests from then on.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from fuzz.targets import targets  # noqa: E402 - found through the path above


def main(args: list[str]) -> int:
    """Run the targets one after the other; 1 if any found something."""
    seconds = float(args[0]) if args else 600.0
    names = args[1:] or list(targets())
    each, bad = max(1, round(seconds / len(names))), []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            run = [sys.executable, str(HERE / "guided.py"), name, str(each), folder]
            done = subprocess.run(run, capture_output=True, text=True, check=False)
        units = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        tried = f"{int(units[1]):,} inputs" if units else ""
        print(f"{name:28} {'ok' if done.returncode == 0 else 'FOUND'}  {tried}", flush=True)
        if done.returncode:
            bad.append(name)
            print(done.stdout[-2_000:], done.stderr[-4_000:], sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
