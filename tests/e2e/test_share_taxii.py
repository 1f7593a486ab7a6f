"""A stock TAXII 2.1 client over a real socket gets every object once, in order, and nothing of anyone else."""

from __future__ import annotations

import base64
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from litestar import Litestar

from commonwatch.agreements.reader import ClauseRef, Reader
from commonwatch.agreements.terms.iep import Terms
from commonwatch.errors import NotAuthenticated, Unavailable
from commonwatch.hub.publications import PublicationTable
from commonwatch.share.ports import EVER, State
from commonwatch.share.publication import Publications
from commonwatch.share.taxii import MEDIA, collection_id, routes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import stix2
    from taxii2client.v21 import Collection, Server, as_pages

pytestmark = pytest.mark.filterwarnings("ignore")
NOON = 1_790_000_000_000_000
READERS = {
    "cwt_cert": Reader("cert-nord", ("cert",), ("sme-shield",), "detect"),
    "cwt_sme": Reader("bakery", ("sme",), ("sme-shield",), "detect"),
}
HOME = f"/taxii2/hub/collections/{collection_id('Nordic Shield')}/"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    kind: str = "ip"
    value: str
    first_seen: int | None = NOON - 1_000_000
    last_seen: int | None = NOON
    count: int | None = 3
    sources: int | None = 2
    tlp: int = 1
    severity: int | None = 4
    malware: str | None = None
    clauses: tuple[ClauseRef, ...] = (ClauseRef("dsa-1", 1, "attackers"),)
    terms: Terms | None = None


class World:
    def __init__(self) -> None:
        self.epoch, self.down = 1, False
        self.visible: dict[str, list[Seen]] = {}

    def standing(self, reader: Reader) -> State:
        if self.down:
            raise Unavailable("the policy cannot be known")
        return State(self.epoch, 1, EVER)

    def observables(self, reader: Reader, since: int | None, *, origins: Any = None) -> list[Seen]:
        return self.visible.get(reader.org, [])

    def agree(self, org: str, *values: str) -> None:
        self.visible[org] = [Seen(value=v) for v in values]
        self.epoch += 1


