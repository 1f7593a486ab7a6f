"""Permitted actions bite: what may not be acted on reaches a gateway for reading, never its list to block by."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from commonwatch.agreements.document import Duties
from commonwatch.agreements.terms.iep import Named, Terms
from commonwatch.gateway.downlink.inbox import Inbox
from commonwatch.gateway.journal import Journal
from commonwatch.gateway.state import StateFolder
from commonwatch.share.indicators import Indicator, pattern
from commonwatch.share.promulgate import item
from commonwatch.wire.messages import Indicators, decode_line, encode_line

DAY = dt.date(2026, 1, 1)


def indicator(value: str, actions: str | None) -> Indicator:
    terms = None
    if actions is not None:
        terms = Terms((Named("dsa-1", 1),), Duties(actions=actions, delete_after_days=30), "Warn", DAY, DAY, 1)  # type: ignore[arg-type]
    return Indicator(
        id=f"indicator--{value}", kind="domain", value=value, pattern=pattern("domain", value), valid_from=0,
        valid_until=9, tlp=1, terms=terms,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("actions", "blocks"),
    [("none", False), ("contact-first", False), ("internal", True), ("external-direct", True), (None, True)],
)
def test_only_what_may_be_acted_on_is_in_the_list_to_block_by(
    tmp_path: Path, actions: str | None, blocks: bool
) -> None:
    folder = StateFolder(tmp_path)
    journal = Journal(tmp_path / "journal.sqlite")
    inbox = Inbox(journal, folder)
    message = decode_line(encode_line(Indicators([item(indicator("evil.example", actions), 5)])))
    assert isinstance(message, Indicators)
    inbox.take(message, 6)
    inbox.write_out()
    assert ("evil.example" in (tmp_path / "indicators.txt").read_text()) == blocks
    assert "evil.example" in (tmp_path / "indicators.json").read_text()
    assert message.items[0].delete_after_days == (None if actions is None else 30)
    journal.close()
