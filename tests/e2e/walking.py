"""What walks through the agreements in a browser share: somebody signed in, axe and pictures of a page, presses.

`CW_SHOTS` names a folder for pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from playwright.sync_api import Browser, Locator, Page

from doubles.village import oak
from e2e.test_hub_serve import Process
from uikit import AXE, opened

THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")


def violations(page: Page) -> list[str]:
    """What axe-core objects to (WCAG 2.2 AA and best practice)."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async () => (await axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
            resultTypes: ['violations'],
        })).violations.map((v) => v.id + ': ' + v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160)).join(' | '))"""
    )
    return [str(v) for v in found]


def examine(page: Page, name: str) -> None:
    """Axe in both themes; pictures for whoever wants them; no sideways scrolling on a phone."""
    page.wait_for_timeout(300)
    page.evaluate("scrollTo(0, 0)")
    for theme in THEMES:
        if page.evaluate("document.documentElement.dataset.theme") != theme:
            page.get_by_role("button", name=f"Switch to the {theme} theme").click()
        found = violations(page)
        assert not found, (name, theme, found)
        if folder := os.environ.get("CW_SHOTS"):
            page.screenshot(path=f"{folder}/{name}-{theme}.png", full_page=True)
    page.get_by_role("button", name="Switch to the dark theme").click()
    size = page.viewport_size or {"width": 1280, "height": 900}
    page.set_viewport_size({"width": 360, "height": 800})
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width == 360, (name, width)
    page.set_viewport_size(size)


@contextmanager
def person(browser: Browser, hub: Process, org: str) -> Iterator[Page]:
    """A browser of its own, signed in by the setup link."""
    with opened(browser, hub, viewport={"width": 1280, "height": 900}, accept_downloads=True) as page:  # type: ignore[arg-type]
        page.goto(f"{hub.url}/#link={hub.town.links[org].partition('#link=')[2]}")
        page.get_by_role("button", name="Open", exact=True).click()
        page.get_by_role("link", name="Agreements", exact=True).click()
        page.get_by_role("heading", name="Agreements", level=1).wait_for()
        yield page


def slot(clause: Locator, name: str) -> Locator:
    """The changeable part of a clause's sentence."""
    return clause.locator(f"[data-slot='{name}']").first


def press(page: Page, find: Callable[[], Locator]) -> None:
    """Focus it and press Enter."""
    find().first.focus()
    page.keyboard.press("Enter")


def step(page: Page, kind: str, reason: str = "") -> None:
    """A step of an agreement with the key the hub holds."""
    page.get_by_role("button", name=f"{kind}…").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Reason").fill(reason)
    sheet.get_by_label("Let the hub sign for us").check()
    sheet.get_by_label("I have read what happens").check()
    sheet.get_by_role("button", name=f"{kind} now").click()


def offered(hub: Process, name: str) -> str:
    """Where an offer by Oak Law to its provider is, signed by nobody yet."""
    with hub.client("oak-law") as client:
        made = client.post("/api/agreements/offer", json={"document": {**oak(), "id": name, "title": f"The {name}"}})
        assert made.status_code == 201, made.text
        return f"{hub.url}/offers/{made.json()['hash']}"
