"""Who saw what, in a browser before a real hub: an owner reads, narrows, watches and proves; nobody else finds it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from doubles.town import HOUR, Town, now_wall
from e2e.test_accesses import Process
from uikit import AXE, chromium

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("seen")
    made = Process(Town(folder / "data", still=False), folder / "log")
    event = {"time": now_wall() - 3 * HOUR, "event_class": 1, "malware_family": "Emotet", "src_ip": "185.220.101.1"}
    made.store("alder", [{**event, "uid": n} for n in range(6)])
    made.ask("birch", {"kind": "top", "by": "family"})
    made.ask("cedar", {"kind": "histogram"})
    yield made
    made.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def page_of(browser: Browser, hub: Process, org: str, **options: Any) -> Page:
    """The page as this organisation's administrator."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **options)
    context.add_cookies([{"name": "cw_session", "value": hub.town.sessions[org], "url": hub.url}])
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{hub.url}/seen")
    expect(page.get_by_role("heading", name="Who saw what")).to_be_visible()
    return page


def faults(page: Page) -> list[str]:
    """What axe objects to."""
    page.evaluate(AXE.read_text())
    run = (
        "async () => (await axe.run(document)).violations.map(v => v.id + ': ' + v.nodes.map(n => n.target).join(' '))"
    )
    return list(page.evaluate(run))


def shot(page: Page, name: str) -> None:
    """A picture for whoever wants to look (`CW_SHOTS`)."""
    if folder := os.environ.get("CW_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_an_owner_reads_narrows_watches_and_proves(browser: Browser, hub: Process) -> None:
    page = page_of(browser, hub, "alder")
    rows = page.get_by_role("region", name="Accesses, table").locator("tbody tr")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(rows.nth(1)).to_be_visible()
    before = rows.count()
    expect(rows.filter(has_text="6 events").filter(has_text="Birch").first).to_be_visible()

    hub.ask("birch", {"kind": "top", "by": "severity", "limit": 5})
    expect(rows).to_have_count(before + 1)
    expect(rows.first).to_contain_text("counted in Explore")
    expect(rows.first).to_contain_text("severity exactly")

    page.get_by_role("button", name="Cedar 1 answer").click()
    expect(page.get_by_label("Filters").get_by_text("reader", exact=True)).to_be_visible()
    expect(rows.filter(has_text="Birch")).to_have_count(0)
    assert "reader=cedar" in page.url
    page.get_by_role("button", name="Remove reader Cedar").press("Enter")
    expect(rows).to_have_count(before + 1)

    rows.first.locator("summary").click()
    expect(rows.first.get_by_text("[operate] Share malware and intrusion events")).to_be_visible()
    rows.first.get_by_role("button", name="Prove").press("Enter")
    drawer = page.get_by_role("dialog", name="Proof of one access")
    expect(drawer.get_by_text("Proven: nobody")).to_be_visible()
    expect(drawer.locator("ol li")).to_have_count(3)
    expect(drawer.get_by_text("does not hold")).to_have_count(0)
    shot(page, "proof")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").click()
    assert "birch" in Path(saved.value.path()).read_text()
    page.context.close()


def test_a_forged_proof_is_not_taken(browser: Browser, hub: Process) -> None:
    page = page_of(browser, hub, "alder")

    def forge(route: Any) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace('count\\":6', 'count\\":5'))

    page.route("**/proof", forge)
    page.get_by_role("button", name="Prove").last.click()
    expect(page.get_by_text("Not proven.")).to_be_visible()
    expect(page.get_by_text("does not hold")).to_have_count(1)
    page.context.close()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_with_and_without_accesses(browser: Browser, hub: Process, scheme: Any) -> None:
    page = page_of(browser, hub, "alder", color_scheme=scheme)
    expect(page.get_by_role("region", name="Accesses, table")).to_be_visible()
    shot(page, f"seen-{scheme}")
    assert faults(page) == []
    page.context.close()
    page = page_of(browser, hub, "dune", color_scheme=scheme)
    expect(page.get_by_text("Nothing of yours has been shown to anybody yet.")).to_be_visible()
    shot(page, f"empty-{scheme}")
    assert faults(page) == []
    page.context.close()
