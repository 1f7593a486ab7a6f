"""Labelling rules at the gateway: only what the owner signed labels, and versions never go back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from commonwatch.agreements.signing import SigningKey
from commonwatch.cli import main
from commonwatch.errors import CommonwatchError, InvalidInput, SignatureError
from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass, Tlp
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.labels import checked, labeller_of
from commonwatch.ingest.rules import read_rules
from commonwatch.ingest.signed_rules import sign_rules

OWNER, OTHER = SigningKey.generate(), SigningKey.generate()
KEYS = [OWNER.thumbprint]
EVENT = Event(event_class=EventClass.INTRUSION, time=1, class_uid=2004)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "gateway.db")
    yield made
    made.close()


def signed(version: int = 1, tlp: str = "green", key: SigningKey = OWNER) -> bytes:
    """Signed rules that give every event this TLP."""
    return sign_rules(read_rules(f'labelling: "1"\nversion: {version}\nrules: [{{set: {{tlp: {tlp}}}}}]'), key)


def test_rules_the_owner_signed_label(journal: Journal) -> None:
    labeller = labeller_of(signed(7), KEYS, journal)
    assert (labeller.version, labeller.label(EVENT).tlp) == (7, Tlp.GREEN)


def test_without_rules_a_gateway_labels_by_the_default_ones(journal: Journal) -> None:
    assert labeller_of(None, KEYS, journal).label(EVENT).tlp == Tlp.AMBER


@pytest.mark.parametrize("data", [b'labelling: "1"\nversion: 1', b'{"labelling": "1", "version": 1}', b"{"])
def test_rules_nobody_signed_stop_the_gateway(journal: Journal, data: bytes) -> None:
    with pytest.raises(InvalidInput, match="signed by their owner") as caught:
        labeller_of(data, KEYS, journal)
    assert "gateway labels sign" in str(caught.value.todo)


def test_rules_somebody_else_signed_stop_the_gateway(journal: Journal) -> None:
    with pytest.raises(SignatureError, match="not signed by their owner"):
        labeller_of(signed(key=OTHER), KEYS, journal)


def test_changed_rules_stop_the_gateway(journal: Journal) -> None:
    envelope = json.loads(signed(tlp="red"))
    envelope["payload"] = json.loads(signed(tlp="clear"))["payload"]
    with pytest.raises(SignatureError, match="does not verify"):
        labeller_of(json.dumps(envelope).encode(), KEYS, journal)


def test_versions_go_up_only(journal: Journal) -> None:
    labeller_of(signed(2), KEYS, journal)
    labeller_of(signed(2), KEYS, journal)
    for older in (signed(1), signed(2, tlp="clear")):
        with pytest.raises(InvalidInput, match="does not follow version 2"):
            labeller_of(older, KEYS, journal)
    assert labeller_of(signed(3, tlp="clear"), KEYS, journal).version == 3


def test_looking_at_rules_does_not_take_them_into_use(journal: Journal) -> None:
    labeller_of(signed(2), KEYS, journal)
    assert checked(signed(5), KEYS, journal).rules.version == 5
    assert labeller_of(signed(3), KEYS, journal).version == 3


def test_the_command_signs_what_a_gateway_accepts(
    tmp_path: Path, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    key, rules, out = tmp_path / "key.json", tmp_path / "labels.yaml", tmp_path / "labels.json"
    rules.write_text('labelling: "1"\nversion: 4\nrules: [{set: {tlp: green}}]')
    assert main(["agreement", "keygen", str(key)]) == 0
    thumbprint = capsys.readouterr().out.strip()
    assert main(["gateway", "labels", "sign", str(rules), "--key", str(key), "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 4, "rules": 1, "signed_by": thumbprint}
    assert main(["gateway", "labels", "check", str(out)]) == 0
    assert "version 4, 1 rules, signed" in capsys.readouterr().out
    assert labeller_of(out.read_bytes(), [thumbprint], journal).version == 4


def test_checking_warns_where_events_would_be_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = tmp_path / "labels.yaml"
    rules.write_text('labelling: "1"\nversion: 1\nrules: [{when: {class: [dns]}, set: {tlp: green}}]')
    assert main(["gateway", "labels", "check", str(rules)]) == 0
    assert "TLP:RED" in capsys.readouterr().out


def test_an_owner_key_that_was_replaced_still_speaks_through_its_successor(journal: Journal) -> None:
    with pytest.raises(CommonwatchError):
        labeller_of(signed(key=OTHER), KEYS, journal)
    assert labeller_of(signed(key=OTHER), [*KEYS, OTHER.thumbprint], journal).version == 1
