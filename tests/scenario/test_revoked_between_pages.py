"""A client that pages through a TAXII collection while an agreement is revoked, suspended or narrowed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commonwatch.hub.compose import Hub
from doubles.asking import TAXII, Asker, Call
from doubles.town import NOW, Town, agreement

PAGE, DOMAINS = 4, 12
HOME = "/taxii2/hub/collections/indicators"
Step = Callable[[Hub], object]


def state(kind: Any) -> Step:
    return lambda hub: hub.core.documents.state_for("alder", "alder-service", kind)


def narrow(hub: Hub) -> None:
    """The next version shows no domain any more."""
    document = agreement()
    del document["clauses"][0]["fields"]["domain"]
    document |= {"version": 2, "previous": hub.core.documents.standing("alder-service").hash}
    hub.core.documents.sign_for(json.dumps(document).encode())


STEPS: dict[str, Step] = {"revoked": state("revoke"), "suspended": state("suspend"), "narrowed": narrow}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town") / "founded")


@pytest.fixture
def hub(town: Town, tmp_path: Path) -> Iterator[Hub]:
    made = town.copy(tmp_path / "data")
    events = [{"uid": n, "event_class": 1, "domain": f"paged-{n:02d}.example", "time": NOW} for n in range(DOMAINS)]
    made.core.intake.accept(town.batch("alder", events))
    yield made
    made.close()


def ask(asker: Asker, resource: str, after: str = "") -> dict[str, Any]:
    query = f"?limit={PAGE}&match[type]=indicator" + (f"&next={after}" if after else "")
    given = asker.send(Call(f"{HOME}/{resource}/{query}", headers=TAXII))
    assert given.status == 200, given
    return dict(msgspec.json.decode(given.body))


def rest(asker: Asker, resource: str, page: dict[str, Any]) -> list[dict[str, Any]]:
    """Every later page."""
    pages = []
    while page.get("more"):
        page = ask(asker, resource, page["next"])
        pages.append(page)
    return pages


def domains(pages: Any) -> set[str]:
    return set(re.findall(r"paged-\d\d", json.dumps(pages)))


def ids(pages: list[dict[str, Any]]) -> set[str]:
    return {o["id"] for page in pages for o in page.get("objects", ())}


@pytest.mark.parametrize("step", STEPS)
def test_a_later_page_never_shows_what_was_taken_back_after_the_first(hub: Hub, town: Town, step: str) -> None:
    asker = Asker(hub.app(), town, "birch", token=True)
    with asker.client:
        first = ask(asker, "objects")
        assert first["more"]
        assert len(domains(first)) == PAGE
        STEPS[step](hub)
        later = rest(asker, "objects", first)
        anew = ask(asker, "objects")
        again = [anew, *rest(asker, "objects", anew)]
    for pages in (later, again):
        assert domains(pages) <= domains(first), "only what the first page had given away may be named again"
        assert all(o.get("revoked") for page in pages for o in page.get("objects", ()))
    assert ids(again) == ids([first]), "what was handed over is told to be revoked"


@pytest.mark.parametrize("step", STEPS)
def test_nor_does_a_later_page_of_the_manifest(hub: Hub, town: Town, step: str) -> None:
    asker = Asker(hub.app(), town, "birch", token=True)
    with asker.client:
        first = ask(asker, "manifest")
        assert first["more"]
        STEPS[step](hub)
        later = rest(asker, "manifest", first)
    assert not ids(later) - ids([first]), "an id that was not listed before is not listed now"


def test_without_such_a_step_later_pages_show_the_rest(hub: Hub, town: Town) -> None:
    asker = Asker(hub.app(), town, "birch", token=True)
    with asker.client:
        first = ask(asker, "objects")
        later = rest(asker, "objects", first)
    assert len(domains([first, *later])) == DOMAINS
