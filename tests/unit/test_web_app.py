"""The HTTP room over ports in memory: sessions, scopes, problems, releases, bodies, headers, files."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from litestar.testing import TestClient

from commonwatch.errors import CommonwatchError, Conflict, Overloaded, Unavailable
from commonwatch.web import auth
from commonwatch.web.app import create
from commonwatch.web.openapi import document
from doubles import web as doubles

OURS = {"X-Commonwatch": "1"}
ROWS = {"kind": "rows"}


class Browser:
    """A client with its ports."""

    def __init__(self, ui: Path, **changed: Any) -> None:
        self.ports = doubles.ports(**changed)
        self.client = TestClient(create(self.ports, ui=ui), raise_server_exceptions=False)

    def log_in(self, name: str = "ann") -> None:
        answer = self.client.post("/api/session", json={"link": f"link-{name}"}, headers=OURS)
        assert answer.status_code == 200, answer.text


@pytest.fixture
def ui(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<html><head><base href="/"></head>the page</html>')
    (tmp_path / "assets" / "main-1234.js").write_text("export {};\n" * 200)
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / ".stamp").write_text("secret of the build")
    return tmp_path


@pytest.fixture
def browser(ui: Path) -> Iterator[Browser]:
    made = Browser(ui)
    with made.client:
        yield made


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail"} <= body.keys()
    return body


def test_nothing_is_answered_to_nobody(browser: Browser) -> None:
    for path in ("/api/view", "/api/releases", "/api/releases/x", "/api/agreements", "/api/people", "/api/stream"):
        body = is_problem(browser.client.get(path), 401)
        assert "log in" in body["todo"]
    is_problem(browser.client.post("/api/query", json=ROWS, headers=OURS), 401)
    assert not browser.ports.govern.asked  # type: ignore[attr-defined]


def test_a_link_opens_a_session_whose_cookie_no_script_and_no_other_site_can_use(browser: Browser) -> None:
    answer = browser.client.post("/api/session", json={"link": "link-ann"}, headers=OURS)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("cw_session=secret-1;")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert answer.json()["org"]["org"] == "alder"
    assert answer.json()["admin"] is True
    assert "secret-1" not in answer.text


def test_cookies_of_a_hub_behind_https_never_travel_in_clear(ui: Path) -> None:
    with TestClient(create(doubles.ports(), ui=ui, secure=True, base="/watch/")) as client:
        answer = client.post("/api/session", json={"link": "link-ann"}, headers=OURS)
    assert "Secure" in answer.headers["set-cookie"]
    assert "Path=/watch/" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


def test_a_wrong_passphrase_and_an_unknown_person_get_a_problem(browser: Browser) -> None:
    for sent in ({"person": "ann", "passphrase": "x"}, {"person": "nobody", "passphrase": "x"}):
        is_problem(browser.client.post("/api/session", json=sent, headers=OURS), 401)
    is_problem(browser.client.post("/api/session", json={"person": "ann"}, headers=OURS), 400)
    is_problem(browser.client.post("/api/session", json={}, headers=OURS), 400)


def test_switching_the_purpose_changes_the_reader_of_the_next_answer(browser: Browser) -> None:
    browser.log_in()
    assert browser.client.get("/api/view").json()["reader"]["purpose"] == "detect"
    answer = browser.client.post("/api/session/purpose", json={"purpose": "research"}, headers=OURS)
    assert answer.json()["purpose"] == "research"
    assert browser.client.get("/api/view").json()["reader"]["purpose"] == "research"


def test_after_logging_out_nothing_is_answered(browser: Browser) -> None:
    browser.log_in()
    assert browser.client.delete("/api/session", headers=OURS).status_code == 204
    is_problem(browser.client.get("/api/view"), 401)


def test_a_cookie_alone_changes_nothing_because_another_site_could_have_sent_it(browser: Browser) -> None:
    browser.log_in()
    for path, body in (
        ("/api/query", ROWS), ("/api/session/purpose", {"purpose": "detect"}), ("/api/agreements/a1/revoke", {}),
        ("/api/tokens", {}), ("/api/session", {"link": "link-bo"}),
    ):  # fmt: skip
        assert is_problem(browser.client.post(path, json=body), 403)["where"] == "x-commonwatch"
    is_problem(browser.client.delete("/api/session"), 403)
    assert browser.client.get("/api/session").status_code == 200


def test_a_token_reaches_only_what_its_scopes_name(browser: Browser) -> None:
    browser.log_in()
    asked = {"name": "feed", "purpose": "detect", "scopes": ["read"], "days": 3}
    secret = browser.client.post("/api/tokens", json=asked, headers=OURS).json()["secret"]
    browser.client.cookies.clear()
    bearer = {"Authorization": f"Bearer {secret}"}
    assert browser.client.get("/api/view", headers=bearer).status_code == 200
    assert browser.client.post("/api/query", json=ROWS, headers=bearer).status_code == 200
    for path in ("/api/agreements", "/api/people", "/api/tokens", "/api/indicators", "/api/audit/entries"):
        is_problem(browser.client.get(path, headers=bearer), 403)
    is_problem(browser.client.post("/api/tokens", json=asked, headers=bearer), 403)


def test_a_bad_authorization_header_is_never_healed_by_a_cookie(browser: Browser) -> None:
    browser.log_in()
    for value in ("Bearer nonsense", "Basic bm9ib2R5OnNlY3JldC0x", "Digest x", ""):
        is_problem(browser.client.get("/api/view", headers={"Authorization": value}), 401)


def test_only_an_administrator_revokes(browser: Browser) -> None:
    browser.log_in("bo")
    is_problem(browser.client.post("/api/agreements/a1/revoke", json={"reason": "no"}, headers=OURS), 403)
    assert not browser.ports.agreements.revoked  # type: ignore[attr-defined]
    browser.log_in("ann")
    answer = browser.client.post("/api/agreements/a1/revoke", json={"reason": "no"}, headers=OURS)
    assert answer.json() == {"epoch": 4, "withdrawn": {}}


def test_an_agreement_asked_for_by_name_comes_with_its_document(browser: Browser) -> None:
    browser.log_in()
    assert browser.client.get("/api/agreements/a1").json()["document"] == {"id": "a1"}
    assert "document" not in browser.client.get("/api/agreements").json()[0]
    is_problem(browser.client.get("/api/agreements/a2"), 404)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"kind": "rows", "lmit": 3}, "body"),
        ({"kind": "rows", "limit": "3"}, "limit"),
        ({"kind": "nothing"}, "kind"),
        ({"kind": "rows", "filter": {"dims": {"family": {"in": [3]}}}}, "filter.dims[...].in[0]"),
        ({"kind": "rows", "filter": {"time": {"from": "x"}}}, "filter.time"),
        ({"kind": "histogram", "bin": "CANARY"}, "bin"),
    ],
)
def test_a_malformed_question_is_refused_with_the_path_to_what_is_wrong(
    browser: Browser, body: dict[str, Any], where: str
) -> None:
    browser.log_in()
    problem = is_problem(browser.client.post("/api/query", json=body, headers=OURS), 400)
    assert problem["where"] == where
    assert "CANARY" not in str(problem)
    assert not browser.ports.govern.asked  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[1", b"null"])
def test_a_body_that_is_no_json_is_refused(browser: Browser, body: bytes) -> None:
    browser.log_in()
    is_problem(browser.client.post("/api/query", content=body, headers=OURS), 400)


def test_a_body_that_is_too_large_is_refused_without_reading_it(browser: Browser) -> None:
    browser.log_in()
    is_problem(browser.client.post("/api/query", content=b" " * (1 << 20) + b" ", headers=OURS), 413)
    is_problem(browser.client.post("/gateway/enrol", content=b" " * ((64 << 10) + 1)), 413)
    assert browser.client.post("/gateway/batches", content=b" " * (4 << 20)).status_code == 200


def test_unknown_paths_and_methods_are_problems(browser: Browser) -> None:
    browser.log_in()
    is_problem(browser.client.get("/api/nothing", headers={"Accept": "text/html"}), 404)
    is_problem(browser.client.get("/gateway/nothing"), 404)
    is_problem(browser.client.post("/nothing", headers=OURS), 404)
    answer = browser.client.put("/api/view", headers=OURS)
    is_problem(answer, 405)
    assert "GET" in answer.headers["allow"]
    is_problem(browser.client.get("/api/indicators?limit=x"), 400)
    assert is_problem(browser.client.get("/api/audit/proof?entry=1"), 400)["where"] == "size"
    is_problem(browser.client.get("/openapi.json/else"), 404)


@pytest.mark.parametrize("error", [RuntimeError("CANARY"), KeyError("CANARY"), ValueError({"x": "CANARY"})])
def test_an_engine_error_says_nothing_to_anybody(
    browser: Browser, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    browser.log_in()
    browser.ports.govern.fail = error  # type: ignore[attr-defined]
    with caplog.at_level(logging.DEBUG):
        answers = [
            browser.client.get(path) for path in ("/api/view", "/api/releases", "/api/releases/r-alder", "/healthz")
        ] + [browser.client.post("/api/query", json=ROWS, headers=OURS)]
    assert {a.text for a in answers if a.status_code == 500} == {answers[0].text}
    assert sum(a.status_code == 500 for a in answers) == 4
    assert "CANARY" not in "".join(a.text + str(a.headers) for a in answers) + caplog.text
    assert type(error).__name__ in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("closed"), 503), (Overloaded("full", retry_after=9), 429), (Conflict("moved"), 409)],
)
def test_our_errors_keep_their_status(browser: Browser, error: CommonwatchError, status: int) -> None:
    browser.log_in()
    browser.ports.govern.fail = error  # type: ignore[attr-defined]
    answer = browser.client.post("/api/query", json=ROWS, headers=OURS)
    is_problem(answer, status)
    assert answer.headers.get("retry-after") == ("9" if status == 429 else None)


def test_health_fails_when_the_policy_does_not_answer(ui: Path) -> None:
    closed = Browser(ui, epoch=doubles.unavailable())
    is_problem(closed.client.get("/healthz"), 503)
    assert Browser(ui).client.get("/healthz").json() == {"status": "ok"}


def test_a_release_has_its_id_as_etag_and_varies_by_credential(browser: Browser) -> None:
    browser.log_in()
    assert browser.client.get("/api/releases").json()["releases"][0]["id"] == "r-alder"
    answer = browser.client.get("/api/releases/r-alder", headers={"Accept-Encoding": "identity"})
    assert answer.content == doubles.BODY
    assert answer.headers["etag"] == '"r-alder"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Authorization, Cookie, Accept-Encoding"
    assert "content-encoding" not in answer.headers
    again = browser.client.get("/api/releases/r-alder", headers={"If-None-Match": '"r-alder"'})
    assert (again.status_code, again.content) == (304, b"")


def test_a_release_is_gzipped_when_asked_and_always_to_the_same_bytes(browser: Browser) -> None:
    browser.log_in()
    bodies = []
    for _ in range(2):
        with browser.client.stream("GET", "/api/releases/r-alder", headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            bodies.append(b"".join(answer.iter_raw()))
    assert bodies[0] == bodies[1]
    assert gzip.decompress(bodies[0]) == doubles.BODY


def test_a_replaced_release_is_gone_and_another_readers_release_never_existed(browser: Browser) -> None:
    browser.log_in()
    assert is_problem(browser.client.get("/api/releases/old-alder"), 410)["current"] == "r-alder"
    other = browser.client.get("/api/releases/r-birch")
    nothing = browser.client.get("/api/releases/r-nothing")
    is_problem(other, 404)
    assert other.content == nothing.content
    cached = browser.client.get("/api/releases/r-birch", headers={"If-None-Match": '"r-birch"'})
    assert cached.content == nothing.content


def test_every_answer_is_hardened_whatever_it_is(browser: Browser) -> None:
    browser.log_in()
    paths = ("/", "/explore", "/assets/main-1234.js", "/api/view", "/api/nothing", "/healthz", "/gateway/enrol")
    for path in paths:
        headers = browser.client.get(path, headers={"Accept": "text/html"}).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] in {"no-store", "no-cache", "public, max-age=31536000, immutable"}
    assert browser.client.get("/api/view").headers["cache-control"] == "no-store"
    assert browser.client.get("/gateway/nothing").headers["cw-hub-time"] == "7"


def test_pages_deep_links_and_files_are_served_from_the_build(browser: Browser, ui: Path) -> None:
    get = browser.client.get
    html = {"Accept": "text/html,*/*"}
    assert "the page" in get("/").text
    assert get("/").headers["cache-control"] == "no-cache"
    assert get("/agreements/a1?x=y", headers=html).text == get("/").text
    assert get("/assets/main-1234.js").headers["cache-control"] == "public, max-age=31536000, immutable"
    assert get("/assets/main-1234.js").headers["content-encoding"] == "gzip"
    assert get("/icon.svg").headers["content-type"].startswith("image/svg+xml")
    for path in ("/.stamp", "/assets/%2e%2e/.stamp", "/assets/../.stamp", "/assets/none.js", "/none.js", "/explore"):
        is_problem(get(path, headers={"Accept": "application/json"}), 404)
    etag = get("/").headers["etag"]
    assert get("/", headers={"If-None-Match": etag}).status_code == 304


def test_the_page_knows_the_prefix_it_lives_under(ui: Path) -> None:
    with TestClient(create(doubles.ports(), ui=ui, base="/watch/")) as client:
        assert '<base href="/watch/">' in client.get("/").text


def test_without_a_built_ui_the_page_says_how_to_get_it_and_the_api_works(tmp_path: Path) -> None:
    bare = Browser(tmp_path / "nothing")
    assert "build the UI" in is_problem(bare.client.get("/"), 503)["todo"]
    is_problem(bare.client.get("/explore", headers={"Accept": "text/html"}), 503)
    bare.log_in()
    assert bare.client.get("/api/view").status_code == 200


def test_gateway_requests_are_verified_with_path_query_and_body(browser: Browser) -> None:
    signed = {"CW-Gateway": "gw-1"}
    is_problem(browser.client.get("/gateway/audit/consistency?first=1&second=2"), 401)
    is_problem(browser.client.post("/gateway/heartbeat", content=b"{}"), 401)
    is_problem(browser.client.get("/gateway/stream?last_snapshot=1"), 401)
    assert browser.client.get("/gateway/audit/consistency?first=1&second=2", headers=signed).json()["second"] == 2
    assert browser.client.post("/gateway/heartbeat", content=b"{}", headers=signed).status_code == 204
    seen = browser.ports.gateways.seen  # type: ignore[attr-defined]
    assert ("GET", "/gateway/audit/consistency?first=1&second=2", b"") in seen
    assert ("POST", "/gateway/heartbeat", b"{}") in seen


def test_a_person_is_no_gateway(browser: Browser) -> None:
    browser.log_in()
    is_problem(browser.client.get("/gateway/stream"), 401)


def test_lists_have_bounds(browser: Browser) -> None:
    browser.log_in()
    assert browser.client.get("/api/audit/entries?from=5&limit=1").json() == [{"index": 5, "kind": "login"}]
    for path in ("/api/indicators?limit=0", "/api/indicators?limit=99999", "/api/audit/entries?from=-1"):
        is_problem(browser.client.get(path), 400)


def test_every_route_that_is_open_says_so_on_purpose(browser: Browser) -> None:
    """A new route is closed unless it is added here."""
    routes = browser.client.app.routes
    found = {
        f"{method} {route.path}"
        for route in routes
        for handler in getattr(route, "route_handlers", [])
        for method in handler.http_methods
        if handler.opt.get("open") and method != "OPTIONS"
    }
    assert found == {
        "GET /", "GET /assets/{name:path}", "GET /healthz", "POST /api/session", "DELETE /api/session",
        "POST /gateway/enrol", "POST /gateway/batches", "GET /gateway/stream", "POST /gateway/heartbeat",
        "POST /gateway/statements",
        "GET /gateway/audit/consistency", "GET /openapi.json", "GET /openapi.json/openapi.json",
        "GET /openapi.json/{path:str}",
    }  # fmt: skip


def test_taxii_clients_log_in_with_a_token_as_password() -> None:
    accounts = doubles.Accounts()
    reader = doubles.person("ann", "alder").reader
    token = doubles.Principal("token", "t", "t", reader, scopes=("taxii",))
    accounts.bearers = {"cwt_1": token, "cwt_2": doubles.Principal("token", "u", "u", reader, scopes=("read",))}
    authenticate = auth.taxii_reader(accounts)

    def request(value: str) -> Any:
        return SimpleNamespace(headers={"authorization": value}, cookies={})

    assert authenticate(request("Basic YW55Ym9keTpjd3RfMQ==")) == reader
    assert authenticate(request("Bearer cwt_1")) == reader
    for bad in ("Basic YW55Ym9keTpjd3RfMg==", "Basic !!!", "Basic Og==", ""):
        with pytest.raises(CommonwatchError) as raised:
            authenticate(request(bad))
        assert raised.value.status in {401, 403}


def test_the_written_openapi_document_is_current(root: Path) -> None:
    """Write it anew with: python -m commonwatch.web.openapi > docs/reference/openapi.json."""
    assert (root / "docs" / "reference" / "openapi.json").read_bytes() == document()


def test_the_served_openapi_document_describes_questions_and_problems(browser: Browser) -> None:
    schema = browser.client.get("/openapi.json").json()
    assert schema["components"]["schemas"]["Rows"]["properties"]["kind"] == {"const": "rows"}
    assert schema["components"]["schemas"]["Interval"]["properties"].keys() == {"from", "to", "last"}
    said = schema["paths"]["/api/query"]["post"]["responses"]
    assert list(said["default"]["content"]) == ["application/problem+json"]
