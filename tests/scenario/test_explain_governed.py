"""Explaining through govern: planted causes are found in stored events, by the level shown, and recorded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from commonwatch.detect.explain.asking import Explained, Explainer
from commonwatch.errors import InvalidInput
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.query import Area, Compare, Constraint, Filter, Interval
from commonwatch.govern.service import Govern
from commonwatch.govern.taken import Taken
from commonwatch.store import Store
from doubles.govern import DAY, EXACT, NOW, Keys, Log, Policy, batch, documents, org, reader, share, to

ORGS = [f"org{n:02}" for n in range(40)]
FAMILIES = ("emotet", "qakbot", "icedid", "lokibot", "remcos", "dridex", "ursnif", "formbook", "redline", "vidar")
START = (NOW - DAY) // DAY * DAY
SELECTED = Filter(time=Interval(instant_text(START), instant_text(START + DAY)))
FIELDS = {
    "time": "exact", "owner": "exact", "malware": "exact", "dst_port": "exact", "src_ip": "exact",
    "severity": "exact", "owner_sector": "exact", "signature": "exact",
}  # fmt: skip
Events = list[dict[str, Any]]


class Kept(Log):
    """A log that keeps what was taken in."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Taken] = []

    def decided(self, reader: Any, kind: str, detail: Any, taken: Any = None) -> None:
        super().decided(reader, kind, detail)
        self.taken += [taken] if taken else []


def quiet(rng: random.Random) -> Events:
    """Five weeks of an organisation: a few incidents a day, some in bursts."""
    made = []
    for day in range(35):
        for _ in range(rng.randrange(1, 4)):
            one = {
                "time": START + DAY - day * DAY - rng.randrange(1, DAY), "event_class": 1, "tlp": 1,
                "severity_id": rng.randrange(1, 5), "malware_family": rng.choice(FAMILIES),
                "dst_port": rng.choice((22, 25, 80, 110, 443, 445, 1433, 3306, 3389, 8080)), "src_ip": f"203.0.113.{rng.randrange(250)}",
                "rule_category": rng.choice(("scan", "trojan", "policy")),
            }  # fmt: skip
            made += [one] * rng.choice((1, 1, 1, 30))
    return made


def planted(rng: random.Random) -> Events:
    return [
        {"time": START + rng.randrange(DAY), "event_class": 1, "tlp": 1, "severity_id": rng.randrange(1, 5), "dst_port": 445,
         "malware_family": "emotet", "src_ip": f"203.0.113.{rng.randrange(250)}", "rule_category": rng.choice(("scan", "trojan", "policy"))}
        for _ in range(3)
    ]  # fmt: skip


def community(folder: Path, log: Log, **levels: str) -> Govern:
    store = Store.open(folder, memory_limit="512MB", threads=1)
    everyone = [documents(name, share("main", to("mssp"), FIELDS | levels)) for name in ORGS]
    for number, name in enumerate(ORGS):
        rng = random.Random(number)
        events = quiet(rng) + (planted(rng) if number < 26 else [])
        rows = [{**e, "event_uid": rng.randbytes(16)} for e in events]
        store.append(batch(name, rows, uid=number + 1, profiles=(EXACT,)))
    orgs = [org(name, sector="Q86" if n % 2 else "C10") for n, name in enumerate(ORGS)]
    policy = Policy(everyone, [org("mssp", "mssp"), *orgs])
    return Govern(store, policy, Keys(), log, secret=b"s" * 32)


@pytest.fixture(scope="module")
def log() -> Kept:
    return Kept()


@pytest.fixture(scope="module")
def govern(tmp_path_factory: pytest.TempPathFactory, log: Kept) -> Govern:
    return community(tmp_path_factory.mktemp("store"), log)


def explain(govern: Govern, found: Filter, **more: Any) -> Explained:
    return Explainer(govern).explain(reader(), Compare(filter=found, **more))


def test_a_planted_cause_comes_first_in_plain_words(govern: Govern) -> None:
    found = explain(govern, SELECTED)
    first = found.findings[0]
    assert {(v.dim, v.value) for v in first.values} == {("family", "emotet"), ("dst_port", "445")}
    assert first.more
    assert first.organisations >= 26
    assert first.p <= found.fdr == 0.01
    assert first.text.startswith(f"{first.organisations} organisations, ")
    assert first.text.endswith("malware family emotet with destination port 445")
    assert found.against == "prev4w"
    assert found.selection.incidents < found.selection.events, "bursts are single incidents"