def authenticate(request: Any) -> Reader:
    header = request.headers.get("authorization", "")
    scheme, _, rest = header.partition(" ")
    secret = base64.b64decode(rest).decode().partition(":")[2] if scheme == "Basic" else rest
    if secret not in READERS:
        raise NotAuthenticated("no such token", todo="make one under Tokens")
    return READERS[secret]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def url(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    table = PublicationTable(tmp_path_factory.mktemp("taxii") / "publications.sqlite")
    publications = Publications(table, world, "Nordic Shield", clock=lambda: NOON + time.monotonic_ns() // 1_000)
    app = Litestar(list(routes(authenticate, publications)))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
    table.close()


@pytest.fixture(autouse=True)
def clean(world: World) -> None:
    world.down = False
    world.agree("bakery")
    world.agree("cert-nord", *[f"198.51.100.{n}" for n in range(1, 31)])


def get(url: str, path: str, secret: str = "cwt_cert", **headers: str) -> httpx.Response:
    return httpx.get(url + path, headers={"Authorization": f"Bearer {secret}", "Accept": MEDIA, **headers})


def collection(url: str, secret: str = "cwt_cert") -> Collection:
    return Collection(url + HOME, user="anyone", password=secret)


def shown(envelope: dict[str, Any]) -> list[str]:
    return [o["name"] for o in envelope.get("objects", []) if o["type"] == "indicator" and not o.get("revoked")]


def test_a_client_discovers_the_api_root_and_its_collection(url: str):
    server = Server(url + "/taxii2/", user="anyone", password="cwt_cert")
    assert server.default.title == "Nordic Shield"
    assert server.default.versions == [MEDIA]
    (found,) = server.api_roots[0].collections
    assert (found.id, found.can_read, found.can_write) == (collection_id("Nordic Shield"), True, False)
    server.close()


def test_paging_gives_every_object_once_in_order_and_each_parses_strictly(url: str):
    client = collection(url)
    objects = [o for page in as_pages(client.get_objects, per_request=7) for o in page["objects"]]
    ids = [o["id"] for o in objects]
    assert len(ids) == len(set(ids))
    assert len([o for o in objects if o["type"] == "indicator"]) >= 30
    for o in objects:
        stix2.parse(o, allow_custom=False)
    manifest = [o for page in as_pages(client.get_manifest, per_request=7) for o in page["objects"]]
    assert [o["id"] for o in manifest] == ids
    dates = [o["date_added"] for o in manifest]
    assert dates == sorted(set(dates))
    client.close()


def test_added_after_is_strictly_later_and_the_headers_say_where_to_go_on(url: str):
    first = get(url, HOME + "objects/?limit=5")
    assert first.json()["more"] is True
    last = first.headers["X-TAXII-Date-Added-Last"]
    second = get(url, HOME + f"objects/?limit=5&added_after={last}")
    by_token = get(url, HOME + f"objects/?limit=5&next={first.json()['next']}")
    assert second.json() == by_token.json()
    assert second.headers["X-TAXII-Date-Added-First"] > last


def test_filters_match_id_type_version_and_specification(url: str):
    client = collection(url)
    found = client.get_objects(type="indicator")["objects"]
    assert {o["type"] for o in found} == {"indicator"}
    one = client.get_object(found[3]["id"])["objects"]
    assert one == [found[3]]
    assert client.get_objects(id=found[3]["id"])["objects"] == one
    assert client.get_objects(id=found[3]["id"], version=found[3]["modified"])["objects"] == one
    assert client.get_objects(id=found[3]["id"], version="2001-01-01T00:00:00Z") == {}
    assert client.get_objects(spec_version="2.0") == {}
    assert client.object_versions(found[3]["id"])["versions"] == [found[3]["modified"]]
    client.close()


def test_a_revocation_shows_on_the_very_next_page(url: str, world: World):
    client = collection(url)
    kept = "198.51.100.3"
    assert len(shown(client.get_objects(type="indicator"))) == 30
    world.agree("cert-nord", kept)
    objects = client.get_objects(type="indicator")
    assert shown(objects) == [kept]
    assert len([o for o in objects["objects"] if o.get("revoked")]) >= 29
    client.close()


def test_another_reader_gets_nothing_and_cannot_tell_hidden_from_absent(url: str):
    hidden = collection(url).get_objects(type="indicator")["objects"][0]["id"]
    assert shown(collection(url, "cwt_sme").get_objects()) == []
    answers = [get(url, HOME + f"objects/{i}/", "cwt_sme") for i in (hidden, "indicator--" + "0" * 8)]
    assert [a.status_code for a in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert get(url, HOME + f"objects/{hidden}/versions/", "cwt_sme").status_code == 404


def test_who_is_unknown_is_asked_to_authenticate(url: str):
    answer = get(url, "/taxii2/", "cwt_wrong")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert answer.headers["Content-Type"] == MEDIA


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (MEDIA, 200), ("application/taxii+json", 200), ("*/*", 200), ("application/taxii+json; version=2.1", 200),
        ("text/html, application/taxii+json;version=2.1;q=0.5", 200), ("application/json", 406),
        ("application/taxii+json;version=2.0", 406), ("application/vnd.oasis.taxii+json", 406),
    ],
)  # fmt: skip
def test_only_clients_that_accept_taxii_2_1_are_answered(url: str, accept: str, status: int):
    answer = get(url, "/taxii2/hub/", Accept=accept)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == MEDIA


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=x", "limit=-1", "limit=²", "next=zz", "next=%00", "added_after=yesterday", "match[version]=now",
     "match[type]=%27%20OR%201", "added_after=2026-01-01T00:00:00", "limit=9999999999999999999999"],
)  # fmt: skip
def test_a_malformed_query_is_a_clear_400(url: str, query: str):
    answer = get(url, HOME + f"objects/?{query}")
    assert answer.status_code == 400
    assert answer.json()["http_status"] == "400"
    assert answer.json()["description"]


def test_unknown_resources_are_404_and_writing_is_refused(url: str):
    other = "/taxii2/hub/collections/00000000-0000-0000-0000-000000000000/"
    assert get(url, other).status_code == 404
    assert get(url, other + "objects/").status_code == 404
    assert get(url, "/taxii2/hub/status/1/").status_code == 404
    headers = {"Authorization": "Bearer cwt_cert", "Accept": MEDIA, "Content-Type": MEDIA}
    assert httpx.post(url + HOME + "objects/", headers=headers, content=b'{"objects":[]}').status_code == 403


def test_an_unknown_policy_closes_the_server(url: str, world: World):
    world.down = True
    answer = get(url, HOME + "objects/")
    assert answer.status_code == 503
    assert b"198.51.100" not in answer.content


def test_an_empty_collection_is_an_empty_envelope(url: str):
    answer = get(url, HOME + "objects/?match[type]=malware")
    assert (answer.status_code, answer.json()) == (200, {})
    assert Path(HOME).name == collection_id("Nordic Shield")
