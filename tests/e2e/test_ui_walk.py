"""The walk of a new member in a real browser before a real hub, from the setup link to the proof of what happened.

A dental practice joins by its link, chooses a level, refines it, looks at what would be seen, signs with a key made in
the browser; its provider signs; the provider reads; the practice amends, revokes, and holds the certificate. `CW_SHOTS`
names a folder for pictures.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, Page, expect

from doubles.town import Town
from doubles.village import incidents, oak, village
from e2e.test_hub_serve import Process, rows, serving
from e2e.walking import examine, offered, person, press, slot, step, violations
from uikit import chromium

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return village(tmp_path_factory.mktemp("village") / "data")


@pytest.fixture(scope="module")
def hub(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(town, tmp_path_factory.mktemp("log") / "hub.log") as made:
        with made.client("maple-dental") as client:
            assert client.post("/gateway/batches", content=town.batch("maple-dental", incidents())).status_code == 200
        yield made


def test_a_practice_joins_chooses_refines_looks_signs_amends_revokes_and_proves(
    browser: Browser, hub: Process, tmp_path: Path
) -> None:
    with person(browser, hub, "maple-dental") as maple, person(browser, hub, "harbour-mss") as harbour:
        choose(maple)
        refine(maple)
        look(maple)
        offer = sign_with_a_key_made_here(maple, tmp_path / "maple.key.json")
        sign_as_second(harbour, offer)
        with hub.client("harbour-mss") as client:
            assert rows(client) == 24
        see_it_live(maple, harbour)
        amend(maple, harbour)
        ask(maple)
        revoke(maple)
        with hub.client("harbour-mss") as client:
            assert rows(client) == 0
        prove(maple)


def choose(page: Page) -> None:
    """Nothing signed yet; a level with what it gives, gets, and who sees."""
    expect(page.locator("main")).to_contain_text("Nothing agreed, nothing shared.")
    examine(page, "agreements-first")
    page.get_by_role("link", name="New agreement").click()
    card = page.locator("label.card", has=page.get_by_text("Full help plus the CERT on incidents"))
    expect(card).to_contain_text("Who sees something of yours")
    expect(card).to_contain_text("your security provider")
    begin = page.get_by_role("button", name="Begin with this level")
    expect(begin).to_be_disabled()
    card.get_by_role("radio").check()
    page.get_by_label("Which security provider works for you?").select_option("Harbour Managed Security")
    examine(page, "level")
    begin.click()
    page.get_by_role("heading", name="What is shared, clause by clause").wait_for()


def refine(page: Page) -> None:
    """Press a part of a sentence, change it, lose nothing on reload; a fault says where; text goes both ways."""
    warn = page.get_by_role("article", name="warn-peers")
    slot(warn, "fields").click()
    warn.get_by_label("source address", exact=True).select_option("network")
    expect(warn).to_contain_text("203.0.113.0/24")
    examine(page, "refine")
    warn.get_by_role("button", name="Done").click()
    expect(warn).to_contain_text("source address as its network")
    slot(warn, "to").click()
    warn.get_by_label("SME Shield").uncheck()
    warn.get_by_role("button", name="Done").click()
    expect(warn).to_contain_text("with nobody for detecting threats")
    warn.get_by_role("button", name="Remove clause warn-peers").click()
    expect(page.get_by_role("article", name="warn-peers")).to_have_count(0)
    page.get_by_text("Saved", exact=True).wait_for()
    page.reload()
    page.get_by_role("heading", name="What is shared, clause by clause").wait_for()
    expect(page.get_by_role("article", name="warn-peers")).to_have_count(0)
    write(page)


def write(page: Page) -> None:
    """The same as YAML: a fault names path and line as one types, and typing is never held up."""
    page.get_by_role("button", name="Edit as text").click()
    area = page.get_by_label("The agreement as YAML")
    expect(area).to_have_value(re.compile("operate-for-us"))
    text = area.input_value()
    area.fill(text.replace("user: pseudonym", "user: hour", 1))
    expect(page.locator(".source")).to_contain_text("fields.user")
    examine(page, "text")
    area.fill(text.replace("per_day: 50", "per_day: 25", 1))
    expect(page.locator(".source")).to_contain_text("Nothing wrong with it.")
    page.get_by_role("button", name="Edit as text").click()
    expect(page.get_by_role("article", name="operate-for-us")).to_contain_text("up to 25 known values a day")


def look(page: Page) -> None:
    """Own rows beside what each reader would see; what never leaves; what changes."""
    page.get_by_role("link", name="Next: Look at it").click()
    page.get_by_role("tab", name="Harbour Managed Security").click()
    panel = page.get_by_role("tabpanel")
    expect(panel).to_contain_text("24 of 24 events")
    expect(panel).to_contain_text("anna.berg")
    expect(panel).to_contain_text("user_")
    examine(page, "preview")
    page.keyboard.press("ArrowRight")
    page.get_by_role("tab", name="any CERT").click()
    expect(panel).to_contain_text("8 of 24 events")
    page.get_by_role("tab", name="What never leaves").click()
    expect(panel).to_contain_text("command line")
    page.get_by_role("link", name="Next: What changes").click()
    expect(page.locator("main")).to_contain_text("Newly shown to organisation Harbour Managed Security")
    expect(page.locator("main")).to_contain_text("Nobody would lose anything they see today.")
    examine(page, "effects")


def sign_with_a_key_made_here(page: Page, key: Path) -> str:
    """The private half goes into a file and this browser, and never to the hub. Returns where the offer is."""
    page.get_by_role("link", name="Next: Offer and sign").click()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    page.get_by_role("button", name="Make a key in this browser").click()
    with page.expect_download() as file:
        page.get_by_role("button", name="Make the key and save its file").click()
    file.value.save_as(key)
    page.get_by_label("I have the file and keep it safe").check()
    page.get_by_role("button", name="Register it and keep it in this browser").click()
    expect(page.get_by_role("radio", name="The key in this browser")).to_be_checked()
    examine(page, "sign")
    now = page.get_by_role("button", name="Sign and offer")
    expect(now).to_be_disabled()
    page.get_by_label("I have read the text and agree to it").check()
    now.click()
    expect(page.locator("main")).to_contain_text("has not signed yet")
    secret = json.loads(key.read_text())["d"]
    assert sent
    assert not [body for body in sent if secret in body]
    examine(page, "waiting")
    return page.url


def sign_as_second(page: Page, offer: str) -> None:
    """The provider finds it waiting, reads it, signs; its notification leads there."""
    page.get_by_role("link", name="Notifications").click()
    examine(page, "notifications")
    page.get_by_role("link", name="Harbour").or_(page.get_by_role("link", name="offers")).first.click()
    assert page.url == offer
    expect(page.get_by_role("region", name="The text of the agreement")).to_contain_text("up to 25 known values")
    page.get_by_label("Let the hub sign for us").check()
    page.get_by_label("I have read the text and agree to it").check()
    page.get_by_role("button", name="Sign", exact=True).click()
    expect(page.locator("main")).to_contain_text("Every party has signed.")


def see_it_live(maple: Page, harbour: Page) -> None:
    """The owner is told without asking; the reader sees rows; the agreement has its page."""
    expect(maple.locator("main")).to_contain_text("Every party has signed.")
    harbour.get_by_role("link", name="Explore", exact=True).click()
    expect(harbour.get_by_text("maple-dental").first).to_be_visible()
    maple.get_by_role("link", name="See the agreement").click()
    expect(maple.get_by_role("region", name="The text of the agreement")).to_contain_text("[operate-for-us]")
    expect(maple.locator("main")).to_contain_text("in force")
    examine(maple, "agreement")


def amend(maple: Page, harbour: Page) -> None:
    """A next version: only what changes is shown, both sign, and it replaces the one before."""
    maple.get_by_role("button", name="Amend…").click()
    clause = maple.get_by_role("article", name="operate-for-us")
    slot(clause, "fields").click()
    clause.get_by_label("host name", exact=True).select_option("pseudonym")
    maple.get_by_text("Saved", exact=True).wait_for()
    maple.get_by_role("link", name="What changes").first.click()
    expect(maple.locator("main")).to_contain_text("No longer shown to organisation Harbour Managed Security")
    examine(maple, "amend")
    maple.get_by_role("link", name="Offer and sign").first.click()
    expect(maple.get_by_role("radio", name="The key in this browser")).to_be_checked()
    maple.get_by_label("I have read the text and agree to it").check()
    maple.get_by_role("button", name="Sign and offer").click()
    expect(maple.locator("main")).to_contain_text("has not signed yet")
    harbour.goto(maple.url)
    harbour.get_by_label("Let the hub sign for us").check()
    harbour.get_by_label("I have read the text and agree to it").check()
    harbour.get_by_role("button", name="Sign", exact=True).click()
    expect(harbour.locator("main")).to_contain_text("Every party has signed.")


def ask(page: Page) -> None:
    """Who can see a field, what can somebody see; the answer names clauses and leads to them."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Agreements").click()
    page.get_by_role("link", name="Who can see what?").click()
    page.get_by_label("Of my events, who can see the").select_option("user")
    page.get_by_role("button", name="Ask").first.click()
    expect(page.locator(".answer").first).to_contain_text("Harbour Managed Security")
    page.get_by_label("What of my events can").fill("oak-law")
    page.get_by_role("button", name="Ask").nth(1).click()
    expect(page.locator(".answer").nth(1)).to_contain_text("Nothing.")
    examine(page, "questions")
    page.get_by_role("link", name="operate-for-us").first.click()
    expect(page.get_by_role("heading", name="Parties and signatures")).to_be_visible()


