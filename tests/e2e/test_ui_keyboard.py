"""The walk of a new member without a pointer: every control is reached by Tab from where one is, and pressed by keys.

From the setup link to the proof of what happened, with a key made on the way; no element is focused by script, so an
element outside the order of Tab, or one that swallows it, ends the walk.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from doubles.town import Town
from doubles.village import incidents, village
from e2e.test_hub_serve import Process, rows, serving
from e2e.walking import slot, violations
from uikit import chromium, opened

pytestmark = pytest.mark.browser
PHRASE = "a maple leaf in every window"
MOST_TABS = 150


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Process]:
    town: Town = village(tmp_path / "village")
    with serving(town, tmp_path / "hub.log") as made:
        with made.client("maple-dental") as client:
            assert client.post("/gateway/batches", content=town.batch("maple-dental", incidents())).status_code == 200
        yield made


def reach(page: Page, target: Locator) -> None:
    """Press Tab until it has the focus."""
    target.first.wait_for()
    for _ in range(MOST_TABS):
        if target.first.evaluate("(e) => e === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {target}")


def press(page: Page, role: str, name: str, key: str = "Enter") -> None:
    """Reach a control by its role and name, and press a key there."""
    found = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
    reach(page, found)
    page.keyboard.press(key)


def fill(page: Page, label: str, text: str) -> None:
    """Reach a field by its label and type."""
    reach(page, page.get_by_label(label))
    page.keyboard.type(text)


def test_the_whole_walk_needs_no_pointer(browser: Browser, hub: Process, tmp_path: Path) -> None:
    with opened(browser, hub, viewport={"width": 1280, "height": 900}, accept_downloads=True) as page:  # type: ignore[arg-type]
        join(page, hub)
        choose(page)
        refine(page)
        look(page)
        offer = sign(page, tmp_path / "maple.key.json")
        with hub.client("harbour-mss") as client:
            assert client.post(f"/api/agreements/{offer}/sign", json={"held": True}).status_code == 200
            expect(page.locator("main")).to_contain_text("Every party has signed.")
            assert rows(client) == 24
            press(page, "link", "See the agreement")
            step(page, "Suspend")
            assert rows(client) == 0
            step(page, "Resume")
            assert rows(client) == 24
            step(page, "Revoke")
            assert rows(client) == 0
        expect(page.get_by_role("heading", name="Certificate of withdrawal")).to_be_visible()
        prove(page)


def join(page: Page, hub: Process) -> None:
    """The setup link, the account, the page of agreements; the first Tab offers to skip to the content."""
    page.goto(f"{hub.url}/#link={hub.town.links['maple-dental'].partition('#link=')[2]}")
    press(page, "button", "Open")
    page.get_by_role("heading", name="Events over time").wait_for()
    page.reload()
    page.get_by_role("heading", name="Events over time").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    press(page, "link", "Agreements")
    press(page, "link", "New agreement")


def choose(page: Page) -> None:
    """A level among the cards by arrows, the provider from its list by typing."""
    level = page.get_by_role("radio", name="Full help from my security provider")
    first = page.get_by_role("radio", name="Warn me only")
    reach(page, first)
    for _ in range(6):
        if level.is_checked():
            break
        page.keyboard.press("ArrowRight")
    expect(level).to_be_checked()
    fill(page, "Which security provider works for you?", "Harbour")
    press(page, "button", "Begin with this level")


def refine(page: Page) -> None:
    """A part of a sentence opens, is changed, closes by Escape, and the focus is where it was."""
    clause = page.get_by_role("article", name="operate-for-us")
    reach(page, slot(clause, "fields"))
    page.keyboard.press("Enter")
    reach(page, clause.get_by_label("host name", exact=True))
    page.keyboard.type("as a pseu")
    page.keyboard.press("Escape")
    expect(slot(clause, "fields")).to_be_focused()
    expect(clause).to_contain_text("host name and user name as a pseudonym")
    page.get_by_text("Saved", exact=True).wait_for()
    press(page, "link", "Next: Look at it")


def look(page: Page) -> None:
    """Readers are tabs: one stop of Tab, arrows between them."""
    reach(page, page.get_by_role("tab", selected=True))
    first = page.get_by_role("tab", selected=True).inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", selected=True)).to_be_focused()
    expect(page.get_by_role("tab", selected=True)).not_to_have_text(first)
    press(page, "link", "Next: What changes")
    expect(page.locator("main")).to_contain_text("Newly shown to organisation Harbour Managed Security")
    press(page, "link", "Next: Offer and sign")


def sign(page: Page, file: Path) -> str:
    """A key behind a passphrase, made and used here. Returns the hash of the offer."""
    press(page, "button", "Make a key in this browser…")
    fill(page, "Passphrase for the file", PHRASE)
    fill(page, "The same again", PHRASE)
    with page.expect_download() as saved:
        press(page, "button", "Make the key and save its file")
    saved.value.save_as(file)
    reach(page, page.get_by_label("I have the file and keep it safe"))
    page.keyboard.press("Space")
    press(page, "button", "Register it and keep it in this browser")
    expect(page.get_by_role("radio", name="The key in this browser")).to_be_checked()
    reach(page, page.get_by_label("I have read the text and agree to it"))
    page.keyboard.press("Space")
    press(page, "button", "Sign and offer")
    expect(page.locator("main")).to_contain_text("has not signed yet")
    return page.url.rpartition("/")[2]


def step(page: Page, kind: str) -> None:
    """Suspend, resume, revoke: the dialog keeps Tab inside, Escape changes nothing, the yes is a tick and a button."""
    page.wait_for_timeout(2_000)  # what the step before changed is told, and the page drawn anew
    press(page, "button", f"{kind}…")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name=f"{kind}…")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    if not page.get_by_label("Reason").first.is_visible():
        press(page, "button", f"{kind}…")
    fill(page, "Reason", "by keys alone")
    reach(page, page.get_by_label("I have read what happens"))
    page.keyboard.press("Space")
    press(page, "button", f"{kind} now")
    expect(page.locator(".notice.good")).to_contain_text("since policy epoch")
    expect(page.get_by_role("dialog")).to_have_count(0)


def prove(page: Page) -> None:
    """Afterwards: who saw what, and its proof, which closes to where one was."""
    press(page, "link", "Who saw what")
    button = page.get_by_role("button", name="Prove the access of Harbour Managed Security")
    reach(page, button)
    page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog", name="Proof of one access")
    expect(drawer).to_contain_text("Proven: nobody")
    expect(drawer).to_contain_text("operate-for-us")
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(button.first).to_be_focused()
