"""What exceptions do: a draft against the plain template at the same level and values, by effect, not by text.

Rules held here: an effect is named by what is no longer shown, to whom; a limit that cuts nothing is said to have no
effect; two members whose exceptions do the same have equal effects, so that they stand on one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from commonwatch.agreements.document import Agreement, Clause, Count, Limit, Share, ShareRows, levels, named
from commonwatch.agreements.english import phrases
from commonwatch.agreements.english.saying import say_to
from commonwatch.agreements.lattice import WITHHELD, Point, meet, point_name, precision_point
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName

Open = Share | Count


class Effect(msgspec.Struct, frozen=True, order=True):
    """One thing that a draft shows less of than its template, and the clause it concerns."""

    clause: str
    text: str


def effects(draft: Agreement, template: Agreement) -> tuple[Effect, ...]:
    """What `draft` no longer shows of what `template` (the same level, without exceptions) shows; sorted."""
    kept = {clause.id for clause in draft.clauses}
    before = {clause.id for clause in template.clauses}
    gone = [clause for clause in template.clauses if clause.id not in kept and not isinstance(clause, Limit)]
    added = [clause for clause in draft.clauses if isinstance(clause, Limit) and clause.id not in before]
    found = [_gone(clause) for clause in gone]
    for limit in added:
        found += list(_cuts(limit, draft.clauses)) or [Effect(limit.id, "no effect: nothing shown is above this limit")]
    return tuple(sorted(set(found)))


def _gone(clause: Open) -> Effect:
    what = "no counts" if isinstance(clause, Count) else "no events"
    return Effect(clause.id, f"{what} to {say_to(clause.to)} under {clause.id}")


def _cuts(limit: Limit, clauses: Iterable[Clause]) -> Iterator[Effect]:
    """What a limit lowers in the shares and counts of the same agreement."""
    for clause in clauses:
        if not isinstance(clause, Limit) and _meet(limit, clause):
            lowered = list(_lowered(limit, clause))
            if lowered:
                part = "" if _whole(limit) else ", for some of its events or readers"
                yield Effect(clause.id, f"{clause.id} shows less: {'; '.join(lowered)}{part}")


def _meet(limit: Limit, clause: Open) -> bool:
    """Whether the limit may cover rows and readers of the clause (dates and labels that cannot meet are left out)."""
    kind = "counts" if isinstance(clause, Count) else "rows"
    purposes = not limit.purposes or set(limit.purposes) & set(clause.purposes)
    exempt = not limit.outside.empty and _within(clause, limit)
    return limit.on in {kind, "both"} and bool(purposes) and not exempt and _rows_meet(limit, clause.rows)


def _within(clause: Open, limit: Limit) -> bool:
    """Whether everybody the clause names is exempt by name."""
    to, out = clause.to, limit.outside
    return (
        set(to.organisations) <= set(out.organisations)
        and set(to.communities) <= set(out.communities)
        and set(to.roles) <= set(out.roles)
    )


def _rows_meet(limit: Limit, rows: ShareRows) -> bool:
    mine = limit.rows
    return (
        (not mine.events or bool(set(mine.events) & set(rows.events)))
        and (not (mine.sites and rows.sites) or bool(set(mine.sites) & set(rows.sites)))
        and (rows.until is None or mine.after < rows.until)
        and (mine.until is None or rows.after < mine.until)
    )


def _whole(limit: Limit) -> bool:
    """Whether the limit covers everything and binds everybody."""
    bare = Limit(id=limit.id, fields=limit.fields, contributors=limit.contributors, noise=limit.noise, on=limit.on)
    return limit == bare


def _lowered(limit: Limit, clause: Open) -> Iterator[str]:
    """Each field whose level falls, with what is left; larger groups and less noise for counts."""
    caps = levels(limit.fields)
    for field, point in shown(clause).items():
        cap = caps.get(field, point)
        left = meet(point, cap)
        if left != point:
            name = point_name(FIELDS[field].family, left if isinstance(clause, Share) else Point(left.precision, 0))
            yield f"{phrases.LABELS[field]} {phrases.levels()[name]}"
    if isinstance(clause, Count):
        if (limit.contributors or 0) > clause.contributors:
            yield f"groups of at least {limit.contributors} contributors"
        if limit.noise and (clause.noise is None or limit.noise.epsilon < clause.noise.epsilon):
            yield f"epsilon at most {limit.noise.epsilon}"


def shown(clause: Open) -> dict[FieldName, Point]:
    """The fields of a share, or the dimensions of a count, with their points."""
    if isinstance(clause, Share):
        return {field: point for field, point in levels(clause.fields).items() if point != WITHHELD}
    steps = named(clause.by).items()
    return {f: precision_point(FIELDS[f].family, FAMILIES[FIELDS[f].family].precisions.index(s)) for f, s in steps}


class Group(msgspec.Struct, frozen=True):
    """Members whose exceptions have the same effects."""

    effects: tuple[Effect, ...]
    owners: tuple[str, ...]


def group(found: Sequence[tuple[str, tuple[Effect, ...]]]) -> tuple[Group, ...]:
    """Owners by equal effects, the most common first; owners without any are left out."""
    by: dict[tuple[Effect, ...], list[str]] = {}
    for owner, listed in found:
        if listed:
            by.setdefault(listed, []).append(owner)
    return tuple(Group(e, tuple(o)) for e, o in sorted(by.items(), key=lambda pair: (-len(pair[1]), pair[0])))
