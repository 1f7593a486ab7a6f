"""Templates over HTTP, against a whole hub in this process: choosing, publishing, fleets, renewals, who sees what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import BLANK_KEY
from commonwatch.agreements.templates import Template
from commonwatch.cli import main
from commonwatch.cli.client import Client
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub.compose import Hub
from commonwatch.hub.templates.shipped import shipped
from doubles.asking import OURS
from doubles.town import Town

DAYS = {"starts": "2026-06-01", "ends": "2027-05-31"}
VALUES = {"owner": "alder", "operator": "birch", **DAYS}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """The town, and beside it the community `hills` of dune and an organisation that nobody in it knows."""
    made = town.copy(tmp_path_factory.mktemp("hub") / "data")
    made.core.members.add_org(OrgInfo("egret", "Egret Ltd", ("sme",)))
    made.core.members.hold_key("egret")
    made.core.members.add_community("hills", "Hills", "dune")
    yield made
    made.close()


@pytest.fixture(scope="module")
def clients(hub: Hub, town: Town) -> Iterator[dict[str, TestClient[Any]]]:
    app = hub.app()
    made = {org: TestClient(app) for org in ("alder", "birch", "cedar", "dune", "token")}
    for org, client in made.items():
        client.headers.update(OURS)
        if org in town.sessions:
            client.cookies.set("cw_session", town.sessions[org])
    made["token"].headers["Authorization"] = f"Bearer {town.tokens['cedar']}"
    with made["alder"]:
        yield made


def own(community: str, version: int = 1, ident: str = "our-terms") -> dict[str, Any]:
    """A community's template: two levels of the shipped one."""
    plain = msgspec.json.decode(msgspec.json.encode(shipped()["sme-alone"]))
    plain |= {"id": ident, "version": version, "community": community, "title": f"Our terms {version}"}
    plain["parameters"] = [p for p in plain["parameters"] if p["kind"] != "community"]
    text = msgspec.json.encode(plain).decode().replace("the-community", community)
    found: dict[str, Any] = msgspec.json.decode(text)
    if version > 1:
        found["clauses"][2]["clause"]["fields"]["attack"] = "exact"
    return found


def test_the_shelf_lists_the_shipped_templates_with_levels_in_plain_words(clients: dict[str, TestClient[Any]]) -> None:
    listed = clients["alder"].get("/api/templates").json()
    assert [t["id"] for t in listed if t["publisher"] is None] == list(shipped())
    (member,) = [t for t in listed if t["id"] == "sme-member"]
    assert member["levels"][0]["title"] == "Warn me only"
    assert all(one["give"] and one["get"] and one["summary"] for one in member["levels"])


def test_a_template_shows_what_each_level_says(clients: dict[str, TestClient[Any]]) -> None:
    found = clients["alder"].get("/api/templates/sme-member").json()
    assert [t["level"] for t in found["texts"]] == [0, 1, 2, 3, 4]
    assert "with organisation the-operator" in found["texts"][3]["text"]
    assert msgspec.convert(found["document"], Template) == shipped()["sme-member"]
    assert clients["alder"].get("/api/templates/none").status_code == 404


def test_a_choice_becomes_a_draft_completed_with_what_one_knows(clients: dict[str, TestClient[Any]]) -> None:
    body = {"level": 2, "parameters": VALUES, "exceptions": {"without": ["cert-on-incidents"]}}
    answer = clients["alder"].post("/api/templates/managed-service/instantiate", json=body).json()
    assert answer["ready"], answer["problems"]
    document = convert(answer["document"])
    assert [p.name for p in document.parties] == ["Alder", "Birch"]  # type: ignore[union-attr]
    assert BLANK_KEY not in answer["yaml"]
    assert answer["document"]["origin"] == {
        "template": "managed-service", "version": 1, "level": 2, "changed": ["cert-on-incidents"],
    }  # fmt: skip
    assert answer["effects"][0].startswith("No longer shown to all CERTs")


def test_who_is_not_known_is_not_completed(clients: dict[str, TestClient[Any]]) -> None:
    body = {"level": 1, "parameters": {**VALUES, "operator": "egret"}}
    answer = clients["alder"].post("/api/templates/managed-service/instantiate", json=body).json()
    assert answer["document"]["parties"][1] == {"id": "egret", "name": "egret", "role": "operator", "key": BLANK_KEY}
    assert [p["path"] for p in answer["problems"]] == ["$.parties[1].key"]
    stranger = {"level": 1, "parameters": {**VALUES, "operator": "nowhere"}}
    other = clients["alder"].post("/api/templates/managed-service/instantiate", json=stranger).json()
    del answer["digest"], other["digest"]
    assert msgspec.json.encode(answer).replace(b"egret", b"nowhere") == msgspec.json.encode(other)


