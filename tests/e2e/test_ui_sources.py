"""Sources of partners' intelligence in a browser before a real hub: looked after by who may, by keyboard too, in both themes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from doubles.town import Town
from e2e.test_accesses import Process
from uikit import AXE, chromium

pytestmark = pytest.mark.browser
#: Public by its number, and nobody's: the anycast prefix of 6to4 was given back (RFC 7526).
NOBODY = "https://192.88.99.1/feed/"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("sources")
    made = Process(Town(folder / "data", still=False), folder / "log")
    yield made
    made.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def page_of(browser: Browser, hub: Process, org: str, **options: Any) -> Page:
    """The page as this organisation's administrator."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    context.add_cookies([{"name": "cw_session", "value": hub.town.sessions[org], "url": hub.url}])
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{hub.url}/sources")
    expect(page.get_by_role("heading", name="Sources", exact=True)).to_be_visible()
    return page


def faults(page: Page) -> list[str]:
    """What axe objects to."""
    page.evaluate(AXE.read_text())
    run = "async () => (await axe.run(document)).violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' '))"
    return list(page.evaluate(run))


def shot(page: Page, name: str) -> None:
    """A picture for whoever wants to look (`CW_SHOTS`)."""
    if folder := os.environ.get("CW_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"sources-{name}.png"), full_page=True)


def give(page: Page, name: str, body: bytes) -> None:
    page.get_by_label("File", exact=True).set_input_files({"name": "l.csv", "mimeType": "text/csv", "buffer": body})
    page.get_by_label("Kept under").fill(name)
    page.get_by_role("region", name="Give a document").get_by_label("What carries no marking is").select_option("green")
    page.get_by_role("button", name="Give it").click()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_provider_adds_changes_pauses_and_removes_a_source(
    browser: Browser, hub: Process, scheme: Literal["dark", "light"]
) -> None:
    page = page_of(browser, hub, "birch", color_scheme=scheme)
    rows = page.get_by_role("region", name="Sources, table").locator("tbody tr")
    page.get_by_role("button", name="Add a source…").press("Enter")
    form = page.get_by_role("dialog", name="Add a source")
    form.get_by_label("Name", exact=True).fill("isac")
    form.get_by_role("textbox", name="Address").fill("https://10.0.0.1/inside/")
    form.get_by_label("We say who we are with").select_option("basic")
    form.get_by_role("textbox", name="User").fill("us")
    form.locator("input[type=password]").fill("canary-secret")
    form.get_by_role("button", name="Add it").click()
    expect(form.get_by_role("alert")).to_contain_text("not one of the public internet")
    form.get_by_role("textbox", name="Address").fill(NOBODY)
    shot(page, f"add-{scheme}")
    assert faults(page) == []
    form.get_by_role("button", name="Add it").press("Enter")
    row = rows.filter(has_text="isac")
    expect(row).to_contain_text("TAXII 2.1 collection, every hour")
    expect(row).to_contain_text("TLP:RED")
    assert "canary-secret" not in page.content()

    give(page, "national-cert", b"value\nbad.example\nworse.example\n10.0.0.0/8\n")
    expect(page.get_by_role("status").filter(has_text="2 taken in")).to_be_visible()
    expect(rows.filter(has_text="national-cert")).to_contain_text("2")
    expect(row).to_contain_text("The server", timeout=30_000)  # in plain words, beside the source
    shot(page, f"list-{scheme}")
    assert faults(page) == []

    page.get_by_role("button", name="Pause isac").press("Enter")
    expect(row).to_contain_text("paused")
    expect(page.get_by_role("button", name="Fetch now isac")).to_be_disabled()
    page.get_by_role("button", name="Change… isac").click()
    form = page.get_by_role("dialog", name="Change isac")
    form.get_by_role("spinbutton", name="Weight").fill("85")
    form.get_by_label("What carries no marking is").select_option("amber")
    form.get_by_role("spinbutton", name="Days until").fill("14")
    form.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("TLP:AMBER")
    expect(row).to_contain_text("after 14 days")
    expect(row).to_contain_text("85")
    for name in ("isac", "national-cert"):
        page.get_by_role("button", name=f"Remove… {name}").click()
        sheet = page.get_by_role("dialog", name=f"Remove {name}?")
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)
        page.get_by_role("button", name=f"Remove… {name}").click()
        sheet.get_by_role("button", name="Remove it").press("Enter")
        expect(rows.filter(has_text=name)).to_have_count(0)
    page.context.close()


def test_a_member_gives_documents_and_is_not_asked_for_addresses(browser: Browser, hub: Process) -> None:
    page = page_of(browser, hub, "alder", viewport={"width": 390, "height": 800})
    expect(page.get_by_text("Nobody gives you intelligence yet.")).to_be_visible()
    expect(page.get_by_role("button", name="Add a source…")).to_have_count(0)
    give(page, "upload", b"bad.example\n")
    expect(page.get_by_role("region", name="Sources, table")).to_contain_text("given by hand")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Remove… upload").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Nobody gives you intelligence yet.")).to_be_visible()
    page.context.close()


def test_the_page_is_found_from_the_indicators(browser: Browser, hub: Process) -> None:
    page = page_of(browser, hub, "birch")
    page.goto(f"{hub.url}/indicators")
    page.get_by_role("link", name="Sources: what partners give us").press("Enter")
    expect(page.get_by_role("heading", name="Sources", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Indicators", exact=True)).to_have_attribute("aria-current", "page")
    page.context.close()
