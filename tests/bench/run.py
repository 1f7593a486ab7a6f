"""`./dev bench [NAME...] [--write]`: run the benches one by one and print their figures beside their baselines.

Each `bench_<name>.py` is a script that prints a table; machines are shared and noisy, so figures are ratios inside one
run. `--write` keeps what was printed in docs/reference/benchmarks.md, with the command that gives it. What follows `--` goes
to the benches: `./dev bench govern -- --rows 10000000`.
"""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "reference" / "benchmarks.md"
INTRO = """# Benchmarks

Printed by `./dev bench --write`. Trust the ratios, not the milliseconds: every figure stands beside a baseline that was
measured in the same run on the same machine ({machine}, Python {python}).
"""


def run(script: Path, options: list[str]) -> tuple[str, int]:
    """Run one bench, echoing as it prints; returns its output and exit status."""
    print(f"== {script.stem.removeprefix('bench_')}", flush=True)
    with subprocess.Popen([sys.executable, str(script), *options], stdout=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return "".join(lines), process.returncode


def main(args: list[str]) -> int:
    """Run the named benches, or all; returns the worst exit status."""
    at = args.index("--") if "--" in args else len(args)
    args, options = args[:at], args[at + 1 :]
    write, names = "--write" in args, [a for a in args if not a.startswith("-")]
    scripts = [p for p in sorted(HERE.glob("bench_*.py")) if not names or p.stem.removeprefix("bench_") in names]
    page, worst = [INTRO.format(machine=platform.machine(), python=platform.python_version())], 0
    for script in scripts:
        begun = time.monotonic()
        output, status = run(script, options)
        worst = max(worst, status)
        name = script.stem.removeprefix("bench_")
        page.append(
            f"\n## {name}\n\n`./dev bench {name}` ({time.monotonic() - begun:.0f} s)\n\n```\n{output.rstrip()}\n```\n"
        )
    if write and not names:
        PAGE.write_text("".join(page))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
