"""Questions on a real hub: answered from documents for whom they concern; nobody else is told anything."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from litestar.testing import TestClient

from commonwatch.agreements.decode import canonical
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.reader import PURPOSES, Reader
from commonwatch.cli import main
from commonwatch.cli.client import Client
from commonwatch.errors import InvalidInput, NotFound, NotPermitted
from commonwatch.hub.compose import Hub
from commonwatch.hub.registry.questions import Questions
from commonwatch.hub.templates.shipped import shipped
from commonwatch.web.ports import AskImpact, AskSees, Principal
from doubles.town import Town, agreement


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    made = town.copy(tmp_path_factory.mktemp("hub") / "data")
    yield made
    made.close()


@pytest.fixture
def ask(hub: Hub) -> Questions:
    return Questions(hub.core.policy, hub.core.templates)


def person(org: str, role: str, *communities: str, operator: bool = False) -> Principal:
    return Principal(
        "person", f"{org}-admin", org, Reader(org, (role,), communities, "detect"), admin=True, operator=operator
    )  # type: ignore[arg-type]


ALDER, BIRCH = person("alder", "sme", "valley"), person("birch", "mssp", "valley", operator=True)
CEDAR, DUNE = person("cedar", "cert", "valley"), person("dune", "sme", "valley")


def amended(**shown: str) -> dict[str, object]:
    """The next version of alder's agreement: birch is shown more."""
    plain = copy.deepcopy(agreement())
    plain["clauses"][0]["fields"] |= shown
    return {**plain, "version": 2}


def test_the_owner_is_told_what_a_new_version_newly_shows(ask: Questions) -> None:
    found = ask.impact(ALDER, AskImpact(document=amended(user="pseudonym")))
    (change,) = found.newly
    assert [(s.field, s.before, s.after) for s in change.fields] == [("user", "withheld", "pseudonym")]
    assert change.to.organisations == ("birch",)
    assert "user name as a pseudonym" in change.text
    assert change.witness.reader.org == "birch"
    assert not found.no_longer
    assert not found.partial
    assert ask.impact(ALDER, AskImpact(document={**agreement(), "version": 2})).newly == ()


def test_the_end_of_an_agreement_hides_everything_and_shows_nothing(ask: Questions) -> None:
    found = ask.impact(ALDER, AskImpact(without="alder-service"))
    assert not found.newly
    assert {s.after for change in found.no_longer for s in change.fields} == {"withheld"}
    assert {org for change in found.no_longer for org in change.to.organisations} >= {"birch"}


def test_a_charter_is_asked_about_by_its_owner_alone(ask: Questions) -> None:
    charter = {
        "charter": "1", "id": "ceiling", "title": "Ours", "owner": {"id": "alder"},
        "clauses": [{"kind": "limit", "id": "all", "fields": {"src_ip": "country"}}],
    }  # fmt: skip
    found = ask.impact(ALDER, AskImpact(document=charter))
    assert {(s.before, s.after) for c in found.no_longer for s in c.fields if s.field == "src_ip"} == {
        ("network", "country"), ("pseudonym", "withheld"),
    }  # fmt: skip
    with pytest.raises(NotPermitted):
        ask.impact(BIRCH, AskImpact(document=charter))


def test_the_hubs_operator_is_told_no_more_than_any_party(ask: Questions) -> None:
    """birch runs the hub and is a party: it may ask about the agreement, judged without alder's other documents."""
    assert ask.impact(BIRCH, AskImpact(document=amended(user="pseudonym"))).partial
    stranger = {**agreement(), "id": "other", "parties": [{"id": "alder", "role": "owner"}]}
    with pytest.raises(NotPermitted):
        ask.impact(BIRCH, AskImpact(document=stranger))
    with pytest.raises(NotFound):
        ask.impact(CEDAR, AskImpact(without="alder-service"))
    assert ask.who_sees(BIRCH, AskSees(field="src_ip")).readers == ()


def test_who_sees_a_field_is_exact_with_clauses(ask: Questions) -> None:
    found = ask.who_sees(ALDER, AskSees(field="src_ip", at_least="network"))
    assert {(s.org, s.purpose) for s in found.readers} == {("birch", p) for p in ("operate", "detect", "respond")}
    assert [str(ref) for sight in found.sights for ref in sight.clauses] == ["alder-service@1#operate"]
    anything = ask.who_sees(ALDER, AskSees(field="src_ip"))
    assert {"birch", "cedar", "*:cert"} <= {s.org for s in anything.readers}
    assert ask.who_sees(ALDER, AskSees(field="src_ip", tlp="red")).readers == ()
    assert ask.who_sees(ALDER, AskSees(field="message")).readers == ()


