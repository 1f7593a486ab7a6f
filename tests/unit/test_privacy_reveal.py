"""An owner finds what is behind its own pseudonyms, through the keys the gateway and the hub really use."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from commonwatch.cli import main
from commonwatch.errors import InvalidInput
from commonwatch.events.address import Address, parse
from commonwatch.gateway.edge import edge_keys
from commonwatch.gateway.state import Identity, StateFolder
from commonwatch.govern.answer.tokens import Vault
from commonwatch.govern.decide.table import Token
from commonwatch.privacy.pseudonym import (
    READER_EPOCH,
    det_one,
    det_text,
    epoch_of,
    identity_one,
    mailbox_one,
    pfx_one,
    pfx_text,
)
from commonwatch.privacy.reveal import behind, edge_layer, reader_layer

ROOT, OTHER = bytes(range(32)), bytes(range(1, 33))
EDGE = edge_keys(ROOT, "baker")
EPOCH = 7
ADDRESSES = [parse(a) for a in ("203.0.113.9", "10.0.0.7", "2001:db8:1:2::3", "fe80::1")]


def vault(field: str, recipient: str, form: str, epoch: int = EPOCH) -> Vault:
    """The hub's keys for one token of one reader."""
    table = SimpleNamespace(tokens=(Token("baker", cast("Any", field), recipient, form),), epoch_no=epoch)
    return Vault(cast("Any", table), cast("Any", SimpleNamespace(pseudonym_key=lambda _: EDGE.for_hub)), "answer-1")


def values(token: str, recipient: str | None, *among: str, root: bytes = ROOT) -> list[tuple[str, str]]:
    for_hub = edge_keys(root, "baker").for_hub
    reader = reader_layer(for_hub, "baker", recipient, EPOCH) if recipient else None
    return [tuple(b) for b in behind(token, edge_layer(root, "baker"), reader, among)]


@pytest.mark.parametrize("form", ["det", "pfx"])
@pytest.mark.parametrize("held", ["plain", "det", "pfx"])
@pytest.mark.parametrize("address", ADDRESSES, ids=str)
def test_the_owner_undoes_what_a_reader_was_shown(form: str, held: str, address: Address):
    make = {"plain": lambda a: a, "det": lambda a: det_one(a, EDGE.det), "pfx": lambda a: pfx_one(a, EDGE.pfx)}[held]
    (shown,) = vault("src_ip", "reader mssp", form).addresses(0, [make(address)])
    assert shown is not None
    keys = "reader" if held == "plain" else "reader, edge"
    assert (str(address), keys) in values(shown, "reader mssp")
    assert (str(address), keys) not in values(shown, "reader mssp", root=OTHER)


def test_the_owner_undoes_what_its_own_gateway_made():
    address = ADDRESSES[0]
    assert values(pfx_text(pfx_one(address, EDGE.pfx)), None) == [(str(address), "edge")]
    assert values(det_text(det_one(address, EDGE.det)), None) == [(str(address), "edge")]


@pytest.mark.parametrize(("field", "value"), [("user", "j.smith"), ("host", "LAPTOP-7"), ("mail_from", "a@b.example")])
@pytest.mark.parametrize("at_edge", [False, True])
def test_a_name_is_found_among_the_owners_own(field: str, value: str, at_edge: bool):
    namespace = "mail" if field == "mail_from" else field
    held = value
    if at_edge:
        key = EDGE.names[namespace]
        held = mailbox_one(value, key, domain=True) if namespace == "mail" else identity_one(value, key, namespace)  # type: ignore[arg-type]
    form = "mail+domain" if namespace == "mail" else "name"
    (shown,) = vault(field, "community north", form).names(0, [held])
    assert shown is not None
    found = values(shown, "community north", "nobody", value, "somebody")
    assert found == [(value, "reader, edge" if at_edge else "reader")]
    with pytest.raises(InvalidInput, match="one-way"):
        values(shown, "community north")


@pytest.mark.parametrize("form", ["det", "pfx"])
def test_two_recipients_and_two_epochs_never_join(form: str):
    shown = {
        text
        for recipient in ("reader mssp", "reader cert", "community north", "")
        for epoch in (EPOCH, EPOCH + 1)
        for text in vault("src_ip", recipient, form, epoch if recipient else 0).addresses(0, ADDRESSES)
    }
    assert len(shown) == 7 * len(ADDRESSES)


def test_an_epoch_is_twenty_eight_days():
    first = epoch_of(1_764_000_000_000_000)
    assert epoch_of(1_764_000_000_000_000 + READER_EPOCH) == first + 1


def test_what_is_no_token_is_refused():
    for text in ("203.0.113.9", "pfx:1.2.3.999", "det:00"):
        with pytest.raises(InvalidInput):
            values(text, None)


def test_the_command_reveals_and_prints_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = StateFolder(tmp_path)
    folder.prepare()
    identity = Identity("https://hub.example", "g", "baker", "Baker", "g", b"h" * 32, b"o" * 32, b"a" * 32, 0)
    folder.save_identity(identity)
    keys = edge_keys(folder.root, "baker")
    epoch = epoch_of(1_764_028_800_000_000)
    token = pfx_text(pfx_one(ADDRESSES[0], reader_layer(keys.for_hub, "baker", "reader mssp", epoch)("ip", 32)))
    words = ["gateway", "reveal", token, "--reader", "mssp", "--on", "2025-11-25", "--state", str(tmp_path), "--json"]
    assert main(words) == 0
    out = capsys.readouterr()
    assert {"value": "203.0.113.9", "keys": "reader"} in json.loads(out.out)
    assert folder.root.hex() not in out.out + out.err
