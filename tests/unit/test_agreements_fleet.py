"""A fleet at once: drafts for rows, reasons for bad rows, exceptions by effect, and renewal from a newer template."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import canonical, digest
from commonwatch.agreements.document import Fields, Limit, LimitRows, To
from commonwatch.agreements.english import read, say
from commonwatch.agreements.templates import (
    Exceptions,
    check_template,
    decode_template,
    instantiate,
    instantiation_problems,
    template_problems,
)
from commonwatch.agreements.templates.effects import NO_EFFECT, effects
from commonwatch.agreements.templates.fleet import batch, page
from commonwatch.agreements.templates.renewal import outdated, renew
from commonwatch.agreements.templates.template import Template
from commonwatch.errors import InvalidInput
from commonwatch.hub.templates.shipped import shipped

MEMBER = shipped()["sme-member"]
COMMON = {"operator": "harbour", "community": "shield", "starts": "2027-01-01", "ends": "2027-12-31"}
VALUES = {"owner": "acme", **COMMON}
HEAD = "owner,owner_name,sites,without,withhold,level\n"


def problem_paths(**changes):
    values = {k: v for k, v in {**VALUES, **changes}.items() if v is not None}
    return [fault.path for fault in instantiation_problems(MEMBER, 3, values)]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"owner": None}, "$.parameters.owner"),
        ({"operator": None}, "$.parameters.operator"),
        ({"owner": {"id": "Acme!"}}, "$.parameters.owner.id"),
        ({"owner": {"id": "acme", "key": "short"}}, "$.parameters.owner.key"),
        ({"owner": {"id": "acme", "contacts": [{"name": "Ann"}]}}, "$.parameters.owner.contacts[0].reach"),
        ({"sites": ["a b"]}, "$.parameters.sites[0]"),
        ({"starts": "tomorrow"}, "$.parameters.starts"),
        ({"ends": "2026-01-01"}, "$.document.ends"),
        ({"operater": "x"}, "$.parameters.operater"),
        ({"operator": "acme"}, "$.document.parties"),
        ({"community": "for"}, "$.document.community"),
    ],
)
def test_a_bad_parameter_is_named_with_its_path(changes, path):
    assert path in problem_paths(**changes)
    with pytest.raises(InvalidInput):
        instantiate(MEMBER, 3, {k: v for k, v in {**VALUES, **changes}.items() if v is not None})


def test_every_bad_parameter_is_named_at_once():
    assert problem_paths(owner=None, starts="x", community="N", nme="y") == [
        "$.parameters.nme", "$.parameters.owner", "$.parameters.community", "$.parameters.starts",
    ]  # fmt: skip


def test_a_parameter_that_is_not_needed_yet_is_not_used():
    agreement = instantiate(MEMBER, 2, VALUES).agreement
    assert [party.id for party in agreement.parties] == ["acme"]
    assert [p.id for p in instantiate(MEMBER, 3, VALUES).agreement.parties] == ["acme", "harbour"]


def test_an_unknown_level_lists_those_there_are():
    (fault,) = instantiation_problems(MEMBER, 9, VALUES)
    assert fault.path == "$.level"
    assert "Be counted in the crowd" in fault.todo


def test_effects_say_what_is_no_longer_shown():
    plain = instantiate(MEMBER, 4, VALUES).agreement
    mine = (
        Limit(id="no-sectors", fields=Fields(owner_sector="withheld"), on="counts"),
        Limit(id="old", fields=Fields(src_ip="network"), rows=LimitRows(after=24)),
        Limit(id="idle", fields=Fields(mail_to="withheld")),
        Limit(id="exempt", fields=Fields(host="withheld"), outside=To(organisations=("harbour",))),
    )
    draft = instantiate(MEMBER, 4, VALUES, Exceptions(without=("cert-on-incidents",), limits=mine)).agreement
    said = effects(draft, plain)
    assert any(text.startswith("No longer shown to all CERTs") for text in said)
    assert any("community shield" in text and "source address exactly (now as its network)" in text for text in said)
    assert any(text.startswith("No longer counted to community shield") for text in said)
    assert not any("host name" in text for text in said)
    idle = instantiate(MEMBER, 4, VALUES, Exceptions(limits=mine[2:])).agreement
    assert effects(idle, plain) == NO_EFFECT


def test_a_fleet_gives_a_draft_for_each_good_row_and_a_reason_for_each_bad_one():
    text = HEAD + (
        "alder,Alder Ltd,branch,,,\n"
        "Birch!,Birch,,,,\n"
        "cedar,Cedar,,cert-on-incidents,user host,4\n"
        "\n"
        "dune,Dune,,,usr,\n"
        "elm,Elm,,,,nine\n"
        "fir,Fir,,people,,\n"
        "alder,Alder Ltd,,,,\n"
        "gorse,Gorse,,,,,extra\n"
        "hazel,Hazel,,cert-on-incidents,user host,4\n"
    )
    found = batch(MEMBER, text, 3, COMMON)
    assert [(m.row, m.owner, m.draft.origin.level) for m in found.made] == [
        (2, "alder", 3),
        (4, "cedar", 4),
        (11, "hazel", 4),
    ]
    assert [(f.row, f.owner, f.path) for f in found.faults] == [
        (3, "Birch!", "$.parameters.owner.id"), (6, "dune", "$.withhold"), (7, "elm", "$.level"),
        (8, "fir", "$.exceptions.without[0]"), (9, "alder", "$.id"), (10, "gorse", "$"),
    ]  # fmt: skip
    for one in found.made:
        check(one.draft.agreement, draft=True)
        assert read(say(one.draft.agreement), draft=True) == one.draft.agreement
    (group,) = found.exceptions
    assert group.owners == ("cedar", "hazel")
    assert [text.partition(",")[0] for text in group.effects] == [
        "No longer shown to organisation harbour", "No longer shown to all CERTs",
    ]  # fmt: skip
    text = page(found)
    assert "3 drafts, 1 of them as the template says" in text
    assert "- 2: cedar, hazel" in text
    assert "row 3 (Birch)" in text


def test_a_misspelt_column_refuses_the_file():
    with pytest.raises(InvalidInput, match="'witout' is not known") as caught:
        batch(MEMBER, "owner,witout\nalder,cert-on-incidents\n", 4, COMMON)
    assert "without" in caught.value.todo


def test_files_of_spreadsheets_are_read():
    found = batch(
        MEMBER, '\ufeffOwner;Owner_name;Owner_contact;Owner_reach\r\nalder;"Alder; & Söhne";Ann;+49 1\r\n', 2, COMMON
    )
    (party,) = found.made[0].draft.agreement.parties
    assert party.name == "Alder; & Söhne"
    assert party.contacts[0].reach == "+49 1"


@pytest.mark.parametrize("text", ["", "\n", "owner\n", "\x00", 'owner\n"', "owner\n" + "x," * 500])
def test_no_file_breaks_it(text):
    with contextlib.suppress(InvalidInput):
        assert not batch(MEMBER, text, 2, COMMON).made


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda t: t["levels"].reverse(), "$.levels"),
        (lambda t: t["parameters"].pop(0), "$.parameters"),
        (lambda t: t["parameters"].append(dict(t["parameters"][0])), "$.parameters[4].name"),
        (lambda t: t["parameters"][2].update(level=4), "$.clauses[3].clause.to.organisations"),
        (lambda t: t["parameters"].pop(1), "$.clauses[1].clause.to.communities"),
        (lambda t: t["clauses"][2].update(level=7), "$.clauses[2].level"),
        (lambda t: t["clauses"][2].update(last=1), "$.clauses[2].last"),
        (lambda t: t["clauses"][5].update(level=4, clause={"kind": "limit", "id": "late", "fields": {"src_ip": "scope"}}), "$.levels[4]"),
        (lambda t: t["clauses"].append(dict(t["clauses"][0])), "$.levels[0]"),
        (lambda t: t["clauses"][2].update(last=2), "$.levels[3]"),
        (lambda t: t.update(community="shield"), "$.parameters"),
    ],
)  # fmt: skip
def test_a_faulty_template_is_refused_with_its_path(change, path):
    plain = msgspec.json.decode(msgspec.json.encode(MEMBER))
    change(plain)
    template = decode_template(plain)
    assert path in [fault.path for fault in template_problems(template)]
    with pytest.raises(InvalidInput):
        check_template(template)


def newer(**changes) -> Template:
    plain = msgspec.json.decode(msgspec.json.encode(MEMBER)) | {"version": 2, **changes}
    plain["clauses"][2]["clause"]["fields"]["url"] = "site"
    return decode_template(plain)


def test_a_newer_template_drafts_the_next_version_and_keeps_what_was_agreed():
    values = {
        **VALUES,
        "sites": ["branch", "depot"],
        "basis": "Art. 6",
        "owner": {"id": "acme", "name": "Acme", "key": "a" * 43, "contacts": [{"name": "Ann", "reach": "1"}]},
    }
    limit = Limit(id="mine", fields=Fields(host="withheld"))
    signed = instantiate(MEMBER, 4, values, Exceptions(without=("cert-on-incidents",), limits=(limit,))).agreement
    assert outdated(newer(), signed)
    assert not outdated(MEMBER, signed)
    found = renew(newer(), signed, digest(canonical(signed)), MEMBER)
    made = found.draft.agreement
    check(made, draft=True)
    assert (made.version, made.previous) == (2, digest(canonical(signed)))
    assert found.by_hand == ()
    assert made.parties == signed.parties
    assert made.law == signed.law
    assert made.origin == msgspec.structs.replace(signed.origin, version=2)
    assert [c.id for c in made.clauses] == [c.id for c in signed.clauses]
    assert made.clauses[1].fields.url == "site"
    assert made.clauses[1].rows.sites == ("branch", "depot")
    assert (made.starts, made.ends, made.title, made.id) == (signed.starts, signed.ends, signed.title, signed.id)


def test_clauses_rewritten_by_hand_are_named():
    signed = instantiate(MEMBER, 2, VALUES).agreement
    clauses = tuple(
        msgspec.structs.replace(c, fields=Fields(time="hour")) if c.id == "warn-peers" else c for c in signed.clauses
    )
    edited = msgspec.structs.replace(signed, clauses=clauses)
    assert renew(newer(), edited, "0" * 64, MEMBER).by_hand == ("warn-peers",)


def test_what_a_newer_template_asks_more_is_said():
    parameters = [
        *msgspec.json.decode(msgspec.json.encode(MEMBER.parameters)),
        {"name": "auditor", "kind": "member", "ask": "Who audits you?"},
    ]
    found = renew(newer(parameters=parameters), instantiate(MEMBER, 2, VALUES).agreement, "0" * 64)
    assert found.draft is None
    assert [fault.path for fault in found.faults] == ["$.parameters.auditor"]
