"""The community picture and the privacy budget in a real browser, over a release drawn by the code that ships."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from uikit import AXE, StandIn, chromium, enter, opened

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def hub() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def test_numbers_come_with_intervals_and_noise_is_said_to_be_noise(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, "cert")
        page.get_by_role("link", name="Community picture").click()
        page.get_by_text("at most 4 per organisation in 8 weeks").first.wait_for()
        course = page.get_by_role("region", name="Over time")
        expect(course.locator("circle")).to_have_count(5)  # four weeks that closed, and one so far
        families = page.get_by_role("region", name="By family")
        expect(families.get_by_text("not distinguishable from 0").first).to_be_visible()  # most families never came
        expect(families.get_by_role("row", name="darkgate")).to_contain_text(" to ")
        whole = page.get_by_test_id("total").inner_text()
        families.get_by_role("button", name="darkgate").press("Enter")
        expect(page.get_by_test_id("total")).not_to_have_text(whole)
        page.get_by_role("button", name="family darkgate ×").click()
        expect(page.get_by_test_id("total")).to_have_text(whole)
        course.get_by_role("button", name="days").click()
        expect(course.locator("circle")).to_have_count(31)
        course.get_by_text("The numbers").click()
        expect(course.get_by_role("row", name="2026-10-05")).to_be_visible()


def test_an_owner_sees_what_was_spent_on_whom_and_when_it_renews(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, "cert")
        page.get_by_role("link", name="Community picture").click()
        page.get_by_role("link", name="What it was paid with").click()
        row = page.get_by_role("region", name="By reader").get_by_role("row", name="birch-bakery")
        expect(row).to_contain_text("1/20 (3/20 for good)")
        expect(row).to_contain_text("2026-11-30")
        expect(page.get_by_role("region", name="What it was spent on")).to_contain_text("alpine, vetted")


def test_without_a_release_the_page_says_what_is_missing(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, "mssp")
        page.get_by_role("link", name="Community picture").click()
        expect(page.get_by_role("heading", name="There is no release for you yet")).to_be_visible()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_both_pages_are_accessible_in_both_themes(browser: Browser, hub: StandIn, theme: str) -> None:
    with opened(browser, hub, color_scheme=theme) as page:
        enter(page, hub, "cert")
        for name in ("picture", "budget"):
            page.goto(f"{hub.url}/{name}")
            page.locator("table:visible").first.wait_for()
            page.evaluate(AXE.read_text())
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [v["id"] for v in found["violations"]] == []
            if folder := os.environ.get("COMMONWATCH_SHOTS"):
                page.screenshot(path=Path(folder) / f"{name}-{theme}.png", full_page=True)
