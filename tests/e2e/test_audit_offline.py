"""`commonwatch audit verify` finds every forgery with the standard library alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commonwatch.audit import verify
from commonwatch.audit.checkpoint import public_bytes, sign
from commonwatch.audit.log import AuditLog, Entry

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
HEX = public_bytes(KEY).hex()


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with a log of eight entries, checkpoints at 5 and 8, and both kinds of proof."""
    with AuditLog(tmp_path, KEY, "hub.example/audit") as log:
        log.append_many([Entry(kind="query", actor=f"p{n}", org="acme") for n in range(5)])
        (tmp_path / "old.json").write_bytes(msgspec.json.encode(log.checkpoint()))
        log.append_many([Entry(kind="query", actor=f"q{n}", org="acme") for n in range(3)])
        (tmp_path / "new.json").write_bytes(msgspec.json.encode(log.checkpoint()))
        (tmp_path / "consistency.json").write_text(json.dumps(log.consistency(5, 8)))
        (tmp_path / "inclusion.json").write_text(json.dumps(log.inclusion(2, 8)))
    return tmp_path


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-I", verify.__file__, *args], cwd=folder, capture_output=True, text=True, check=False
    )


def test_a_good_log_passes_every_check(kept: Path):
    done = run(kept, "old.json", "new.json", "--log", "audit.log", "--proof", "consistency.json", "--proof",
               "inclusion.json", "--key", HEX)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 6
    assert "unproven" not in done.stdout


def test_the_command_itself_needs_only_the_standard_library(kept: Path):
    source = Path(verify.__file__).parents[2]
    code = f"import sys; sys.path.insert(0, {str(source)!r}); from commonwatch.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code, "audit", "verify", "new.json", "--log", "audit.log", "--key", HEX],
        cwd=kept, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("forgery", ["edit", "drop", "swap"])
def test_a_forged_log_fails(kept: Path, forgery: str):
    lines = (kept / "audit.log").read_bytes().splitlines(keepends=True)
    if forgery == "edit":
        lines[1] = lines[1].replace(b'"p1"', b'"px"')
    elif forgery == "drop":
        del lines[1]
    else:
        lines[1], lines[2] = lines[2], lines[1]
    (kept / "audit.log").write_bytes(b"".join(lines))
    done = run(kept, "old.json", "new.json", "--log", "audit.log", "--key", HEX)
    assert done.returncode == 1
    assert "FAILED" in done.stdout


def test_two_heads_of_one_size_are_exposed(kept: Path):
    (kept / "other.json").write_bytes(msgspec.json.encode(sign(KEY, "hub.example/audit", 8, b"\x01" * 32, 9)))
    done = run(kept, "new.json", "other.json", "--key", HEX)
    assert done.returncode == 1
    assert "two different heads" in done.stdout


def test_another_key_fails_and_a_missing_proof_is_said(kept: Path):
    assert run(kept, "new.json", "--key", "00" * 32).returncode == 1
    done = run(kept, "old.json", "new.json")
    assert done.returncode == 0
    assert done.stdout.count("unproven") == 2


def test_a_file_that_is_no_checkpoint_is_a_clear_error(kept: Path):
    (kept / "junk.json").write_text("[1]")
    done = run(kept, "junk.json")
    assert done.returncode == 2
    assert "expected JSON objects" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["{}", '{"size": 1}', '{"key": "zz"}', '{"key": null, "size": "x"}', "null", ""])
def test_malformed_files_never_end_in_a_traceback(kept: Path, content: str):
    (kept / "junk.json").write_text(content)
    for args in (("junk.json",), ("new.json", "--proof", "junk.json"), ("junk.json", "--key", HEX)):
        done = run(kept, *args)
        assert done.returncode in (1, 2), args
        assert "Traceback" not in done.stderr