def test_the_filter_of_a_finding_finds_its_events(govern: Govern) -> None:
    first = explain(govern, SELECTED).findings[0]
    chips = {v.dim: Constraint(within=(v.value,)) for v in first.values}
    narrowed = Filter(time=SELECTED.time, dims=chips)
    with_only = explain(govern, narrowed)
    assert with_only.selection.organisations == first.organisations
    assert with_only.selection.incidents == first.incidents


@pytest.mark.parametrize("base", ["rest", "prev4w", Interval(instant_text(START - 8 * DAY), instant_text(START - DAY))])
def test_every_baseline_finds_it(govern: Govern, base: Any) -> None:
    found = explain(govern, Filter(time=SELECTED.time, base=base))
    assert {v.value for v in found.findings[0].values} == {"emotet", "445"}
    assert found.against == (base if isinstance(base, str) else "interval")


def test_a_baseline_filter_of_ones_own_finds_it_too(govern: Govern) -> None:
    before = Filter(time=Interval(instant_text(START - 20 * DAY), instant_text(START + DAY)))
    found = explain(govern, SELECTED, baseline=before)
    assert {v.value for v in found.findings[0].values} == {"emotet", "445"}
    assert found.against == "filter"


def test_days_on_which_nothing_happened_explain_nothing(govern: Govern) -> None:
    for n in range(2, 6):
        day = Filter(time=Interval(instant_text(START - n * DAY), instant_text(START - (n - 1) * DAY)))
        assert [f for f in explain(govern, day).findings if f.more] == []


def test_a_selection_of_organisations_leaves_out_what_they_fix(govern: Govern) -> None:
    found = explain(govern, Filter(dims={"sector": Constraint(within=("Q86",))}))
    assert found.against == "rest"
    assert not {"sector", "region", "size"} & set(found.compared)
    assert found.findings == ()
    by_value = explain(govern, Filter(dims={"family": Constraint(within=("emotet",))}))
    assert "malware family" not in by_value.compared


def test_both_sides_are_all_there_is(govern: Govern) -> None:
    halves = explain(govern, Filter(dims={"dst_port": Constraint(within=("445",))}))
    other = explain(govern, Filter(area=Area("203.0.113.0/25")))
    assert halves.selection.events + halves.baseline.events == other.selection.events + other.baseline.events


def test_selecting_everything_is_refused_with_what_to_do(govern: Govern) -> None:
    with pytest.raises(InvalidInput, match="nothing to compare"):
        explain(govern, Filter())
    with pytest.raises(InvalidInput, match="no weeks before"):
        explain(govern, Filter(base="prev4w", dims={"family": Constraint(within=("emotet",))}))


def test_what_the_answer_took_in_is_recorded_for_every_owner(govern: Govern, log: Kept) -> None:
    log.taken.clear()
    found = explain(govern, SELECTED)
    (taken,) = log.taken
    assert taken.surface == "explore"
    assert taken.query == found.query
    assert {part.owner for part in taken.parts} == set(ORGS)
    assert sum(part.count for part in taken.parts) == found.selection.events + found.baseline.events
    assert {"owner", "time", "malware", "dst_port"} <= taken.parts[0].fields.keys()


def test_the_same_question_has_the_same_answer(govern: Govern) -> None:
    assert explain(govern, SELECTED) == explain(govern, SELECTED)


def test_what_is_not_shown_explains_nothing_and_is_said(tmp_path: Path) -> None:
    """With contributors withheld nobody can be counted; with ports withheld the family alone is left."""
    hidden = explain(community(tmp_path / "a", Log(), owner="withheld"), SELECTED)
    assert hidden.findings == ()
    assert hidden.selection.incidents == 0
    assert hidden.selection.left_out > 0
    assert any("not shown to you" in note for note in hidden.notes)
    coarse = explain(community(tmp_path / "b", Log(), dst_port="withheld", owner="pseudonym"), SELECTED)
    assert "destination port" not in coarse.compared
    assert coarse.selection.organisations == len(ORGS)