def revoke(page: Page) -> None:
    """The consequences first; then it is over, and the certificate says what was taken back."""
    page.get_by_role("button", name="Revoke…").click()
    sheet = page.get_by_role("dialog")
    expect(sheet).to_contain_text("Harbour Managed Security sees nothing that only this agreement allowed")
    expect(sheet.get_by_role("radio", name="The key in this browser")).to_be_checked()
    sheet.get_by_label("Reason").fill("The trial is over")
    sheet.get_by_label("I have read what happens").check()
    examine_sheet(page)
    sheet.get_by_role("button", name="Revoke now").click()
    expect(page.locator(".notice.good")).to_contain_text("is revoked since policy epoch", timeout=15_000)
    expect(page.get_by_role("heading", name="Certificate of withdrawal")).to_be_visible(timeout=15_000)
    examine(page, "revoked")


def examine_sheet(page: Page) -> None:
    assert violations(page) == []
    if folder := os.environ.get("CW_SHOTS"):
        page.screenshot(path=f"{folder}/revoke-dark.png")


def prove(page: Page) -> None:
    """Who saw what afterwards, under which version and clause, each with a proof that this browser checks itself."""
    page.get_by_role("link", name="Who saw what", exact=True).click()
    expect(page.get_by_role("region", name="Accesses, table")).to_contain_text("Harbour Managed Security")
    examine(page, "seen")
    page.get_by_role("button", name="Prove the access of Harbour Managed Security").first.click()
    drawer = page.get_by_role("dialog", name="Proof of one access")
    expect(drawer).to_contain_text("Proven: nobody, the hub included, can change or drop this entry unnoticed.")
    expect(drawer).to_contain_text("#operate-for-us")
    assert violations(page) == []


