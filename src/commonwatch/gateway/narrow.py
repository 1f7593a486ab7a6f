"""Batches that wait in the spool while the owner's agreements become stricter are brought down before they are sent.

Rules held here: a waiting row leaves at the meet of what it is held at and what the policy now allows, never above; a
row that nothing allows any more is dropped; what cannot be lowered exactly (a token, a generalised value) is withheld;
the batch keeps its number, because the hub may have it already and only the receipt was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import SimpleNamespace
from typing import Any, cast

from commonwatch.agreements.lattice import WITHHELD, Point, meet, parse_point, point_name
from commonwatch.events.address import Address
from commonwatch.events.columns import Column, columns_of, disclosable
from commonwatch.events.event import Event
from commonwatch.events.fields import FIELDS, FieldName
from commonwatch.events.labels import EventClass, Label, Severity, Tlp
from commonwatch.gateway.edge import Cells, Columns, Edge, Table

Profile = Mapping[str, str]


def narrow(
    columns: Mapping[str, Cells], profiles: Sequence[Profile], edge: Edge
) -> tuple[Columns, list[dict[str, str]], int]:
    """Wire columns and held profiles as the edge's policy allows them now, and how many rows were dropped."""
    table = Table()
    keys = [_key(columns, row) for row in range(len(columns["time"]))]
    order = sorted(range(len(keys)), key=lambda row: keys[row])
    dropped = 0
    for (label, number), group in groupby(order, key=lambda row: keys[row]):
        rows = list(group)
        plan = edge.plan(label)
        if plan is None:
            dropped += len(rows)
        else:
            _add(table, edge, label, _lowered(profiles[number], plan.profile), _take(columns, rows))
    return table.columns, table.profiles, dropped


Lowered = tuple[dict[FieldName, str], frozenset[FieldName]]


def _lowered(held: Profile, allowed: Profile) -> Lowered:
    """The points to send at, and which fields of them go on as they are because nothing about them changes."""
    target: dict[FieldName, str] = {}
    kept: set[FieldName] = set()
    for name, text in held.items():
        field = cast("FieldName", name)
        family = FIELDS[field].family
        now: Point = parse_point(family, text)
        to = meet(now, parse_point(family, allowed.get(name, "withheld")))
        if to != WITHHELD and (to == now or text == "exact" or family == "time"):
            target[field] = point_name(family, to)
        if to == now and text != "exact":
            kept.add(field)
    return target, frozenset(kept)


def _add(table: Table, edge: Edge, label: Label, lowered: Lowered, taken: Mapping[str, Cells]) -> None:
    """Add rows: fields that stay as they were are copied, the others are made anew from their exact values."""
    target, kept = lowered
    plan = edge.plan_at(target)
    fresh = edge.plan_at({f: p for f, p in target.items() if f not in kept or f == "time"})
    events = [_event(taken, row, kept) for row in range(len(taken["time"]))]
    table.add(label, plan._replace(columns=fresh.columns, outs=fresh.outs), cast("Sequence[Event]", events))
    for field in kept:
        for name in _wire_names(field):
            if name in taken:
                table.copy(name, taken[name])


def _wire_names(field: FieldName) -> list[str]:
    names: list[str] = []
    for column in columns_of(field):
        stem = column.name.removesuffix("_ip")
        halves = [f"{column.name}_hi", f"{column.name}_lo", f"{stem}_net_hi", f"{stem}_net_lo"]
        names += halves if column.kind == "addr" else [column.name]
    return [n for n in names if n not in {"time", "severity_id"}]


def _event(taken: Mapping[str, Cells], row: int, kept: frozenset[FieldName]) -> SimpleNamespace:
    """The row as far as it is held exactly, in the shape of an event."""
    values = {c.name: None if c.field in kept else _value(c, taken, row) for c in disclosable()}
    return SimpleNamespace(**values | {"event_uid": taken["event_uid"][row], "time": taken["time"][row]})


def _value(column: Column, taken: Mapping[str, Cells], row: int) -> Any:
    if column.kind != "addr":
        cells = taken.get(column.name)
        cell = None if cells is None else cells[row]
        return tuple(cell) if isinstance(cell, list) else cell  # as an event holds it
    high, low = taken.get(f"{column.name}_hi"), taken.get(f"{column.name}_lo")
    if high is None or low is None or high[row] is None:
        return None
    return Address(high[row], low[row])


def _take(columns: Mapping[str, Cells], rows: Sequence[int]) -> dict[str, Cells]:
    return {name: [cells[row] for row in rows] for name, cells in columns.items()}


def _key(columns: Mapping[str, Cells], row: int) -> tuple[Label, int]:
    sites = columns.get("site_uid")
    label = Label(
        EventClass(columns["event_class"][row]),
        Tlp(columns["tlp"][row]),
        Severity(columns["severity_id"][row]),
        (sites[row] if sites else None) or "",
    )
    return label, columns["profile"][row]
