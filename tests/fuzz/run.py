"""`./dev fuzz [SECONDS]`: run every fuzzer for SECONDS (default 600) each; inputs that break something are printed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(args: list[str]) -> int:
    """Run all `fuzz_*.py` scripts; returns the worst exit status."""
    seconds = args[0] if args else "600"
    scripts = sorted(Path(__file__).resolve().parent.glob("fuzz_*.py"))
    return max((subprocess.run([sys.executable, str(s), seconds], check=False).returncode for s in scripts), default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