def test_the_other_pages_of_agreements_are_accessible(browser: Browser, hub: Process) -> None:
    with person(browser, hub, "oak-law") as page:
        page.get_by_role("link", name="My ceiling").click()
        page.get_by_role("button", name="Add a ceiling").click()
        expect(page.get_by_role("article", name="ceiling")).to_contain_text("never show anyone more than")
        expect(page.locator("main")).to_contain_text("What changes")
        examine(page, "ceiling")
        page.get_by_role("button", name="as Oak Law").click()
        page.get_by_role("link", name="Keys and settings").click()
        expect(page.locator("main")).to_contain_text("held by the hub, as a convenience")
        examine(page, "settings")


def test_an_agreement_is_made_and_offered_without_a_pointer(browser: Browser, hub: Process) -> None:
    with person(browser, hub, "oak-law") as page:
        press(page, lambda: page.get_by_role("link", name="New agreement"))
        press(page, lambda: page.get_by_role("button", name="Begin with an empty agreement"))
        press(page, lambda: page.get_by_role("button", name="Share events"))
        clause = page.get_by_role("article", name="sharing")
        press(page, lambda: slot(clause, "to"))
        box = clause.get_by_label("CERTs")
        box.focus()
        page.keyboard.press("Space")
        page.keyboard.press("Escape")
        expect(slot(clause, "to")).to_be_focused()
        expect(clause).to_contain_text("with all CERTs for detecting threats")
        press(page, lambda: slot(clause, "fields"))
        clause.get_by_label("contributor", exact=True).focus()
        page.keyboard.type("Exactly")
        expect(clause).to_contain_text("contributor and severity exactly")
        page.get_by_text("Saved", exact=True).wait_for()
        press(page, lambda: page.get_by_role("link", name="Offer and sign"))
        way = page.get_by_label("Let the hub sign for us")
        way.focus()
        page.keyboard.press("Space")
        page.get_by_label("I have read the text and agree to it").focus()
        page.keyboard.press("Space")
        press(page, lambda: page.get_by_role("button", name="Sign and offer"))
        expect(page.locator("main")).to_contain_text("Every party has signed.")
    with person(browser, hub, "valley-cert") as page:
        accept(page)


