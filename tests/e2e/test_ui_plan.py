"""Planning a release in a real browser: both ways, with the cost before anything is spent, and honest refusals."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from uikit import StandIn, chromium, enter, opened

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def hub() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def type_in(page: Page, label: str, value: str) -> None:
    """A number beside a slider."""
    field = page.get_by_label(f"{label}, as a number")
    field.fill(value)
    field.press("Tab")


def test_what_must_be_seen_gives_a_budget_and_a_budget_gives_what_is_seen(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        page.get_by_role("link", name="Plan a release").click()
        cost = page.get_by_role("region", name="What it costs each owner")
        expect(cost).to_contain_text("Nothing has been spent")
        words = page.get_by_role("region", name="In words")
        expect(words).to_contain_text(
            "This is the smallest budget for: an outbreak of 40 members within 2 days in one region, 95%; week within 10%"
        )
        dear = float(page.get_by_test_id("rho").inner_text().split()[0])
        type_in(page, "that reaches so many members", "80")
        expect(words).to_contain_text("an outbreak of 80 members")
        assert float(page.get_by_test_id("rho").inner_text().split()[0]) < dear / 2
        page.get_by_role("button", name="What may be spent").click()
        page.get_by_role("button", name="vetted: 1/2").click()
        expect(cost).to_contain_text("5.22 at delta 0.000001")
        expect(cost).to_contain_text("right 69 % of the time")
        expect(cost).to_contain_text("3.26")
        seen = page.get_by_role("region", name="Which outbreaks are noticed")
        expect(seen.get_by_role("row", name="in one region")).to_contain_text("26")
        expect(page.get_by_role("region", name="Which numbers can be read")).to_contain_text("readable")


def test_the_budget_slider_is_moved_by_keys_and_says_its_number(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, where="/plan")
        page.get_by_role("button", name="What may be spent").click()
        slider = page.get_by_role("slider", name="Budget (rho) for eight weeks")
        before = page.get_by_test_id("rho").inner_text()
        slider.focus()
        slider.press("ArrowRight")
        expect(slider).to_have_attribute("aria-valuetext", "0.11")
        expect(page.get_by_test_id("rho")).not_to_have_text(before)


def test_what_no_budget_can_promise_is_said_with_what_can_be_had(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, where="/plan")
        type_in(page, "Members of the community", "40")
        cost = page.get_by_role("region", name="What it costs each owner")
        expect(cost).to_contain_text("below 50 members the noise that hides one organisation hides")
        expect(cost).to_contain_text("What to do: share exact indicators under agreement")
        type_in(page, "Members of the community", "1000")
        type_in(page, "that reaches so many members", "6")
        expect(cost).to_contain_text("Not promised: an outbreak of 6 members")
        expect(cost).to_contain_text("rho for eight weeks")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_page_stands_in_both_themes_and_on_a_phone(browser: Browser, hub: StandIn, theme: str) -> None:
    with opened(browser, hub, viewport={"width": 1280, "height": 1000}) as page:
        enter(page, hub, where="/plan")
        page.get_by_test_id("rho").wait_for()
        page.evaluate("t => { document.documentElement.dataset.theme = t }", theme)
        page.get_by_role("img", name="Chance of noticing").wait_for()
        if folder := os.environ.get("CW_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"plan-release-{theme}.png", full_page=True)
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