def test_what_was_given_wrongly_is_named_with_its_path(clients: dict[str, TestClient[Any]]) -> None:
    body = {"level": 1, "parameters": {"owner": "A!", "ends": "2020-01-01"}, "exceptions": {"limits": [{"id": "x y"}]}}
    answer = clients["alder"].post("/api/templates/managed-service/instantiate", json=body)
    assert answer.status_code == 200
    assert [p["path"] for p in answer.json()["problems"]] == ["$.exceptions.limits[0].id"]
    del body["exceptions"]
    answer = clients["alder"].post("/api/templates/managed-service/instantiate", json=body).json()
    assert {p["path"] for p in answer["problems"]} == {
        "$.parameters.owner.id", "$.parameters.operator", "$.parameters.starts",
    }  # fmt: skip
    assert answer["document"] is None


def test_a_steward_publishes_for_its_community_and_nobody_else_does(
    clients: dict[str, TestClient[Any]], hub: Hub
) -> None:
    for org, status in (("alder", 403), ("token", 403)):  # the token lacks the scope `sign`
        assert clients[org].post("/api/templates", json={"document": own("valley")}).status_code == status
    assert clients["cedar"].post("/api/templates", json={"document": own("hills")}).status_code == 404
    made = clients["cedar"].post("/api/templates", json={"document": own("valley")})
    assert made.status_code == 201, made.text
    assert (made.json()["publisher"], made.json()["community"]) == ("cedar", "valley")
    for org in ("alder", "dune"):
        assert "our-terms" in [t["id"] for t in clients[org].get("/api/templates").json()]
    body = {"level": 2, "parameters": {"owner": "alder", **DAYS}}
    answer = clients["alder"].post("/api/templates/our-terms/instantiate", json=body).json()
    assert answer["document"]["community"] == "valley"
    assert answer["ready"]
    hub.core.drain.run()
    entries = clients["alder"].get("/api/audit/entries?limit=1000").json()
    assert [e["detail"]["id"] for e in entries if e["kind"] == "template-published"] == ["our-terms"]


def test_a_community_keeps_its_templates_to_itself(clients: dict[str, TestClient[Any]]) -> None:
    made = clients["dune"].post("/api/templates", json={"document": own("hills", ident="hill-terms")})
    assert made.status_code == 201
    assert "hill-terms" in [t["id"] for t in clients["dune"].get("/api/templates").json()]
    assert "hill-terms" not in [t["id"] for t in clients["alder"].get("/api/templates").json()]
    shown, absent = (clients["alder"].get(f"/api/templates/{name}") for name in ("hill-terms", "no-such-terms"))
    assert (shown.status_code, shown.content) == (absent.status_code, absent.content) == (404, absent.content)
    assert clients["alder"].delete("/api/templates/hill-terms").status_code == 404


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (lambda: own("valley", 7), 409),
        (lambda: {**own("valley"), "id": "sme-member"}, 409),
        (lambda: {**own("valley"), "levels": []}, 400),
        (lambda: "template: [", 400),
        (lambda: msgspec.json.decode(msgspec.json.encode(shipped()["sme-alone"])) | {"id": "nobodys"}, 400),
    ],
)
def test_a_template_that_does_not_fit_is_refused(
    clients: dict[str, TestClient[Any]], document: Any, status: int
) -> None:
    answer = clients["cedar"].post("/api/templates", json={"document": document()})
    assert answer.status_code == status, answer.text


def test_the_problems_of_a_template_are_told_as_it_is_typed(clients: dict[str, TestClient[Any]]) -> None:
    def told(document: Any) -> list[str]:
        answer = clients["cedar"].post("/api/templates/check", json={"document": document})
        return [p["path"] for p in answer.json()["problems"]]

    whole = clients["cedar"].post("/api/templates/check", json={"document": own("valley")}).json()
    assert (whole["problems"], whole["community"], whole["version"]) == ([], "valley", 1)
    assert [t["level"] for t in whole["texts"]] == [one["level"] for one in whole["levels"]]
    assert all(t["text"].startswith("Data Sharing Agreement") for t in whole["texts"])
    assert told({**own("valley"), "levels": []}) == ["$.levels", *[f"$.clauses[{n}].level" for n in range(5)]]
    assert told("template: '1'\nid: [") == ["$"]
    assert "$.title" in told({"template": "1"})


