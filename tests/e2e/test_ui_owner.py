"""What an owner keeps in hand, in a browser before a real hub: its signing keys, and what it is told of its events.

A key held by the hub says that it is a convenience; a key made in the browser lies behind a passphrase, is never sent,
and goes to another browser by its file alone; each clause says how often it was used, and the owner is told by whom.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from doubles.town import Town
from doubles.village import incidents, village
from e2e.test_hub_serve import Process, rows, serving
from e2e.walking import examine, offered, person
from uikit import chromium

pytestmark = pytest.mark.browser
PHRASE = "seven quiet oaks in a row"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return village(tmp_path_factory.mktemp("village") / "data")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Oak Law's events are read by its provider, once as events and once as figures, before anybody looks."""
    with serving(town, tmp_path_factory.mktemp("log") / "hub.log") as made:
        with made.client("oak-law") as client:
            assert client.post("/gateway/batches", content=town.batch("oak-law", incidents())).status_code == 200
        with made.client("harbour-mss") as client:
            assert rows(client) == 24
            assert client.post("/api/query", json={"kind": "top", "by": "family"}).status_code == 200
        yield made


def test_a_key_the_hub_holds_is_a_labelled_convenience(browser: Browser, hub: Process) -> None:
    with person(browser, hub, "oak-law") as page:
        page.goto(f"{hub.url}/settings")
        expect(page.locator("main")).to_contain_text(
            "held by the hub, as a convenience: whoever runs the hub could sign"
        )
        expect(page.locator("main")).to_contain_text("To sign with a key that only you have, replace it")
        examine(page, "settings")
        page.goto(offered(hub, "by-the-hub"))
        expect(page.get_by_role("button", name="Sign", exact=True)).to_be_disabled()
        way = page.get_by_label("Let the hub sign for us")
        expect(way).not_to_be_checked()
        expect(page.locator("main")).to_contain_text("a convenience")
        way.check()
        page.get_by_label("I have read the text and agree to it").check()
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.locator("main")).to_contain_text("by the hub on its behalf")


def test_a_new_key_lies_behind_a_passphrase_and_goes_to_another_browser_by_its_file(
    browser: Browser, hub: Process, tmp_path: Path
) -> None:
    file = tmp_path / "oak.key.json"
    with person(browser, hub, "oak-law") as page:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.post_data or ""))
        make(page, hub, file)
        assert sent
        assert not [body for body in sent if PHRASE in body or '"d"' in body]
        assert "d" not in json.loads(file.read_text())
        sign_from(page, hub, file)
    with person(browser, hub, "oak-law") as other:
        bring(other, hub, file, tmp_path / "other.key.json")


def make(page: Page, hub: Process, file: Path) -> None:
    """A passphrase that is short or mistyped is refused before there is a key; then file, promise, registration."""
    page.goto(f"{hub.url}/settings")
    page.get_by_role("button", name="Replace the key…").click()
    now = page.get_by_role("button", name="Make the key and save its file")
    for phrase, again, fault in (("short", "short", "12 characters"), (PHRASE, PHRASE[:-1], "not the same")):
        page.get_by_label("Passphrase for the file").fill(phrase)
        page.get_by_label("The same again").fill(again)
        now.click()
        expect(page.get_by_role("alert")).to_contain_text(fault)
        expect(page.get_by_label("I have the file and keep it safe")).to_be_disabled()
    examine(page, "new-key")
    page.get_by_label("The same again").fill(PHRASE)
    with page.expect_download() as saved:
        now.click()
    saved.value.save_as(file)
    expect(page.get_by_role("button", name="Register it")).to_be_disabled()
    page.get_by_label("I have the file and keep it safe").check()
    page.get_by_role("button", name="Register it and keep it in this browser").click()
    expect(page.locator("main")).to_contain_text("in this browser")
    expect(page.locator("main")).to_contain_text("no longer used")
    examine(page, "keys")


def unlock(page: Page) -> None:
    """A wrong passphrase opens nothing and says so."""
    page.get_by_label("Passphrase of this file").fill("not this one at all")
    page.get_by_role("button", name="Open it").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Passphrase of this file").fill(PHRASE)
    page.get_by_role("button", name="Open it").click()


def sign_from(page: Page, hub: Process, file: Path) -> None:
    """Forgotten by this browser, the key signs from its file."""
    page.get_by_role("button", name="Forget here").click()
    page.goto(offered(hub, "from-a-file"))
    expect(page.get_by_role("radio", name="The key in this browser")).to_have_count(0)
    page.get_by_label("A key from a file").set_input_files(file)
    unlock(page)
    page.get_by_label("I have read the text and agree to it").check()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("main")).to_contain_text("has not signed yet")
    expect(page.get_by_role("button", name="Sign", exact=True)).to_have_count(0)


def bring(page: Page, hub: Process, file: Path, stranger: Path) -> None:
    """Another browser has no key until its file is brought; a file that is not ours is not taken."""
    page.goto(f"{hub.url}/settings")
    expect(page.locator("main")).to_contain_text("not here: in another browser or a file")
    stranger.write_text(json.dumps({**json.loads(file.read_text()), "kid": "x"}).replace("}", ""))
    page.get_by_label("Bring the key to this browser").set_input_files(stranger)
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_label("Bring the key to this browser").set_input_files(file)
    unlock(page)
    expect(page.locator("main")).to_contain_text("in this browser, which gives it out to nobody")
    page.goto(offered(hub, "in-another-browser"))
    expect(page.get_by_role("radio", name="The key in this browser")).to_be_checked()


def test_each_clause_says_how_often_it_was_used_and_the_owner_is_told_by_whom(browser: Browser, hub: Process) -> None:
    with person(browser, hub, "oak-law") as page:
        uses, count = used(hub)
        page.get_by_role("link", name="Watch over Oak Law").click()
        text = page.get_by_role("region", name="The text of the agreement")
        expect(text).to_contain_text(f"Used in {uses} answers with {count} rows or entries")
        expect(page.locator("main")).to_contain_text(f"Harbour Managed Security {uses} answers with {count} rows")
        examine(page, "clause-use")
        page.get_by_role("link", name="Notifications").click()
        said = f"What “Watch over Oak Law” shares was shown to Harbour Managed Security in {uses} answers"
        told = page.get_by_role("link", name=f"New: {said}", exact=True)
        expect(told).to_be_visible(timeout=75_000)
        examine(page, "told")
        told.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Who saw what")).to_be_visible()
        expect(page.get_by_label("Filters")).to_contain_text("Watch over Oak Law")
        expect(page.get_by_label("Filters")).to_contain_text("Harbour Managed Security")
        expect(page.get_by_role("region", name="Accesses, table").locator("tbody tr")).to_have_count(uses)
        page.go_back()
        expect(page.get_by_role("link", name=said, exact=True)).to_be_visible()


def used(hub: Process) -> tuple[int, int]:
    """Answers and rows of the one clause, once the two questions and the push to the provider's gateway are in."""
    with hub.client("oak-law") as client:
        for _ in range(100):
            clauses = client.get("/api/accesses/summary").json()["clauses"]
            if clauses and clauses[0]["uses"] >= 3:
                break
            time.sleep(0.1)
    assert [c["key"] for c in clauses] == ["oak-service@1#operate"]
    return clauses[0]["uses"], clauses[0]["count"]