def test_what_a_reader_sees_of_me_and_why_not_more(ask: Questions) -> None:
    found = ask.what_sees(ALDER, "cedar", "user")
    (seen,) = found.seen
    assert seen.fields == {"time": "day", "owner": "pseudonym", "src_ip": "pseudonym", "malware": "family"}
    assert {w.reason for w in found.withheld} >= {"field-not-granted", "class"}
    with pytest.raises(NotFound):
        ask.what_sees(ALDER, "nobody", None)


def test_a_reader_is_told_what_it_sees_but_not_of_whom_where_that_is_withheld(ask: Questions, hub: Hub) -> None:
    of_cedar = ask.what_sees(CEDAR, None, None)
    assert [s.owner for s in of_cedar.seen] == [None]
    assert of_cedar.seen[0].clauses == ()
    of_birch = ask.what_sees(BIRCH, None, None)
    assert {s.owner for s in of_birch.seen} == {"alder", "dune"}, "birch is a party of both"
    for seen in of_birch.seen:
        docs: OwnerDocuments = hub.core.policy.view().owners[seen.owner or ""].documents
        assert {ref.partition("@")[0] for ref in seen.clauses} <= {a.document.id for a in docs.agreements}


def test_wrong_questions_are_told_what_is_wrong(ask: Questions) -> None:
    for asked, where in (
        (AskSees(field="nothing"), "field"), (AskSees(field="user", at_least="hour"), "at_least"),
        (AskSees(field="user", at_least="withheld"), "at_least"), (AskSees(field="user", events=("x",)), "events"),
        (AskSees(field="user", tlp="white"), "tlp"), (AskSees(field="user", severity="x"), "severity"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            ask.who_sees(ALDER, asked)
        assert caught.value.where == where
    many = {**amended(), "clauses": agreement()["clauses"] * 101}
    for wrong in (
        AskImpact(document=many),
        AskImpact(),
        AskImpact(document={"dsa": "1"}, without="x"),
        AskImpact(document="dsa: ["),
    ):
        with pytest.raises(InvalidInput):
            ask.impact(ALDER, wrong)


def test_the_command_asks_a_hub_over_http_and_its_folder_with_the_same_answer(
    hub: Hub, town: Town, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["agreement", "who-sees", "src_ip", "--at-least", "network", "--json"]
    assert main([*asked, "--data", str(town.folder), "--org", "alder"]) == 0
    from_folder = capsys.readouterr().out
    monkeypatch.setenv("COMMONWATCH_TOKEN", town.tokens["alder"])
    with TestClient(hub.app()) as http:
        http.headers["Authorization"] = f"Bearer {town.tokens['alder']}"
        monkeypatch.setattr(Client, "send", lambda _, method, path, **more: http.request(method, path, **more))
        assert main([*asked, "--url", "http://hub.example"]) == 0
    over_http = capsys.readouterr().out
    assert json.loads(over_http) == json.loads(from_folder)
    assert {reader["org"] for reader in json.loads(over_http)["readers"]} == {"birch"}
    assert main([*asked, "--data", str(town.folder), "--org", "nobody"]) == 2


def test_the_command_asks_a_hub_what_a_draft_or_an_end_would_do(
    hub: Hub, town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "draft.json"
    standing = hub.core.documents.standing("alder-service").document
    share, *rest = standing.clauses
    wider = msgspec.structs.replace(share, purposes=PURPOSES)
    file.write_bytes(canonical(msgspec.structs.replace(standing, clauses=(wider, *rest))))
    monkeypatch.setenv("COMMONWATCH_TOKEN", town.tokens["alder"])
    with TestClient(hub.app()) as http:
        http.headers["Authorization"] = f"Bearer {town.tokens['alder']}"
        monkeypatch.setattr(Client, "send", lambda _, method, path, **more: http.request(method, path, **more))
        draft = ["agreement", "impact", str(file), "--hub", "--url", "http://hub.example"]
        bare = tmp_path / "bare.json"
        bare.write_text(json.dumps(amended(user="pseudonym")), "utf-8")
        assert main(["agreement", "impact", str(bare), *draft[3:]]) == 1, "the hub fills in names and keys"
        assert "user name as a pseudonym" in capsys.readouterr().out
        assert main(draft) == 1
        assert "Newly shown to organisation birch, for research" in capsys.readouterr().out
        assert main([*draft, "--ends"]) == 0
        assert "No longer shown to organisation birch" in capsys.readouterr().out


@pytest.fixture
def fresh(town: Town, tmp_path: Path) -> Iterator[Hub]:
    """A hub to change."""
    made = town.copy(tmp_path / "data")
    yield made
    made.close()


def register(hub: Hub, document: dict[str, object]) -> None:
    hub.core.documents.sign_for(json.dumps(document).encode())


def test_what_a_reader_sees_does_not_say_what_only_the_owners_charter_says(fresh: Hub) -> None:
    """A charter that caps one site splits what cedar sees in two; the site's name is the owner's business."""
    ceiling = {
        "charter": "1", "id": "ceiling", "version": 1, "title": "Ours", "owner": {"id": "alder"},
        "clauses": [{"kind": "limit", "id": "lab", "rows": {"sites": ["secret-lab"]}, "fields": {"malware": "withheld"}}],
    }  # fmt: skip
    register(fresh, ceiling)
    ask = Questions(fresh.core.policy, fresh.core.templates)
    of_cedar = ask.what_sees(CEDAR, None, None)
    assert len(of_cedar.seen) == 2
    assert b"secret-lab" not in msgspec.json.encode(of_cedar)
    assert b"alder" not in msgspec.json.encode(of_cedar)
    assert any("at some sites" in seen.rows.text for seen in of_cedar.seen)
    assert b"secret-lab" not in msgspec.json.encode(ask.impact(BIRCH, AskImpact(document=amended(user="exact"))))
    assert b"secret-lab" in msgspec.json.encode(ask.what_sees(ALDER, "cedar", None)), "the owner itself is told"


def test_a_steward_is_told_what_a_charter_of_the_community_does_to_its_own(fresh: Hub) -> None:
    """cedar signs it; of alder's agreement, to which it is no party, it is told nothing, alder is told everything."""
    terms = {
        "community-charter": "1", "id": "terms", "version": 1, "title": "Terms", "community": "valley",
        "steward": {"id": "cedar"}, "clauses": [{"kind": "limit", "id": "all", "fields": {"src_ip": "withheld"}}],
    }  # fmt: skip
    ask = Questions(fresh.core.policy, fresh.core.templates)
    told = ask.impact(CEDAR, AskImpact(document=terms))
    assert (told.newly, told.no_longer, told.findings) == ((), (), ())
    before = ask.what_sees(ALDER, "birch", None)
    register(fresh, terms)
    after = ask.what_sees(ALDER, "birch", "src_ip")
    assert {s.fields.get("src_ip") for s in before.seen} == {"network"}
    assert {s.fields.get("src_ip") for s in after.seen} == {None}
    assert "community-charter" in {w.reason for w in after.withheld}
    mine = ask.impact(ALDER, AskImpact(document=amended(src_ip="exact")))
    assert mine.newly == ()
    assert "against-community-charter" in {f.kind for f in mine.findings}


def test_a_share_for_a_site_that_no_event_has_is_told_to_the_owner_alone(
    town: Town, fresh: Hub, ask: Questions
) -> None:
    """Which sites there are is known from the owner's own events, and no partner learns it."""
    fresh.core.intake.accept(town.batch("alder", [{"uid": "a", "site_uid": "front-desk"}]))
    known = Questions(fresh.core.policy, fresh.core.templates, fresh.govern.sites)

    def found(who: Principal, site: str, asked: Questions = known) -> list[str]:
        plain = {**agreement(), "version": 2}
        plain["clauses"][0]["rows"]["sites"] = [site]
        return [f.message for f in asked.impact(who, AskImpact(document=plain)).findings if f.kind == "unknown-site"]

    assert found(ALDER, "front-desk") == []
    (told,) = found(ALDER, "brunch")
    assert "site brunch" in told
    assert found(BIRCH, "brunch") == [], "a partner is not told which sites alder has"
    assert found(ALDER, "brunch", ask) == [], "where sites are not known nothing is said"
    assert fresh.govern.sites("birch") is None, "who has no event is not asked about"


def test_duties_are_compared_with_those_of_the_communitys_template(fresh: Hub) -> None:
    ask = Questions(fresh.core.policy, fresh.core.templates)
    plain = msgspec.json.decode(msgspec.json.encode(shipped()["sme-alone"]))
    plain |= {"id": "our-terms", "version": 1, "community": "valley", "duties": {"actions": "none"}}
    plain["parameters"] = [p for p in plain["parameters"] if p["kind"] != "community"]
    for tagged in plain["clauses"]:
        to = tagged["clause"].get("to", {})
        if to.get("communities"):
            to["communities"] = ["valley"]
    fresh.core.templates.publish(CEDAR, plain)
    (clash,) = [f for f in ask.impact(ALDER, AskImpact(document=amended())).findings if f.kind == "duties-clash"]
    assert "community valley expects other duties" in clash.message
    assert "take no action on what they receive" in clash.message
