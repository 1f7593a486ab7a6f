"""Sums of a preview as people ask for them: by label, by class, by field, with reasons. Pure; numbers are exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from commonwatch.agreements.lattice import WITHHELD, join, point_name
from commonwatch.agreements.reader import Withheld
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import Label
from commonwatch.govern.decide.decisions import Decision
from commonwatch.govern.decide.describe import Best, further
from commonwatch.govern.decide.shown import FIELD_NO
from commonwatch.govern.preview.looking import Lot
from commonwatch.govern.preview.shapes import Because, ClassPreview, FieldPreview, LabelPreview, OwnRows, StayingField
from commonwatch.store import Handling

ByLabel = Mapping[Label, int]
_PLAIN = Withheld("field-not-granted")


def by_label(lots: Iterable[Lot]) -> Counter[Label]:
    """Rows by label."""
    found = Counter[Label]()
    for lot in lots:
        found[lot.handling.label] += lot.rows
    return found


def by_age(found: Mapping[Handling, Mapping[int, int]]) -> list[OwnRows]:
    """Rows by label and age in hours, the most first."""
    merged: dict[Label, Counter[int]] = {}
    for handling, ages in found.items():
        merged.setdefault(handling.label, Counter()).update(ages)
    made = [
        OwnRows(
            event_class=label.event_class.word, tlp=label.tlp.word, severity=label.severity.word, site=label.site,
            rows=ages.total(), by_age=dict(sorted(ages.items())),
        )
        for label, ages in merged.items()
    ]  # fmt: skip
    return sorted(made, key=lambda each: (-each.rows, each.event_class, each.tlp, each.severity, each.site))


def label_preview(label: Label, rows: int, now: int, would: int, why: Sequence[Withheld]) -> LabelPreview:
    """One label; the rows of a reason are known where there is one reason."""
    rest = rows - would
    found = [] if not rest else list(dict.fromkeys(why))
    because = tuple(said(each, rest if len(found) == 1 else None) for each in found)
    return LabelPreview(
        event_class=label.event_class.word, tlp=label.tlp.word, severity=label.severity.word, site=label.site,
        rows=rows, now=now, would=would, because=because,
    )  # fmt: skip


def said(why: Withheld, rows: int | None) -> Because:
    """A reason as the owner is told it: it may read every clause of its own."""
    return Because(reason=why.reason, clause=str(why.clause) if why.clause else None, ask=why.ask, rows=rows)


def row_reason(decision: Decision) -> Withheld:
    """Why a row is not there at all: the reason of the field that came furthest."""
    found: Withheld | None = None
    for reason in decision.reasons.values():
        found = further(found, reason)
    return found or Withheld("not-agreed")


def classes(whole: ByLabel, now: ByLabel, would: ByLabel) -> tuple[ClassPreview, ...]:
    """Rows by event class."""
    words = sorted({label.event_class for label in whole})
    return tuple(
        ClassPreview(
            event_class=word.word,
            rows=_of(word, whole),
            now=_of(word, now),
            would=_of(word, would),
        )
        for word in words
    )


def _of(event_class: int, rows: ByLabel) -> int:
    return sum(n for label, n in rows.items() if label.event_class == event_class)


def points(lots: Iterable[Lot], field: FieldName) -> dict[str, int]:
    """Rows by the named point at which they show a field, most first."""
    found = Counter[str]()
    for lot in lots:
        found[point_name(FIELDS[field].family, lot.decision.levels[FIELD_NO[field]])] += lot.rows
    return dict(found.most_common())


def reasons(lots: Iterable[Lot], field: FieldName) -> Counter[Withheld]:
    """Rows by the reason why they do not show a field."""
    found = Counter[Withheld]()
    for lot in lots:
        if lot.decision.levels[FIELD_NO[field]] == WITHHELD:
            found[lot.decision.reasons.get(field, _PLAIN)] += lot.rows
    return found


def fields(now: Sequence[Lot], would: Sequence[Lot], best: Best) -> tuple[FieldPreview, ...]:
    """Every clause field over the rows a reader sees; where it sees none, the documents' own reason."""
    return tuple(_field(name, now, would, best) for name in FIELDS)


def _field(name: FieldName, now: Sequence[Lot], would: Sequence[Lot], best: Best) -> FieldPreview:
    info, total = FIELDS[name], WITHHELD
    for level in best.levels[name]:
        total = join(total, level)
    found = reasons(would, name)
    if not would and total == WITHHELD:
        found[best.reasons.get(name, Withheld("not-agreed"))] += 0
    return FieldPreview(
        field=name, label=info.label, granted=point_name(info.family, total) if total != WITHHELD else None,
        now=points(now, name), would=points(would, name),
        clauses=tuple(sorted({str(ref) for lot in would for ref in lot.decision.allowed.get(name, ())})),
        because=tuple(said(why, rows) for why, rows in found.most_common()),
    )  # fmt: skip


def staying_fields(readers: Iterable[Sequence[FieldPreview]]) -> tuple[StayingField, ...]:
    """The fields that no reader would be shown in any row, with every reason."""
    found = []
    for same in zip(*readers, strict=True):
        if all(set(each.would) <= {"withheld"} for each in same):
            why = {(b.reason, b.clause): b for each in same for b in each.because}
            because = tuple(Because(reason=reason, clause=clause) for reason, clause in sorted(why, key=str))
            found.append(StayingField(field=same[0].field, label=same[0].label, because=because))
    return tuple(found)
