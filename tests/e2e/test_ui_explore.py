"""The Explore page in a real browser over the stand-in hub: one Filter, and every surface obeys all of it."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from commonwatch.govern.query import Query
from uikit import StandIn, chromium, enter, opened, seen_total

pytestmark = pytest.mark.browser
VALUES = {
    "org": ["alder-dental", "birch-law", "cedar-foods", "oak-energy"],
    "class": ["malware", "web", "dns", "firewall"],
    "severity": ["informational", "high", "critical"],
    "family": ["GrayWeasel", "QakBot", "Agent Tesla"],
    "sector": ["Legal", "Health", "Retail"],
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def hub() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def counted(hub: StandIn, role: str, constraints: dict[str, object]) -> int:
    """What the stand-in counts for a filter, by itself."""
    import world

    full = {"time": None, "dims": {}, **constraints}
    return int(world.answer(hub.world, role, {"kind": "top", "by": "class", "limit": 1, "filter": full})["total"])


def settled(page: Page, total: int) -> None:
    """Waits until the page says this total; fails with what it says instead."""
    expect(page.locator(".totals .big").first).to_have_attribute("title", f"{total:,} events")


def test_every_total_on_the_page_is_the_count_of_the_rows_behind_it(browser: Browser, hub: StandIn) -> None:
    rng = random.Random(5)
    with opened(browser, hub) as page:
        enter(page, hub)
        for _ in range(5):
            dims: dict[str, object] = {}
            for key in rng.sample(list(VALUES), rng.randint(0, 3)):
                some = rng.sample(VALUES[key], rng.randint(1, 2))
                dims[key] = {rng.choice(["in", "not"]): some}
            day = rng.randint(1, 20)
            time_ = {"from": f"2026-10-{day + 6:02d}T00:00:00Z", "to": "2026-11-15T06:00:00Z"} if day < 24 else None
            parts = [f"t={time_['from']}..{time_['to']}"] if time_ else []
            for key, rule in dims.items():
                for side, chosen in rule.items():  # type: ignore[attr-defined]
                    parts += [f"{key}{'!' if side == 'not' else ''}={quote(v)}" for v in chosen]
            page.goto(f"{hub.url}/explore?{'&'.join(parts)}")
            page.get_by_text("Events in the selection").wait_for()
            expected = counted(hub, "mssp", {"dims": dims, "time": time_})
            settled(page, expected)
            if expected:
                expect(page.locator("section[aria-labelledby=rows-title] > header")).to_contain_text(f"of {expected:,}")


def test_a_filter_outside_the_cube_is_answered_and_never_ignored(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, where="/explore?src_ip=203.0.113.6&family=GrayWeasel")
        page.get_by_text("Events in the selection").wait_for()
        dims = {"src_ip": {"in": ["203.0.113.6"]}, "family": {"in": ["GrayWeasel"]}}
        settled(page, counted(hub, "mssp", {"dims": dims}))
        expect(page.get_by_role("button", name="firewall").locator(".value")).to_have_text("0")


def test_dragging_opens_a_window_and_back_takes_it_away(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        everything = seen_total(page)
        box = page.locator(".plot").bounding_box()
        assert box
        y = box["y"] + 50
        page.mouse.move(box["x"] + box["width"] * 0.8, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.9, y, steps=10)
        page.mouse.up()
        expect(page.get_by_role("list", name="Filters")).to_contain_text("time")
        expect(page).to_have_url(re.compile("t=2026-11-14"))
        windowed = seen_total(page)
        assert 0 < windowed < everything
        page.mouse.move(box["x"] + box["width"] * 0.85, y)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.35, y, steps=10)
        page.mouse.up()
        expect(page).to_have_url(re.compile("t=2026-11-02"))
        page.go_back()
        settled(page, windowed)
        page.go_back()
        settled(page, everything)


def test_the_window_moves_by_keyboard_and_its_outcome_is_announced(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        start = page.get_by_role("slider", name="Start of the window")
        start.focus()
        for _ in range(3):
            page.keyboard.press("Control+ArrowRight")
        page.keyboard.press("Shift+ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(start).to_have_attribute("aria-valuenow", str(22 * 24 + 1))
        expect(page.get_by_role("status")).to_contain_text("17 Nov 01:00 to 18 Nov 19:00")
        expect(start).to_have_attribute("aria-valuetext", re.compile("17 Nov 01:00"))
        page.keyboard.press("Escape")
        expect(start).to_have_attribute("aria-valuenow", "0")


def test_a_click_selects_a_second_adds_and_alt_excludes(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        facet = page.locator("section.panel", has=page.get_by_role("heading", name="Malware family", exact=True))
        facet.get_by_role("button", name="GrayWeasel").click()
        settled(page, counted(hub, "mssp", {"dims": {"family": {"in": ["GrayWeasel"]}}}))
        facet.get_by_role("button", name="QakBot").click()
        settled(page, counted(hub, "mssp", {"dims": {"family": {"in": ["GrayWeasel", "QakBot"]}}}))
        page.get_by_role("button", name="Clear all").click()
        facet.get_by_role("button", name="QakBot").click(modifiers=["Alt"])
        expect(page).to_have_url(re.compile("family!=QakBot$"))
        settled(page, counted(hub, "mssp", {"dims": {"family": {"not": ["QakBot"]}}}))


def test_a_value_that_is_not_there_stays_as_a_struck_chip_and_shows_no_number(browser: Browser, hub: StandIn) -> None:
    hostile = "a,b & <b>!..%"
    with opened(browser, hub) as page:
        enter(page, hub, where=f"/explore?family={quote(hostile)}")
        chip = page.get_by_role("list", name="Filters").locator(".lacking")
        expect(chip).to_contain_text(hostile)
        expect(page.get_by_text("it cannot be answered under this filter")).to_be_visible()
        expect(page.locator(".totals .big").first).to_contain_text("–")
        page.get_by_role("button", name="Remove that filter").click()
        settled(page, counted(hub, "mssp", {}))


def test_a_late_answer_never_replaces_a_newer_one(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        asked: list[str] = []

        def slow(route: Route) -> None:
            body = route.request.post_data or ""
            if '"rows"' in body:
                asked.append(body)
            if "GrayWeasel" in body and "QakBot" not in body:
                time.sleep(0.8)
            route.continue_()

        page.route("**/api/query", slow)
        facet = page.locator("section.panel", has=page.get_by_role("heading", name="Malware family", exact=True))
        facet.get_by_role("button", name="GrayWeasel").click()
        page.wait_for_timeout(400)
        facet.get_by_role("button", name="QakBot").click()
        dims = {"family": {"in": ["GrayWeasel", "QakBot"]}}
        rows = page.locator("section[aria-labelledby=rows-title] > header")
        expect(rows).to_contain_text(f"of {counted(hub, 'mssp', {'dims': dims}):,}")
        page.wait_for_timeout(1_200)
        expect(rows).to_contain_text(f"of {counted(hub, 'mssp', {'dims': dims}):,}")
        assert len(asked) >= 2


def test_all_questions_of_the_page_are_questions_the_hub_knows(browser: Browser, hub: StandIn) -> None:
    asked: list[bytes] = []
    with opened(browser, hub) as page:
        page.on("request", lambda r: asked.append((r.post_data or "").encode()) if r.url.endswith("/query") else None)
        enter(page, hub, where="/explore?t=7d&b=prev4w&src_ip=203.0.113.6&severity!=low")
        page.get_by_text("Events in the selection").wait_for()
        page.get_by_role("button", name="Open row").first.wait_for()
        page.get_by_role("button", name="Older rows").click()
        expect(page.get_by_role("button", name="Newer rows")).to_be_enabled()
    kinds = {type(msgspec.json.decode(body, type=Query)).__name__ for body in asked}
    assert kinds == {"Rows", "Top", "Histogram"}


def test_a_change_of_agreements_empties_the_page_within_a_second(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        before = seen_total(page)
        expect(page.get_by_role("button", name="alder-dental")).to_be_visible()
        hub.world.states["alder-dental"] = "revoked"
        began = time.monotonic()
        hub.world.bump()
        page.locator(".notice", has_text="Agreements changed; this view was reloaded.").wait_for(timeout=1_000)
        assert time.monotonic() - began < 1
        expect(page.get_by_role("button", name="alder-dental")).to_have_count(0)
        settled(page, counted(hub, "mssp", {}))
        assert seen_total(page) < before
        expect(page.locator("main")).not_to_contain_text("alder-dental")


def test_withheld_fields_are_shown_with_a_reason_and_whom_to_ask(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, role="cert")
        gone = page.locator("section.panel", has=page.get_by_role("heading", name="Contributor", exact=True))
        expect(gone).to_contain_text("No agreement covers this.")
        page.get_by_role("button", name="withheld: not agreed").first.click()
        sheet = page.get_by_role("dialog")
        expect(sheet).to_contain_text("Withheld from you: contributor")
        expect(sheet).to_contain_text("Ask the steward of your community")
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)


def test_another_purpose_reloads_everything(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        with page.expect_request(lambda r: "/api/releases/" in r.url):
            page.get_by_role("combobox", name="Purpose").select_option("respond")
        expect(page.get_by_role("status")).to_contain_text("respond")
        expect(page.get_by_role("combobox", name="Purpose")).to_have_value("respond")


def test_a_brush_step_is_drawn_from_sums_and_asks_the_hub_nothing(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        page.get_by_role("button", name="Open row").first.wait_for()
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url))
        box = page.locator(".plot").bounding_box()
        assert box
        page.mouse.move(box["x"] + 100, box["y"] + 50)
        page.mouse.down()
        totals = set()
        for step in range(20):
            page.mouse.move(box["x"] + 120 + step * 30, box["y"] + 50)
            totals.add(page.locator(".totals .big").first.get_attribute("title"))
        assert len(totals) > 10
        assert asked == []
        page.mouse.up()
        page.wait_for_timeout(500)
        assert asked
