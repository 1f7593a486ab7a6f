"""What stands out, in a real browser over the stand-in hub: closed until asked, in words, each a step into the data."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from uikit import AXE, StandIn, chromium, enter, opened

pytestmark = pytest.mark.browser
LAST_DAYS = "/explore?t=2026-11-15..2026-11-19"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def hub() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def look(page: Page) -> None:
    page.get_by_role("button", name="Look what stands out").press("Enter")


def test_the_panel_teaches_then_names_the_outbreak_and_leads_into_it(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url) if r.url.endswith("/api/explain") else None)
        enter(page, hub)
        panel = page.get_by_role("region", name="What stands out")
        look(page)
        expect(panel).to_contain_text("Select something first")
        assert asked == [], "nothing selected, nothing asked"
        page.goto(f"{hub.url}{LAST_DAYS}")
        expect(page.get_by_role("heading", name="Events over time")).to_be_visible()
        assert asked == [], "closed until asked for"
        look(page)
        first = panel.get_by_role("listitem").first.get_by_role("button")
        expect(first).to_contain_text("GrayWeasel")
        expect(first).to_contain_text("organisations")
        expect(first).to_contain_text("By chance: less than 1 in")
        expect(panel).to_contain_text("tested on organisations and days")
        first.press("Enter")
        expect(page.get_by_role("list", name="Filters")).to_contain_text("GrayWeasel")
        page.go_back()
        expect(page.get_by_role("list", name="Filters")).not_to_contain_text("GrayWeasel")
        panel.get_by_label("Compared with").select_option("rest")
        expect(page).to_have_url(re.compile(r"[?&]t=2026-11-15.*&b=rest$"))
        expect(panel).to_contain_text("in all other times")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_the_panel_passes_axe_and_needs_no_sideways_scrolling(browser: Browser, hub: StandIn, scheme: str) -> None:
    with opened(browser, hub, color_scheme=scheme, bypass_csp=True) as page:
        enter(page, hub, where=LAST_DAYS)
        look(page)
        panel = page.get_by_role("region", name="What stands out")
        expect(panel.get_by_role("listitem").first).to_be_visible()
        page.add_script_tag(path=str(AXE))
        bad = page.evaluate("axe.run('section.panel').then(r => r.violations.map(v => v.id + ' ' + v.nodes[0].html))")
        assert bad == []
        page.set_viewport_size({"width": 360, "height": 800})
        page.wait_for_timeout(300)
        assert panel.evaluate("e => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right <= 360")