def accept(page: Page) -> None:
    """Who is only named as a reader is told what binds it, and accepts before anything reaches it."""
    card = page.locator("li.card", has_text="reaches you once you accept its duties")
    card.get_by_role("link").click()
    expect(page.get_by_role("region", name="What reaches you, and its duties")).to_contain_text("with all CERTs")
    examine(page, "duties")
    page.get_by_role("button", name="Accept the duties…").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Let the hub sign for us").check()
    sheet.get_by_label("I have read what happens").check()
    sheet.get_by_role("button", name="Accept", exact=True).click()
    expect(page.locator("main")).to_contain_text("you accepted these duties")


def test_a_steward_publishes_a_template_that_members_then_find_first(browser: Browser, hub: Process) -> None:
    with person(browser, hub, "valley-cert") as page:
        page.get_by_role("link", name="Our templates").click()
        page.get_by_label("Begin from").select_option("sme-alone")
        page.get_by_role("button", name="Write it").click()
        write_template(page)
        examine(page, "template")
        page.get_by_role("button", name="Publish version 1 for SME Shield").click()
        expect(page.locator(".notice.good")).to_contain_text("“Our terms”, version 1, is published for SME Shield")
        examine(page, "templates")
    with person(browser, hub, "oak-law") as page:
        expect(page.get_by_role("link", name="Our templates")).to_have_count(0)
        page.get_by_role("link", name="New agreement").click()
        first = page.locator("label.kind").first
        expect(first).to_contain_text("Our terms")
        expect(first).to_contain_text("made by SME Shield")
        expect(first.get_by_role("radio")).to_be_checked()
    with person(browser, hub, "valley-cert") as page:
        page.get_by_role("link", name="Our templates").click()
        page.get_by_role("button", name="Next version").click()
        expect(page.get_by_role("button", name="Publish version 2")).to_be_enabled()
        page.get_by_role("button", name="Stop writing").click()
        page.get_by_role("button", name="Withdraw…").click()
        page.get_by_role("button", name="Withdraw it").click()
        expect(page.locator(".notice.good")).to_contain_text("is withdrawn")


def write_template(page: Page) -> None:
    """A fault names path and line as one types; each level can be read before anything is published."""
    area = page.get_by_label("The template as YAML")
    text = re.sub(r"(?m)^title: .*$", "title: Our terms", area.input_value(), count=1)
    area.fill(re.sub(r"tlp: [a-z+]+", "tlp: purple", text, count=1))
    expect(page.locator("main")).to_contain_text(re.compile(r"line \d+ \$\.clauses\[\d\]\.clause\.rows\.tlp"))
    expect(page.get_by_role("button", name="Publish")).to_be_disabled()
    area.fill(text)
    expect(page.get_by_role("region", name="The text at this level")).to_contain_text("Data Sharing Agreement")
    page.get_by_role("group", name="Level").get_by_role("button").last.click()
    expect(page.get_by_role("region", name="The text at this level")).to_contain_text("community sme-shield")


