"""A key behind a passphrase: what one program locks another opens, and nothing else opens it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatch.agreements.locked import is_locked, lock, unlock
from commonwatch.agreements.signing import SigningKey, b64, unb64
from commonwatch.cli import main
from commonwatch.errors import InvalidInput

PHRASE = "grüne Ahorn-Straße 7"


def plain(key: SigningKey) -> dict[str, Any]:
    return dict(msgspec.to_builtins(lock(key, PHRASE)))


def test_the_key_comes_back_with_the_passphrase_however_it_was_typed() -> None:
    key = SigningKey.generate()
    file = plain(key)
    assert is_locked(file)
    assert key.private_jwk()["d"] not in json.dumps(file)
    assert unlock(file, unicodedata.normalize("NFD", PHRASE)) == key.private_jwk()


def test_another_passphrase_and_a_changed_file_are_told_apart_and_give_no_key() -> None:
    file = plain(SigningKey.generate())
    with pytest.raises(InvalidInput, match="does not open"):
        unlock(file, PHRASE + " ")
    with pytest.raises(InvalidInput, match="damaged or changed"):
        unlock({**file, "ciphertext": b64(bytes(len(unb64(file["ciphertext"]))))}, PHRASE)


@pytest.mark.parametrize("change", [{"p2c": 2_000_000_000}, {"p2c": 1}, {"alg": "dir"}, {"p2s": "*"}, {"p2c": "many"}])
def test_a_file_cannot_make_the_program_compute_without_end_or_choose_another_way(change: dict[str, Any]) -> None:
    file = plain(SigningKey.generate())
    header = json.loads(unb64(file["protected"])) | change
    with pytest.raises(InvalidInput, match="not a locked key file"):
        unlock({**file, "protected": b64(json.dumps(header).encode())}, PHRASE)


def test_a_short_passphrase_locks_nothing() -> None:
    with pytest.raises(InvalidInput, match="fewer than 12"):
        lock(SigningKey.generate(), "short")


def test_the_command_line_makes_and_reads_locked_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key.json"
    monkeypatch.setenv("COMMONWATCH_PASSPHRASE", PHRASE)
    assert main(["agreement", "keygen", str(file), "--passphrase"]) == 0
    made = capsys.readouterr().out.strip()
    rules, out = tmp_path / "rules.yaml", tmp_path / "signed.json"
    rules.write_text("labelling: '1'\nversion: 1\nrules: []\n")
    sign = ["gateway", "labels", "sign", str(rules), "--key", str(file), "--out", str(out)]
    assert main(sign) == 0
    assert json.loads(capsys.readouterr().out)["signed_by"] == made
    monkeypatch.setenv("COMMONWATCH_PASSPHRASE", "another one altogether")
    assert main(sign) != 0
    assert "this passphrase does not open the file" in capsys.readouterr().err
    monkeypatch.delenv("COMMONWATCH_PASSPHRASE")
    assert main(sign) != 0
    assert "COMMONWATCH_PASSPHRASE" in capsys.readouterr().err
