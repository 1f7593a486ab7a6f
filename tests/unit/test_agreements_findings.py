"""Every kind of finding, planted in a document by hand: it is found at its path, with a case, and not without the plant."""

from __future__ import annotations

from typing import Any

import pytest

from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import Charter, CommunityCharter, Duties
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.impact.changes import impact
from commonwatch.agreements.impact.findings import KINDS, Finding, lint, lint_all
from commonwatch.agreements.impact.placing import with_document
from commonwatch.agreements.impact.world import Member, Plan, World

SIZES = ("micro", "small")
WORLD = World(
    (
        Member("alder", ("sme",), ("valley",), "Q86", "DE-BY", "small"),
        *(Member(f"peer-{n}", ("sme",), ("valley",), "Q87", "DE-BE", SIZES[n % 2]) for n in range(6)),
        Member("birch", ("mssp",)),
        Member("cedar", ("cert",)),
    ),
    ("valley", "quiet"),
    known=True,
    sites={"alder": ("branch",)},
    plans=(Plan("tier one", 20, 2.2),),
    terms={"valley": Duties(actions="internal")},
)


def share(name: str = "main", **changes: Any) -> dict[str, Any]:
    """A share to birch that nothing is wrong with."""
    rows = {"events": ["malware"], "tlp": "amber"}
    plain = {
        "kind": "share", "id": name, "to": {"organisations": ["birch"]}, "purposes": ["operate"], "rows": rows,
        "fields": {"time": "hour", "src_ip": "network"},
    }  # fmt: skip
    return plain | changes


def limit(name: str = "cap", **changes: Any) -> dict[str, Any]:
    return {"kind": "limit", "id": name, "fields": {"src_ip": "country"}} | changes


def count(**changes: Any) -> dict[str, Any]:
    rows = {"events": ["malware"], "tlp": "amber"}
    return {
        "kind": "count", "id": "picture", "to": {"communities": ["valley"]}, "purposes": ["detect"], "rows": rows,
        "by": {"time": "day"}, "contributors": 20, "noise": {"epsilon": 2.2},
    } | changes  # fmt: skip


def agreement(*clauses: dict[str, Any], name: str = "one", **changes: Any) -> Any:
    """An agreement of alder with these clauses."""
    return convert(
        {
            "dsa": "1", "id": name, "version": 1, "title": "One", "starts": "2026-01-01", "ends": "2027-01-01",
            "parties": [{"id": "alder", "name": "Alder", "role": "owner", "key": "k" * 43}], "clauses": list(clauses),
        } | changes
    )  # fmt: skip


def charter(*limits: dict[str, Any], community: str | None = None) -> Charter | CommunityCharter:
    signer = {"id": "cedar" if community else "alder", "name": "A", "key": "k" * 43}
    head = {"version": 1, "title": "Ours", "clauses": list(limits)}
    if community:
        return convert({"community-charter": "1", "id": "terms", "community": community, "steward": signer} | head)  # type: ignore[return-value]
    return convert({"charter": "1", "id": "ceiling", "owner": signer} | head)  # type: ignore[return-value]


def found(document: Any, *beside: Any, world: World = WORLD) -> list[Finding]:
    """The findings about a document among others."""
    docs = OwnerDocuments("alder", ())
    for other in beside:
        docs = with_document(docs, other)
    return lint(document, docs, world)


def kinds(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(f.kind, f.path) for f in findings}


def test_a_document_with_nothing_wrong_has_no_findings() -> None:
    assert found(agreement(share())) == []