def test_an_owner_suspends_resumes_and_prints(browser: Browser, hub: Process) -> None:
    def seen() -> int:
        with hub.client("oak-law") as client:
            return len(client.get("/api/agreements/what-sees", params={"reader": "harbour-mss"}).json()["seen"])

    assert seen()
    with person(browser, hub, "oak-law") as page:
        page.get_by_role("link", name="Watch over Oak Law").click()
        step(page, "Suspend", "Moving house")
        expect(page.locator(".notice.good")).to_contain_text("Watch over Oak Law is suspended since policy epoch")
        assert not seen()
        step(page, "Resume")
        expect(page.locator(".notice.good")).to_contain_text("is in force again since policy epoch")
        assert seen()
        for name, kind in (("Print", "text/html"), ("PDF", "application/pdf"), ("Record to keep", "application/json")):
            address = page.get_by_role("link", name=name, exact=True).get_attribute("href")
            answer = page.request.get(urljoin(page.url, address or ""))
            assert (name, answer.status, answer.headers["content-type"].split(";")[0]) == (name, 200, kind)


def test_an_offer_is_taken_back_and_another_declined(browser: Browser, hub: Process) -> None:
    first, second = offered(hub, "first-try"), offered(hub, "second-try")
    with person(browser, hub, "oak-law") as oak_law, person(browser, hub, "harbour-mss") as harbour:
        end(oak_law, first, "Take the offer back…", "Take it back", "A wrong date")
        expect(oak_law.locator("main")).to_contain_text("taken back")
        end(harbour, second, "Decline…", "Decline", "We need host names")
        expect(harbour.locator("main")).to_contain_text("declined")
        oak_law.goto(second)
        expect(oak_law.locator("main")).to_contain_text("“We need host names”")
        expect(oak_law.get_by_role("button", name="Sign", exact=True)).to_have_count(0)
        harbour.goto(first)
        expect(harbour.locator("main")).to_contain_text("“A wrong date”")


def end(page: Page, offer: str, begin: str, now: str, why: str) -> None:
    """End an offer with a reason the others read."""
    page.goto(offer)
    page.get_by_role("button", name=begin).click()
    page.get_by_label("Why").fill(why)
    page.get_by_role("button", name=now, exact=True).click()


def test_a_finding_is_mended_at_one_press(browser: Browser, hub: Process) -> None:
    share = {**oak()["clauses"][0], "id": "again", "fields": {"time": "day", "severity": "exact"}}
    document = {**oak(), "id": "oak-twice", "clauses": [*oak()["clauses"], share]}
    with hub.client("oak-law") as client:
        assert client.put("/api/drafts/twice", json={"document": document}).status_code == 200
    with person(browser, hub, "oak-law") as page:
        page.goto(f"{hub.url}/drafts/twice/effects")
        worth = page.get_by_label("Findings")
        expect(worth).to_contain_text("[again]")
        examine(page, "findings")
        worth.get_by_role("button", name="Leave out [again]").click()
        expect(worth).not_to_contain_text("[again]")
        page.get_by_text("Saved", exact=True).wait_for()
    with hub.client("oak-law") as client:
        assert [c["id"] for c in client.get("/api/drafts/twice").json()["document"]["clauses"]] == ["operate"]


def test_a_steward_sets_the_ceiling_of_its_community(browser: Browser, hub: Process) -> None:
    with person(browser, hub, "valley-cert") as page:
        page.get_by_role("link", name="Ceiling of SME Shield").click()
        expect(page.get_by_role("heading", name="Ceiling of SME Shield")).to_be_visible()
        page.get_by_role("button", name="Add a ceiling").click()
        expect(page.get_by_role("article", name="ceiling")).to_contain_text("never show anyone more than")
        page.get_by_label("Let the hub sign for us").check()
        page.get_by_label("I have read the text and set it").check()
        expect(page.get_by_role("region", name="The text of the ceiling")).to_contain_text(
            "Charter of community sme-shield"
        )
        examine(page, "community-ceiling")
        page.get_by_role("button", name="Sign", exact=True).click()
        expect(page.locator(".notice.good")).to_contain_text("The ceiling of SME Shield stands from now on.")
    with person(browser, hub, "maple-dental") as page:
        page.get_by_role("link", name="Ceiling of SME Shield").click()
        expect(page.locator("main")).to_contain_text("[ceiling] For all events, never show anyone more than")
        page.goto(f"{hub.url}/ceiling/sme-shield")
        expect(page.locator("main")).to_contain_text("Only the steward of a community sets its ceiling.")