def test_a_fleet_is_drafted_saved_and_listed(clients: dict[str, TestClient[Any]]) -> None:
    text = "owner,without\nalder,\ndune,cert-on-incidents\nBad!,\n"
    body = {"csv": text, "level": 2, "parameters": {"operator": "birch", **DAYS}, "save": True}
    answer = clients["birch"].post("/api/templates/managed-service/batch", json=body).json()
    assert [(d["row"], d["owner"], d["saved"]) for d in answer["drafts"]] == [(2, "alder", True), (3, "dune", True)]
    assert all(p["key"] != BLANK_KEY for d in answer["drafts"] for p in d["document"]["parties"])
    assert [(p["row"], p["path"]) for p in answer["problems"]] == [(4, "$.parameters.owner.id")]
    assert [g["owners"] for g in answer["exceptions"]] == [["dune"]]
    assert "row 4" in answer["page"]
    saved = [d["id"] for d in clients["birch"].get("/api/drafts").json()]
    assert {"alder-managed-service", "dune-managed-service"} <= set(saved)
    again = clients["birch"].post("/api/templates/managed-service/batch", json=body).json()
    assert [d["saved"] for d in again["drafts"]] == [False, False]
    wrong = clients["birch"].post("/api/templates/managed-service/batch", json={**body, "csv": "ownr\nalder\n"})
    assert wrong.status_code == 400


def test_a_new_version_lists_who_is_on_an_older_one_and_drafts_theirs(
    clients: dict[str, TestClient[Any]], hub: Hub
) -> None:
    body = {"level": 3, "parameters": {"owner": "alder", "id": "alder-terms", **DAYS}}
    draft = clients["alder"].post("/api/templates/our-terms/instantiate", json=body).json()
    hub.core.documents.sign_for(msgspec.json.encode(draft["document"]))
    assert clients["alder"].get("/api/templates/our-terms/renewals").json() == []
    assert clients["cedar"].post("/api/templates", json={"document": own("valley", 2)}).status_code == 201
    (one,) = clients["alder"].get("/api/templates/our-terms/renewals").json()
    assert (one["agreement"], one["from_version"], one["level"], one["by_hand"]) == ("alder-terms", 1, 3, [])
    assert (one["document"]["version"], one["document"]["previous"]) == (2, draft["digest"])
    assert one["document"]["clauses"][1]["fields"]["attack"] == "exact"
    assert clients["birch"].get("/api/templates/our-terms/renewals").json() == []
    (saved,) = clients["alder"].post("/api/templates/our-terms/renewals", json={}).json()
    assert saved["saved"]
    hub.core.documents.sign_for(msgspec.json.encode(saved["document"]))
    assert clients["alder"].get("/api/templates/our-terms/renewals").json() == []


def test_what_is_withdrawn_is_off_the_shelf_and_what_was_signed_stays(clients: dict[str, TestClient[Any]]) -> None:
    assert clients["alder"].delete("/api/templates/our-terms").status_code == 403
    assert clients["cedar"].delete("/api/templates/our-terms").status_code == 204
    assert "our-terms" not in [t["id"] for t in clients["alder"].get("/api/templates").json()]
    assert clients["alder"].get("/api/templates/our-terms").status_code == 404
    assert clients["alder"].get("/api/agreements/alder-terms").json()["state"] == "active"
    assert clients["cedar"].post("/api/templates", json={"document": own("valley", 3)}).status_code == 201


def test_any_stored_version_is_printed_for_its_parties_alone(clients: dict[str, TestClient[Any]]) -> None:
    page = clients["alder"].get("/api/agreements/alder-service/document.html")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    assert "script" not in page.headers["content-security-policy"]
    assert "Signed by all parties" in page.text
    first = clients["alder"].get("/api/agreements/alder-terms/document.html?version=1").text
    newest = clients["alder"].get("/api/agreements/alder-terms/document.html").text
    assert "It replaces the version whose SHA-256 is" in newest
    assert "It replaces" not in first
    assert "Version 1, this one" in first
    assert "Version 2, this one" in newest
    pdf = clients["birch"].get("/api/agreements/alder-service/document.pdf?version=1")
    assert (pdf.status_code, pdf.content[:5]) == (200, b"%PDF-")
    assert 'filename="alder-service.pdf"' in pdf.headers["content-disposition"]


@pytest.mark.parametrize(
    "path", ["alder-terms/document.html", "none/document.pdf", "alder-service/document.html?version=9"]
)
def test_what_is_not_there_or_not_ones_own_is_not_printed(clients: dict[str, TestClient[Any]], path: str) -> None:
    assert clients["birch"].get(f"/api/agreements/{path}").status_code == 404
    assert clients["alder"].get("/api/agreements/alder-terms/document.html?version=x").status_code == 400