PLANTED: list[tuple[str, str, Any]] = [
    ("never-applies", "$.clauses[0].to", agreement(share(to={}))),
    ("never-applies", "$.clauses[0].to", agreement(share(to={"organisations": ["alder"]}))),
    ("never-applies", "$.clauses[0].purposes", agreement(share(to={"organisations": ["cedar"]}))),
    ("never-applies", "$.clauses[1].outside",
     agreement(share(), limit(outside={"organisations": ["birch", "cedar"], "communities": ["valley"], "roles": ["mssp"]}))),
    ("idle-purpose", "$.clauses[0].purposes", agreement(share(to={"roles": ["cert"]}, purposes=["operate", "detect"]))),
    ("nobody-yet", "$.clauses[0].to", agreement(share(to={"communities": ["quiet"]}))),
    ("unknown-organisation", "$.clauses[0].to.organisations", agreement(share(to={"organisations": ["birch", "brich"]}))),
    ("unknown-community", "$.clauses[1].outside.communities", agreement(share(), limit(outside={"communities": ["vale"]}))),
    ("unknown-community", "$.community", agreement(share(), community="vale")),
    ("unknown-site", "$.clauses[0].rows.sites",
     agreement(share(rows={"events": ["malware"], "tlp": "amber", "sites": ["brunch"]}))),
    ("contradiction", "$.clauses[0].fields", agreement(share(), limit())),
    ("cut-by-limit", "$.clauses[0].fields", agreement(share(), limit(rows={"from_tlp": "amber"}))),
    ("limit-covers-nothing", "$.clauses[1]", agreement(share(), limit(fields={"user": "withheld"}))),
    ("nothing-to-count", "$.clauses[0]", agreement(count(), limit(fields={"time": "withheld"}))),
    ("contained", "$.clauses[1]", agreement(share(), share("again", fields={"time": "day", "src_ip": "country"}))),
    ("below-every-plan", "$.clauses[0].noise", agreement(count(noise={"epsilon": 1.0}))),
    ("duties-clash", "$.duties", agreement(share(), community="valley", duties={"actions": "external-direct"})),
    ("outlives-duties", "$.clauses[0].rows.until", agreement(share(), duties={"delete_after_days": 30})),
    ("small-cell", "$.clauses[0].fields", agreement(share(fields={"owner": "pseudonym", "owner_sector": "exact"}))),
]  # fmt: skip
NO_CASE = {"unknown-organisation", "unknown-community"}


@pytest.mark.parametrize(("kind", "path", "document"), PLANTED, ids=[f"{k}-{n}" for n, (k, _, _) in enumerate(PLANTED)])
def test_what_is_planted_is_found_at_its_path(kind: str, path: str, document: Any) -> None:
    findings = found(document)
    assert (kind, path) in kinds(findings)
    (one,) = [f for f in findings if (f.kind, f.path) == (kind, path)]
    assert one.document == "one"
    nobody = kind == "never-applies" and not path.endswith("purposes")
    assert (one.witness is not None) == (kind not in NO_CASE and not nobody)
    assert one.message
    assert KINDS[one.kind].meaning


def test_a_share_is_cut_by_the_charter_wholly_and_partly() -> None:
    whole = found(agreement(share()), charter(limit()))
    assert [(f.kind, f.path, f.weight) for f in whole] == [("against-charter", "$.clauses[0].fields", "warning")]
    assert "never shown" in whole[0].message
    assert str(whole[0].about[0]) == "ceiling@1#cap"
    part = found(agreement(share()), charter(limit(rows={"from_severity": "high"})))
    assert [(f.kind, f.weight) for f in part] == [("against-charter", "note")]
    assert part[0].witness is not None
    assert part[0].witness.severity in ("unknown", "high")


def test_a_share_is_cut_by_the_charter_of_its_community_alone() -> None:
    terms = charter(limit(), community="valley")
    cut = found(agreement(share(), community="valley", duties={"actions": "internal"}), terms)
    assert {f.kind for f in cut} == {"against-community-charter"}
    assert found(agreement(share()), terms) == []


@pytest.mark.parametrize("useless", [share("again", fields={"time": "day"}), share("void", to={})])
def test_a_clause_of_no_use_is_left_out_at_one_go_and_nobody_loses_anything(useless: dict[str, Any]) -> None:
    whole = agreement(share(), useless)
    (odd,) = [f for f in found(whole) if f.kind in {"contained", "never-applies"}]
    assert odd.fix is not None
    assert odd.fix.text == f"leave out [{useless['id']}]"
    assert [(p.target, p.op, p.path) for p in odd.fix.patches] == [("one", "remove", "/clauses/1")]
    before = with_document(OwnerDocuments("alder", ()), whole)
    told = impact(before, with_document(before, agreement(share())), WORLD)
    assert (told.newly, told.no_longer) == ((), ())


