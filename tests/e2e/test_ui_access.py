"""Accessibility and hygiene of the browser UI: axe on every page and theme, keyboard, narrow screens, strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from uikit import AXE, StandIn, chromium, enter, opened

pytestmark = pytest.mark.browser
PAGES = ("explore", "agreements", "indicators", "alerts", "gateways", "audit", "plan")
LOADED = {
    "explore": "Events in the selection", "agreements": "in force", "indicators": "203.0.113.7",
    "alerts": "Open in Explore", "gateways": "connected", "audit": "Root hash", "plan": "Nothing has been spent",
}  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def hub() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def violations(page: Page) -> list[str]:
    """What axe-core objects to (WCAG 2.2 AA and best practice), with the elements."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed (ui/run install)")
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async () => (await axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
            resultTypes: ['violations'],
        })).violations.map((v) => v.id + ': ' + v.nodes.slice(0, 4).map((n) => n.html.slice(0, 160)).join(' | '))"""
    )
    return [str(v) for v in found]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_on_any_page(browser: Browser, hub: StandIn, scheme: Literal["dark", "light"]) -> None:
    with opened(browser, hub, color_scheme=scheme) as page:
        page.goto(f"{hub.url}/login")
        page.get_by_role("button", name="Sign in").wait_for()
        assert violations(page) == []
        enter(page, hub)
        for name in PAGES:
            page.goto(f"{hub.url}/{name}")
            page.get_by_text(LOADED[name]).first.wait_for()
            page.wait_for_timeout(400)
            assert (name, violations(page)) == (name, [])


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_under_filters_tables_and_sheets(
    browser: Browser, hub: StandIn, scheme: Literal["dark", "light"]
) -> None:
    with opened(browser, hub, color_scheme=scheme) as page:
        enter(page, hub, role="cert", where="/explore?family=GrayWeasel&severity!=low&class=nothing-like-it")
        page.get_by_text("it cannot be answered").wait_for()
        assert violations(page) == []
        page.get_by_role("button", name="Remove that filter").click()
        page.get_by_role("button", name="Open row").first.wait_for()
        for twin in page.get_by_role("button", name="as a table").all():
            twin.click()
        assert violations(page) == []
        page.get_by_role("button", name="Open row").first.click()
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="bound by").click()
        assert violations(page) == []


def test_the_table_twin_has_the_numbers_of_the_picture(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        facet = page.locator("section.panel", has=page.get_by_role("heading", name="Severity", exact=True))
        shown = facet.locator("li .name").all_inner_texts()
        facet.get_by_role("button", name="Show Severity as a table").click()
        cells = facet.locator("tbody tr td:first-child").all_inner_texts()
        assert [c.strip() for c in cells] == [s.strip() for s in shown]
        page.get_by_role("button", name="Show Events over time as a table").click()
        rows = page.get_by_role("region", name="Events over time, table").locator("tbody tr td:nth-child(2)")
        counts = [int(text.replace(",", "")) for text in rows.all_inner_texts()]
        title = page.locator(".totals .big").first.get_attribute("title") or ""
        assert f"{sum(counts):,} events" == title


def test_an_analyst_needs_no_pointer(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, role="cert", where="/alerts")
        page.get_by_role("link", name="Open in Explore").first.focus()
        page.keyboard.press("Enter")
        page.get_by_text("Events in the selection").wait_for()
        page.get_by_role("slider", name="Whole window").focus()
        page.keyboard.press("Shift+ArrowLeft")
        facet = page.locator("section.panel", has=page.get_by_role("heading", name="Severity", exact=True))
        facet.locator("button.row[tabindex='0']").focus()
        page.keyboard.press("c")
        expect(facet.get_by_role("button", name="critical")).to_be_focused()
        page.keyboard.press("Enter")
        expect(facet.get_by_role("button", name="critical")).to_have_attribute("aria-pressed", "true")
        expect(facet.get_by_role("button", name="critical")).to_be_focused()
        page.get_by_role("button", name="withheld: not agreed").first.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("No agreement covers this.")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="withheld: not agreed").first).to_be_focused()


def test_the_skip_link_leads_to_the_content(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, where="/audit")
        page.get_by_text("Root hash").wait_for()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        assert page.url.endswith("/audit")


@pytest.mark.parametrize("width", [320, 768])
def test_narrow_screens_need_no_sideways_scrolling(browser: Browser, hub: StandIn, width: int) -> None:
    with opened(browser, hub, viewport={"width": width, "height": 800}) as page:
        enter(page, hub)
        for name in PAGES:
            page.goto(f"{hub.url}/{name}")
            page.get_by_text(LOADED[name]).first.wait_for()
            page.wait_for_timeout(300)
            assert (name, page.evaluate("document.documentElement.scrollWidth")) == (name, width)


def test_the_theme_repaints_the_canvas(browser: Browser, hub: StandIn) -> None:
    probe = """() => {
        const c = document.querySelector('canvas');
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        const seen = new Set();
        for (let i = 0; i < d.length; i += 4) if (d[i + 3] === 255) seen.add([d[i], d[i + 1], d[i + 2]].join());
        return [...seen];
    }"""
    with opened(browser, hub, color_scheme="dark") as page:
        enter(page, hub)
        page.wait_for_timeout(200)
        assert "92,200,255" in page.evaluate(probe)
        page.get_by_role("button", name="Switch to the light theme").click()
        page.wait_for_timeout(200)
        colours = page.evaluate(probe)
        assert "10,107,168" in colours
        assert "92,200,255" not in colours


def test_nothing_moves_for_those_who_asked_for_stillness(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub, reduced_motion="reduce") as page:
        enter(page, hub)
        moving = page.evaluate(
            """() => [...document.querySelectorAll('*')].filter((e) => {
                const s = getComputedStyle(e);
                return [...s.transitionDuration.split(','), ...s.animationDuration.split(',')]
                    .some((d) => parseFloat(d) > 0);
            }).length"""
        )
        assert moving == 0


def test_bars_and_focus_stay_visible_in_forced_colours(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub, forced_colors="active") as page:
        enter(page, hub)
        page.wait_for_timeout(300)
        width = page.locator(".fill").first.evaluate("(e) => getComputedStyle(e).borderTopWidth")
        assert width == "1px"
        assert violations(page) == []
