"""Partners' documents to candidates, what is held of them, and who may get it onward under which marking."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commonwatch.agreements.reader import Reader
from commonwatch.errors import CommonwatchError, Conflict, InvalidInput
from commonwatch.events.labels import Tlp
from commonwatch.hub.intelligence.table import Intelligence, Source
from commonwatch.ingest.intel import Candidate, read_intelligence
from commonwatch.share.allow import AllowList
from commonwatch.share.indicators import DAY
from commonwatch.share.partners import confidence, given_to, may_get
from commonwatch.share.ports import Held

NOW = 1_795_348_800_000_000
RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
GREEN2 = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"


def stix(pattern: str, n: int = 1, **more: Any) -> dict[str, Any]:
    """An indicator."""
    head = {"type": "indicator", "id": f"indicator--0000000{n}-0000-4000-8000-000000000000", "pattern_type": "stix"}
    return head | {"created": "2026-11-20T00:00:00Z", "modified": "2026-11-20T00:00:00Z", "pattern": pattern} | more


def bundle(*objects: dict[str, Any]) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": list(objects)}).encode()


def only(data: bytes) -> Candidate:
    (found,) = read_intelligence(data).candidates
    return found


def test_a_pattern_of_alternatives_gives_one_candidate_each_and_a_conjunction_none() -> None:
    either = "[ipv4-addr:value = '203.0.113.9'] OR [domain-name:value = 'Bad.Example']"
    found = read_intelligence(
        bundle(stix(either), stix("[url:value = 'http://a.b/' AND domain-name:value = 'a.b']", 2))
    )
    assert [(c.kind, c.value) for c in found.candidates] == [("ip", "203.0.113.9"), ("domain", "bad.example")]
    assert found.refused == {"pattern": 1}


def test_the_strictest_of_several_markings_counts_and_an_unknown_one_is_red() -> None:
    path = "[domain-name:value = 'bad.example']"
    assert only(bundle(stix(path, object_marking_refs=[GREEN2]))).tlp == Tlp.GREEN
    assert only(bundle(stix(path, object_marking_refs=[GREEN2, RED]))).tlp == Tlp.RED
    assert only(bundle(stix(path, object_marking_refs=["marking-definition--unheard"]))).tlp == Tlp.RED
    assert only(bundle(stix(path))).tlp is None


def test_an_iep_marking_limits_acting_and_naming() -> None:
    iep = {
        "type": "marking-definition", "id": "marking-definition--9", "created": "2026-11-20T00:00:00Z",
        "extensions": {"extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a": {
            "iep_version": "2.0", "permitted_actions": ["none"], "tlp": "amber", "provider_attribution": "must-not"}},
    }  # fmt: skip
    found = only(
        bundle(stix("[domain-name:value = 'bad.example']", object_marking_refs=["marking-definition--9"]), iep)
    )
    assert (found.tlp, found.may_act, found.attribute) == (Tlp.AMBER, False, False)


def test_misp_attributes_to_ids_are_read_with_their_tags_and_deleted_ones_withdrawn() -> None:
    attributes = [
        {
            "uuid": "a",
            "type": "filename|sha256",
            "value": "x.doc|" + "AA" * 32,
            "to_ids": True,
            "timestamp": "1795000000",
        },
        {"uuid": "b", "type": "ip-dst|port", "value": "203.0.113.9|443", "to_ids": "1", "Tag": [{"name": "tlp:red"}]},
        {"uuid": "c", "type": "domain", "value": "gone.example", "to_ids": True, "deleted": True},
        {"uuid": "d", "type": "comment", "value": "text", "to_ids": False},
    ]
    event = {"uuid": "e", "Tag": [{"name": "tlp:green"}], "Attribute": attributes}
    found = read_intelligence(json.dumps({"response": [{"Event": event}]}).encode())
    said = [(c.kind, c.value, c.tlp) for c in found.candidates]
    assert said == [("sha256", "aa" * 32, Tlp.GREEN), ("ip", "203.0.113.9", Tlp.RED)]
    assert (found.withdrawn, found.parents) == (["c"], ["e"])


def test_lists_and_csv_are_read_defanged_and_commented() -> None:
    lines = read_intelligence(b"# a list\n203.0.113.9\nhxxp://bad[.]example/x\nnot a value\n")
    assert [(c.kind, c.value) for c in lines.candidates] == [("ip", "203.0.113.9"), ("url", "http://bad.example/x")]
    rows = read_intelligence(b"indicator,confidence,tlp\nbad.example,80,TLP:GREEN\n")
    assert [(c.value, c.confidence, c.tlp) for c in rows.candidates] == [("bad.example", 80, Tlp.GREEN)]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.text(max_size=5) | st.integers() | st.sampled_from(["indicator", "bundle", "[a:b = 'c']"]),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(
        ["objects", "type", "id", "pattern", "Event", "Attribute", "Object", "to_ids", "value", "response", "labels",
         "object_marking_refs", "granular_markings", "extensions", "Tag", "name", "uuid", "timestamp"]), v, max_size=4),
    max_leaves=12).map(lambda v: json.dumps(v).encode()))  # fmt: skip
def test_no_document_does_more_than_be_refused(data: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        assert all(c.value for c in read_intelligence(data).candidates)


def held(tlp: Tlp, receiver: str = "birch", **more: Any) -> Held:
    said: dict[str, Any] = {
        "receiver": receiver, "source": "cert", "weight": 50, "community": False, "kind": "domain", "value": "bad.example",
        "external_id": "i", "valid_from": 0, "valid_until": NOW + DAY, "confidence": None, "tlp": int(tlp),
        "may_act": True, "attribute": True,
    }  # fmt: skip
    return Held(**said | more)


#: Who may get what birch was given: birch, its client, a neighbour in its community, a stranger.
ONWARD = {
    Tlp.CLEAR: {"birch", "alder", "dune", "cedar"}, Tlp.GREEN: {"birch", "alder", "dune"}, Tlp.AMBER: {"birch", "alder"},
    Tlp.AMBER_STRICT: {"birch"}, Tlp.RED: {"birch"},
}  # fmt: skip


@pytest.mark.parametrize("tlp", list(Tlp))
def test_a_marking_limits_who_gets_it_onward(tlp: Tlp) -> None:
    readers = [
        Reader(o, (), ("valley",) if o != "cedar" else (), "detect") for o in ("birch", "alder", "dune", "cedar")
    ]
    around = frozenset({"valley"}), frozenset({"alder"})
    assert {r.org for r in readers if may_get(r, held(tlp), *around)} == ONWARD[tlp]
    wide = {r.org for r in readers if may_get(r, held(tlp, community=True), *around)}
    assert wide == ONWARD[tlp] | ({"dune"} if tlp == Tlp.AMBER else set())


def test_confidence_grows_with_independent_sources_by_their_weight_and_not_by_repetition() -> None:
    one, other = held(Tlp.CLEAR, confidence=80), held(Tlp.CLEAR, source="isac", confidence=80, weight=100)
    assert confidence([one]) == confidence([one, one]) == 40
    assert confidence([one, other]) == 88
    assert confidence([held(Tlp.CLEAR, weight=0)]) == 0


@pytest.fixture
def table(tmp_path: Path) -> Intelligence:
    return Intelligence(tmp_path / "i.sqlite")


def kept(table: Intelligence, source: Source, *documents: bytes, now: int = NOW) -> set[str]:
    for one in documents:
        table.take(source, read_intelligence(one), now)
    return {h.value for h in table.held(now)}


def test_what_is_revoked_or_no_longer_listed_is_withdrawn_and_an_older_version_changes_nothing(
    table: Intelligence,
) -> None:
    up, listed = Source(org="birch", name="up", kind="upload"), Source(org="birch", name="list", kind="list")
    table.add(up)
    table.add(listed)
    new = stix("[domain-name:value = 'new.example']", modified="2026-11-21T00:00:00Z")
    assert kept(table, up, bundle(new), bundle(stix("[domain-name:value = 'old.example']"))) == {"new.example"}
    assert kept(table, listed, b"a.example\nb.example") == {"new.example", "a.example", "b.example"}
    assert kept(table, listed, b"b.example") == {"new.example", "b.example"}
    assert kept(table, up, bundle(new | {"revoked": True})) == {"b.example"}


def test_values_end_by_their_kind_unless_their_giver_says_when(table: Intelligence) -> None:
    source = Source(org="birch", name="up", kind="upload")
    table.add(source)
    short = stix("[domain-name:value = 'short.example']", 2, valid_until="2026-11-23T00:00:00Z")
    kept(table, source, bundle(stix("[ipv4-addr:value = '203.0.113.9']"), short))
    assert {h.value for h in table.held(NOW + 3 * DAY)} == {"203.0.113.9"}
    assert table.held(NOW + 8 * DAY) == []
    assert kept(table, source, bundle(stix("[ipv4-addr:value = '203.0.113.7']", 3)), now=NOW + 90 * DAY) == set()


def test_what_carries_no_marking_is_red_unless_its_source_says_otherwise(table: Intelligence) -> None:
    for name, tlp in (("strict", Tlp.RED), ("open", Tlp.GREEN)):
        source = Source(org="birch", name=name, kind="upload", tlp=int(tlp))
        table.add(source)
        kept(table, source, f"{name}.example".encode())
    assert {h.value: h.tlp for h in table.held(NOW)} == {"strict.example": Tlp.RED, "open.example": Tlp.GREEN}
    with pytest.raises(Conflict):
        table.add(Source(org="birch", name="open", kind="upload"))


def test_a_partner_cannot_put_an_allowed_value_into_feeds(table: Intelligence) -> None:
    source = Source(org="birch", name="up", kind="upload")
    table.add(source)
    kept(table, source, b"8.8.8.8\nupdate.microsoft.com\n10.1.2.3\nbad.example")
    found = given_to(Reader("birch", (), (), "detect"), table, AllowList(), NOW)
    assert {i.value for i in found.values()} == {"bad.example"}


def test_a_source_that_fails_is_asked_later_each_time_and_says_why(table: Intelligence) -> None:
    source = Source(org="birch", name="list", kind="list", url="https://x.example/", every=600)
    table.add(source)
    waits = []
    for _ in range(10):
        table.went(table.source("birch", "list"), NOW, "the answer was 500")
        waits.append((table.source("birch", "list").next_at - NOW) // 1_000_000)
    assert waits[:3] == [1_200, 2_400, 4_800]
    assert waits[-1] == 86_400
    assert table.source("birch", "list").error == "the answer was 500"
    table.went(table.source("birch", "list"), NOW)
    assert (table.source("birch", "list").error, table.source("birch", "list").failures) == ("", 0)


def test_who_leaves_takes_what_it_was_given_along(table: Intelligence, tmp_path: Path) -> None:
    source = Source(org="birch", name="up", kind="upload")
    table.add(source)
    kept(table, source, b"canary-value.example")
    table.forget("birch")
    assert table.held(NOW) == []
    assert b"canary-value" not in b"".join(p.read_bytes() for p in tmp_path.iterdir())


def test_more_than_a_document_may_be_is_refused() -> None:
    with pytest.raises(CommonwatchError, match="too long"):
        read_intelligence(b"x" * ((16 << 20) + 1))
