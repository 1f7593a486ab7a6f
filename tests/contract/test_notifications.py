"""Notifications on SQLite and PostgreSQL: with their change or not at all, to the right people, once, and live."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from commonwatch.hub.core import Office
from commonwatch.hub.notifications import notify
from commonwatch.web.ports import NotificationInfo, Principal
from hub_house import NOW, Wall, office


class Hall:
    """A founded community and who reads there."""

    def __init__(self, copied) -> None:
        self.founded = copied.founded
        self.office: Office = office(copied.url, copied.folder, Wall())

    def who(self, org: str) -> Principal:
        link = self.founded.links[f"{org}-admin"].partition("#link=")[2]
        return self.office.accounts.open_with_link(link, None).principal

    def say(self, *orgs: str, subject: str = "acme-service") -> None:
        with self.office.database.write() as session:
            notify(session, NOW, orgs, "suspended", subject, by="acme", held=True)


@pytest.fixture
def hall(copied) -> Iterator[Hall]:
    made = Hall(copied)
    for org in ("acme", "msp", "peer", "cert"):
        made.office.notifications.mark_seen(made.who(org))
    yield made
    made.office.close()


def test_the_organisations_named_are_told_and_nobody_else(hall: Hall) -> None:
    hall.say("acme", "msp")
    (one,) = hall.office.notifications.of(hall.who("acme"), unseen=True)
    assert one.text == "acme suspended acme-service (signed by the hub on behalf of acme)"
    assert hall.office.notifications.unseen(hall.who("msp")) == 1
    assert hall.office.notifications.of(hall.who("peer"), unseen=True) == []


def test_what_is_undone_was_never_said(hall: Hall) -> None:
    with contextlib.suppress(RuntimeError), hall.office.database.write() as session:
        notify(session, NOW, ["acme"], "revoked", "acme-service", by="acme")
        raise RuntimeError
    assert hall.office.notifications.unseen(hall.who("acme")) == 0


def test_each_person_has_its_own_unseen_ones(hall: Hall) -> None:
    hall.office.members.add_person("clerk", "Clerk", "acme")
    clerk = hall.office.accounts.open_with_link(hall.office.members.make_link("clerk"), None).principal
    before = hall.office.notifications.unseen(clerk)
    hall.say("acme")
    assert hall.office.notifications.mark_seen(hall.who("acme")) == 0
    assert hall.office.notifications.unseen(clerk) == before + 1


def test_seeing_by_name_leaves_the_rest_and_touches_nobody_elses(hall: Hall) -> None:
    hall.say("acme", "msp")
    hall.say("acme", subject="other")
    uids = {one.subject: one.uid for one in hall.office.notifications.of(hall.who("acme"), unseen=True)}
    assert hall.office.notifications.mark_seen(hall.who("msp"), list(uids.values())) == 1
    assert hall.office.notifications.mark_seen(hall.who("acme"), [uids["other"]]) == 1


def test_streams_hear_of_each_notification_once(hall: Hall) -> None:
    heard: list[tuple[str, NotificationInfo]] = []
    hall.office.notifications.tell(lambda *_: None)
    hall.say("acme", "msp")
    for _ in range(2):
        hall.office.notifications.tell(lambda org, said: heard.append((org, said)))
    assert [(org, said.kind) for org, said in heard] == [("acme", "suspended"), ("msp", "suspended")]
