"""The demo's own check, as a stranger would run it: real hub, real gateways, an outbreak, a revocation."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from commonwatch.cli.demo.stage import command


@pytest.mark.timeout(400)
def test_the_demo_holds_every_claim_it_makes(tmp_path: Path) -> None:
    args = ["demo", "--check", "--json", "--members", "4", "--seconds", "12", "--keep", str(tmp_path / "demo")]
    done = subprocess.run(command(args), capture_output=True, text=True, check=False, timeout=380)
    assert done.stdout, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert [claim for claim, held in report["claims"].items() if not held] == []
    assert done.returncode == 0
    assert report["events"]["stored"] > 10_000
    assert len(report["claims"]) >= 15
