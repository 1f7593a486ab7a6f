"""For the browser tests of the UI: the stand-in hub of `ui/dev`, a headless Chromium, and a page that remembers faults.

Skipped where no Chromium or no built UI is found; required where `CI` is set.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "src" / "commonwatch" / "web" / "_ui"
AXE = ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = [
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

sys.path.insert(0, str(ROOT / "ui" / "dev"))
from standin import StandIn  # noqa: E402  (the stand-in lives beside the UI, not in a package)

__all__ = ["AXE", "BUILT", "ROOT", "StandIn", "chromium", "enter", "opened", "seen_total"]


def _need(found: object, what: str) -> None:
    if not found and os.environ.get("CI"):
        pytest.fail(f"{what} is required here")
    if not found:
        pytest.skip(f"{what} was not found")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium of the system; no browser is downloaded and none calls out."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    _need(path, "a Chromium")
    _need((BUILT / "index.html").is_file(), "the built UI (ui/run build)")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*root, *FLAGS])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, hub: StandIn, **options: Any) -> Iterator[Page]:
    """A fresh page. At the end: no console error, no page error, no request to anywhere but the hub."""
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    page = context.new_page()
    page.set_default_timeout(15_000)
    faults: list[str] = []

    def console(message: ConsoleMessage) -> None:
        if message.type == "error" and "api/session" not in (message.location or {}).get("url", ""):
            faults.append(message.text)

    def requested(request: Request) -> None:
        if not request.url.startswith((hub.url, "data:", "blob:")):
            faults.append(f"foreign request: {request.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", requested)
    yield page
    context.close()
    assert faults == [], faults


def enter(page: Page, hub: StandIn, role: str = "mssp", where: str = "") -> None:
    """Sign in by a setup link, then go to an address of the UI."""
    page.goto(f"{hub.url}/setup#{role}")
    page.get_by_role("button", name="Open", exact=True).click()
    page.get_by_role("heading", name="Events over time").wait_for()
    if where:
        page.goto(f"{hub.url}{where}")


def seen_total(page: Page) -> int:
    """The number of events that the page says are in the selection."""
    title = page.locator(".totals .big").first.get_attribute("title") or ""
    return int(title.split()[0].replace(",", ""))
