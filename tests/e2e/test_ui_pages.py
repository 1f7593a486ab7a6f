"""Signing in, agreements and the other pages, in a real browser over the stand-in hub."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from uikit import StandIn, chromium, enter, opened

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def hub() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def test_a_setup_link_signs_in_and_leaves_no_secret_in_the_address(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        page.goto(f"{hub.url}/setup#mssp")
        page.get_by_role("button", name="Open", exact=True).wait_for()
        assert "#" not in page.url
        page.get_by_role("button", name="Open", exact=True).click()
        page.get_by_role("heading", name="Events over time").wait_for()
        page.go_back()
        assert "mssp" not in page.url


def test_a_new_passphrase_is_typed_twice(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        page.goto(f"{hub.url}/setup#mssp")
        page.get_by_label("Passphrase").fill("correct horse battery")
        page.get_by_label("The same again").fill("correct horse")
        expect(page.get_by_role("button", name="Set the passphrase and open")).to_be_disabled()
        page.get_by_label("The same again").fill("correct horse battery")
        with page.expect_request("**/api/session") as sent:
            page.get_by_role("button", name="Set the passphrase and open").click()
        assert json.loads(sent.value.post_data or "") == {"link": "mssp", "passphrase": "correct horse battery"}


def test_a_wrong_passphrase_says_what_to_do(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        page.goto(f"{hub.url}/agreements")
        page.get_by_label("Person").fill("mssp")
        page.get_by_label("Passphrase").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Ask your administrator")
        page.get_by_label("Passphrase").fill("correct horse")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Events over time").wait_for()


def test_revoking_shows_the_consequences_first_and_then_the_picture_changes(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        page.get_by_role("link", name="Agreements").click()
        page.get_by_role("link", name="Cedar Foods with Northwatch").click()
        expect(page.get_by_role("region", name="The text of the agreement")).to_contain_text("Clause s1. Share events")
        page.get_by_role("button", name="Revoke…").click()
        sheet = page.get_by_role("dialog")
        expect(sheet).to_contain_text("Northwatch Managed Security sees nothing that only this agreement allowed")
        now = sheet.get_by_role("button", name="Revoke now")
        expect(now).to_be_disabled()
        sheet.get_by_label("Reason").fill("The trial is over")
        sheet.get_by_label("Let the hub sign for us").check()
        expect(now).to_be_disabled()
        sheet.get_by_label("I have read what happens").check()
        now.click()
        expect(page.locator(".notice.good")).to_contain_text(
            "Cedar Foods with Northwatch is revoked since policy epoch 42."
        )
        expect(page.get_by_role("button", name="bound by")).to_contain_text("11 agreements, epoch 42")
        page.get_by_role("link", name="See the picture as it is now").click()
        expect(page.get_by_role("button", name="birch-law")).to_be_visible()
        expect(page.get_by_role("button", name="cedar-foods")).to_have_count(0)


def test_changing_ones_mind_revokes_nothing(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, where="/agreements/cedar-foods-with-northwatch")
        page.get_by_role("button", name="Revoke…").click()
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
    assert hub.world.epoch == 41


def test_every_page_shows_what_the_hub_says(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        for name, text in {
            "Indicators": "update-cdn.example",
            "Alerts": "GrayWeasel is new at 6 organisations",
            "Gateways": "not connected",
            "Audit": "agreement revoked",
        }.items():
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
            expect(page.locator("main")).to_contain_text(text)


def test_an_alert_opens_in_explore_as_a_filter(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub, where="/alerts")
        page.get_by_role("link", name="Open in Explore").first.click()
        chips = page.get_by_role("list", name="Filters")
        expect(chips).to_contain_text("GrayWeasel")
        expect(chips).to_contain_text("last 4 days")


def test_the_pills_say_as_whom_for_what_and_bound_by_which(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        page.get_by_role("button", name="as Northwatch Managed Security").click()
        expect(page.get_by_role("dialog")).to_contain_text("Mara Northwatch")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="bound by").click()
        terms = page.get_by_role("dialog")
        expect(terms).to_contain_text("under 12 agreements as of policy epoch 41")
        expect(terms).to_contain_text("The agreement shares these events without this field.")


def test_signing_out_leaves_nothing_behind(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        page.get_by_role("button", name="Switch to the").click()
        page.get_by_role("button", name="as Northwatch").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in").wait_for()
        assert "alder" not in page.content()
        stored = page.evaluate("JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage)])")
        assert json.loads(stored) == [["cw-theme"], []]
        assert page.evaluate("indexedDB.databases().then((d) => d.length)") == 0
        page.go_back()
        assert "alder" not in page.content()


def test_a_row_opens_with_all_its_fields_and_the_clause_that_shows_it(browser: Browser, hub: StandIn) -> None:
    with opened(browser, hub) as page:
        enter(page, hub)
        page.get_by_role("button", name="Open row 1", exact=True).click()
        drawer = page.get_by_role("dialog")
        expect(drawer).to_contain_text("with-northwatch@1#s1")
        expect(drawer).to_contain_text("Withheld from you")
        drawer.get_by_role("button", name="Only malware").click()
        expect(page.get_by_role("list", name="Filters")).to_contain_text("event class")
