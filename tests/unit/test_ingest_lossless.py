"""What a source has survives: hash, path, link, domain, user and time, in every format that has them; real files too."""

from __future__ import annotations

from pathlib import Path

import pytest

from commonwatch.ingest import Counters, Parsed, read_file
from strategies.corpus import cases, corpus_source, outcomes_of, table_formats

#: Formats and what they have no place for.
LACKING = {"crowdsec": {"file_sha256", "file_path"}, "misp": {"file_path"}, "stix_bundle": {"dst_user"}}
KEPT = ("file_sha256", "file_path", "url", "domain", "dst_user")


@pytest.mark.parametrize("known", table_formats(), ids=lambda f: f.name)
def test_hash_path_link_domain_user_and_time_survive(known) -> None:
    events = [o.event for p in cases(known.name) for o in outcomes_of(p.read_bytes()) if isinstance(o, Parsed)]
    for column in set(KEPT) - LACKING.get(known.name, set()):
        assert any(getattr(e, column) for e in events), column
    assert not {e.time for e in events} & {corpus_source().clock()}
    assert len({e.time for e in events}) > 1


def test_real_crowdsec_alerts_are_read_whole(samples: Path) -> None:
    counters = Counters()
    found = [
        o for f in sorted((samples / "crowdsec").glob("alert*.json")) for o in read_file(f, corpus_source(), counters)
    ]
    assert counters.mapped == counters.records == len(found) == 26
    assert all(o.event.src_ip and o.event.rule_uid for o in found if isinstance(o, Parsed))
    assert any(o.event.attack_techniques == ("T1110",) for o in found if isinstance(o, Parsed))