def test_a_draft_is_printed_before_anybody_signs(clients: dict[str, TestClient[Any]]) -> None:
    body = {"level": 1, "parameters": {**VALUES, "operator": "egret"}}
    draft = clients["alder"].post("/api/templates/managed-service/instantiate", json=body).json()
    for document in (draft["document"], draft["yaml"]):
        page = clients["alder"].post("/api/agreements/print", json={"document": document})
        assert "Draft, not signed by all" in page.text
        assert "key not yet known" in page.text
        assert "style-src 'sha256-" in page.headers["content-security-policy"]
    pdf = clients["alder"].post("/api/agreements/print?form=pdf", json={"document": draft["document"]})
    assert pdf.content[:5] == b"%PDF-"
    wrong = clients["alder"].post("/api/agreements/print", json={"document": {**draft["document"], "clauses": []}})
    assert (wrong.status_code, wrong.json()["where"]) == (400, "$.clauses")


def test_a_steward_and_a_member_do_the_same_from_the_command_line(
    hub: Hub, clients: dict[str, TestClient[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    http = clients["alder"]

    def act_as(org: str) -> None:
        _, secret = hub.core.accounts.issue_token(f"{org}-admin", "cli", "detect", ["agreements", "sign"], 1)
        monkeypatch.setenv("COMMONWATCH_TOKEN", secret)
        mine = {"Authorization": f"Bearer {secret}"}
        monkeypatch.setattr(
            Client, "send", lambda _, method, path, **more: http.request(method, path, headers=mine, **more)
        )

    def run(*args: str) -> str:
        assert main(["agreement", *args, "--url", "http://hub.example"]) == 0
        return capsys.readouterr().out

    file, out = tmp_path / "terms.json", tmp_path / "drafts"
    file.write_bytes(msgspec.json.encode(own("valley", ident="cli-terms")))
    act_as("cedar")
    assert "cli-terms version 1 is on the shelf of valley" in run("templates", "--publish", str(file))
    act_as("dune")
    assert "cli-terms" in run("templates")
    days = [f"--set={name}={day}" for name, day in DAYS.items()]
    draft = run("new", "--template", "cli-terms", "--level", "2", "--set", "owner=dune", *days)
    hub.core.documents.sign_for(draft.encode())
    act_as("cedar")
    file.write_bytes(msgspec.json.encode(own("valley", 2, ident="cli-terms")))
    run("templates", "--publish", str(file))
    act_as("dune")
    said = run("templates", "--older", "cli-terms", "--out", str(out))
    assert "dune-cli-terms of dune: template version 1, level 2" in said
    assert "version: 2" in (out / "dune-cli-terms.yaml").read_text()
    act_as("cedar")
    assert "off the shelf" in run("templates", "--withdraw", "cli-terms")


def test_members_find_services_by_name_and_never_one_another(hub: Hub, clients: dict[str, TestClient[Any]]) -> None:
    hub.core.members.add_org(OrgInfo("fern-it", "Fern IT", ("sme", "mssp")))
    told = clients["alder"].get("/api/directory").json()
    roles = {org: set(info.roles) for org, info in hub.core.policy.view().orgs.items()}
    offer = {org for org, held in roles.items() if held & {"mssp", "cert", "isp"} and "sme" not in held}
    assert {s["org"] for s in told["services"]} == offer
    assert "birch" in offer
    assert not {"alder", "egret", "fern-it"} & offer
    assert all(set(s) == {"org", "name", "roles"} for s in told["services"])
    assert all(set(s["roles"]) <= {"mssp", "cert", "isp"} for s in told["services"])


def test_a_community_is_told_to_its_members_alone_and_its_steward_knows_it(clients: dict[str, TestClient[Any]]) -> None:
    def told(org: str) -> list[tuple[str, bool]]:
        return [(c["id"], c["steward"]) for c in clients[org].get("/api/directory").json()["communities"]]

    assert told("alder") == [("valley", False)]
    assert told("cedar") == [("valley", True)]
    assert told("dune") == [("hills", True), ("valley", False)]


def test_every_graded_level_becomes_an_agreement_that_its_parties_sign(clients: dict[str, TestClient[Any]]) -> None:
    template = clients["alder"].get("/api/templates/sme-member").json()
    assert [level["title"] for level in template["levels"]] == [
        "Warn me only", "Be counted in the crowd", "Share with my peers under pseudonym",
        "Full help from my security provider", "Full help plus the CERT on incidents",
    ]  # fmt: skip
    for level in range(5):
        body = {"level": level, "parameters": {**VALUES, "community": "valley"}}
        made = clients["alder"].post("/api/templates/sme-member/instantiate", json=body).json()
        assert made["ready"], made["problems"]
        document = {**made["document"], "id": f"level-{level}"}
        offer = clients["alder"].post("/api/agreements/offer", json={"document": document}).json()
        for org in offer["awaiting"]:
            offer = clients[org].post(f"/api/agreements/{offer['hash']}/sign", json={"held": True}).json()
        assert offer["state"] == "agreed", offer