def test_a_limit_that_another_agreement_undercuts_moves_into_the_charter() -> None:
    capped = agreement(share(fields={"src_ip": "network"}), limit())
    open_one = agreement(share("open", fields={"src_ip": "exact"}), name="two")
    (undercut,) = [f for f in found(capped, open_one) if f.kind == "undercut"]
    assert undercut.path == "$.clauses[1]"
    assert (
        "two already shows source address exactly to organisation birch; put this limit into your charter"
        in undercut.message
    )
    assert undercut.fix is not None
    add, remove = undercut.fix.patches
    assert (add.target, add.op, add.path, add.value) == ("charter", "add", "/clauses/-", limit())
    assert (remove.target, remove.op, remove.path) == ("one", "remove", "/clauses/1")
    # applied, nobody is shown src_ip above the limit any more
    docs = with_document(
        with_document(OwnerDocuments("alder", ()), agreement(share(fields={"src_ip": "network"}))), open_one
    )
    after = with_document(docs, charter(add.value))
    told = impact(docs, after, WORLD).no_longer
    assert {s.after for change in told for s in change.fields} == {"country"}


def test_two_agreements_of_one_owner_with_other_duties_for_the_same_rows_clash_and_the_strictest_is_named() -> None:
    mild = agreement(share(), duties={"actions": "internal", "delete_after_days": 90})
    strict = agreement(share("same"), name="two", duties={"actions": "none", "delete_after_days": 30})
    (clash,) = [f for f in found(mild, strict) if f.kind == "duties-clash"]
    assert "take no action on what they receive" in clash.message
    assert "delete it after 30 days" in clash.message
    elsewhere = agreement(
        share("other", to={"organisations": ["cedar"]}, purposes=["detect"]), name="two", duties={"actions": "none"}
    )
    assert "duties-clash" not in {f.kind for f in found(mild, elsewhere)}


def test_a_share_that_another_agreement_shows_as_well_is_noted() -> None:
    both = found(agreement(share()), agreement(share("wider", fields={"time": "exact", "src_ip": "exact"}), name="two"))
    assert ("shown-elsewhere", "$.clauses[0]") in kinds(both)


def test_a_share_is_contained_in_several_together() -> None:
    low = share("low", rows={"events": ["malware"], "tlp": "green"})
    late = share("late", rows={"events": ["malware"], "tlp": "amber", "after": 24})
    young = share("young", rows={"events": ["malware"], "tlp": "amber", "until": 24})
    findings = found(agreement(late, young, low))
    assert [(f.kind, f.path) for f in findings] == [("contained", "$.clauses[2]")]
    assert "together" in findings[0].message
    assert found(agreement(late, low)) == []


def test_unknown_names_are_not_called_so_where_it_is_not_known_who_there_is() -> None:
    document = agreement(share(to={"organisations": ["brich"]}), community="vale")
    assert not {f.kind for f in found(document, world=World())} & {"unknown-organisation", "unknown-community"}


def test_a_crowd_of_five_hides_a_contributor() -> None:
    coarse = agreement(share(fields={"owner": "pseudonym", "owner_sector": "section", "owner_region": "country"}))
    assert "small-cell" not in {f.kind for f in found(coarse)}
    named = agreement(share(fields={"owner": "exact", "owner_sector": "exact"}))
    assert "small-cell" not in {f.kind for f in found(named)}


def test_a_limit_of_a_charter_that_cuts_nothing_is_noted_in_the_charter() -> None:
    ceiling = charter(limit(), limit("spare", fields={"user": "withheld"}))
    docs = with_document(with_document(OwnerDocuments("alder", ()), agreement(share())), ceiling)
    assert [(f.kind, f.path, f.document) for f in lint_all([docs], WORLD) if f.document == "ceiling"] == [
        ("limit-covers-nothing", "$.clauses[1]", "ceiling")
    ]


def test_every_kind_is_planted_somewhere_here() -> None:
    here = {kind for kind, _, _ in PLANTED}
    rest = {"against-charter", "against-community-charter", "undercut", "shown-elsewhere"}
    assert here | rest == set(KINDS)
