"""`python tests/fuzz/guided.py TARGET SECONDS FOLDER`: coverage-guided fuzzing of one target with atheris.

Begins from the corpus; an input that breaks something is written to `tests/fuzz/found/TARGET/` and becomes corpus.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

with atheris.instrument_imports(include=["commonwatch"]):
    from fuzz.targets import FOUND, targets


def main(name: str, seconds: str, folder: str) -> None:
    """Run until the time is over or something breaks."""
    target = targets()[name]
    seeds = Path(folder)
    for number, seed in enumerate(target.seeds):
        (seeds / f"seed-{number}").write_bytes(seed[:20_000])
    found = FOUND / name.replace(" ", "-")
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={found}/",
        "-max_len=20000",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, folder], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
