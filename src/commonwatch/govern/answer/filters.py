"""A Filter as predicates: on shown columns (what decides), and on stored ones (what that implies, for speed only).

Rules held here: readers filter on what they are shown; a value nobody was shown matches nothing, it is never dropped;
`not` keeps rows where the dimension is withheld or empty; tokens are brought back to held values under every key in
scope, one-time tokens never match.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlglot import exp

from commonwatch.errors import InvalidInput
from commonwatch.events.address import Address, Scope, from_packed, network_of, parse, signed64
from commonwatch.events.rungs import DAY, HOUR, MINUTE
from commonwatch.govern.answer.dims import ABSENT_TEXT, ALIASES, DIMS, WITHHELD_TEXT, Dim, column, granted
from commonwatch.govern.answer.tokens import Vault
from commonwatch.govern.decide.decisions import FOREVER
from commonwatch.govern.decide.shown import BITS_OF, COUNTRY, SCOPE
from commonwatch.govern.decide.table import Table
from commonwatch.govern.query import Area, Constraint, Filter, Interval
from commonwatch.govern.relation import Window, number, raw_column
from commonwatch.store.layout import PORT_CODES

_SPAN = re.compile(r"([1-9][0-9]{0,4})(m|h|d|w)\Z")
_UNITS = {"m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_MOST_VALUES = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Names = Callable[[Dim], Iterable[tuple[int, str]]]


class Predicates(msgspec.Struct):
    """`shown` decides; `raw` and `window` follow from it; `needs` are the relation columns `shown` reads."""

    shown: list[exp.Expr]
    raw: list[exp.Expr]
    needs: list[str]
    window: Window


class Compiling(msgspec.Struct):
    """What compiling a filter needs. `names` gives the held (token number, name) pairs of a dimension in scope."""

    table: Table
    vault: Vault
    watermark: int
    names: Names


def predicates(found: Filter, by: Compiling) -> Predicates:
    """The predicates of a filter. Raises InvalidInput with a path for what cannot be answered."""
    _refuse_other_bases(found)
    made = Predicates([], [], [], Window())
    start, end = interval(found.time, by.watermark)
    if start > -FOREVER or end < FOREVER:
        made.needs.append("time")
        time = column("time")
        made.shown += [exp.GTE(this=time, expression=number(start)), exp.LT(this=time.copy(), expression=number(end))]
        made.window = Window(start, end + by.table.coarsest)
    for key, constraint in sorted(found.dims.items()):
        _dimension(key, constraint, by, made)
    if found.area:
        _area(found.area, made)
    return made


def interval(time: Interval | None, watermark: int) -> tuple[int, int]:
    """Half-open instants in microseconds of a filter's time; `last` counts back from the watermark."""
    if time is None:
        return -FOREVER, FOREVER
    if time.last:
        span = _SPAN.match(time.last)
        if not span:
            raise InvalidInput("not a span of time", where="filter.time.last", todo="write for example 24h or 7d")
        return watermark - int(span[1]) * _UNITS[span[2]], watermark + MINUTE
    start, end = _instant(time.start, "filter.time.from"), _instant(time.end, "filter.time.to")
    if start >= end:
        raise InvalidInput("this interval is empty", where="filter.time", todo="let it begin before it ends")
    return start, end


def _instant(text: str, where: str) -> int:
    """Microseconds since 1970 of an RFC 3339 instant, exactly."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = datetime.min  # noqa: DTZ901 - a mark for "no instant", refused below
    if found.tzinfo is None:
        todo = "write for example 2026-11-19T06:00:00Z"
        raise InvalidInput("not an instant with its time zone", where=where, todo=todo)
    return (found - _EPOCH) // timedelta(microseconds=1)


def _refuse_other_bases(found: Filter) -> None:
    for name, given, known in (("basis", found.basis, "exact"), ("measure", found.measure, "events")):
        if given != known:
            raise InvalidInput("this hub has no such basis or measure", where=f"filter.{name}", todo=f"use {known}")
    if found.alert:
        raise InvalidInput("alerts cannot be filtered on here", where="filter.alert", todo="leave it out")


def _dimension(key: str, constraint: Constraint, by: Compiling, made: Predicates) -> None:
    where = f"filter.dims.{key}"
    dim = DIMS.get(ALIASES.get(key, key))
    if dim is None:
        raise InvalidInput("no such dimension", where=where, todo=f"use one of {', '.join(DIMS)}")
    values = constraint.within if constraint.within is not None else constraint.outside
    if not values or (constraint.within is None) == (constraint.outside is None) or len(values) > _MOST_VALUES:
        raise InvalidInput("give either `in` or `not`, with 1 to 1,000 values", where=where, todo="drop or mend it")
    made.needs += [*dim.needs, *dim.flags]
    test = exp.or_(*_tests(dim, sorted(set(values)), by, made, within=constraint.within is not None))
    made.shown.append(
        test if constraint.within is not None
        else exp.Not(this=exp.Coalesce(this=exp.paren(test), expressions=[exp.false()]))
    )  # fmt: skip


def _tests(dim: Dim, values: Sequence[str], by: Compiling, made: Predicates, *, within: bool) -> list[exp.Expr]:
    """Alternatives, any of which makes a row match; never empty."""
    tests: list[exp.Expr] = []
    plain = [v for v in values if v not in (WITHHELD_TEXT, ABSENT_TEXT)]
    if WITHHELD_TEXT in values and dim.field:
        tests.append(exp.Not(this=granted(dim)))
    if ABSENT_TEXT in values:
        tests.append(exp.and_(granted(dim), *(exp.Is(this=column(c), expression=exp.null()) for c in dim.columns)))
    found = _VALUES[dim.shape](dim, plain, by) if plain else []
    if within and not tests and found:
        _imply(dim, plain, made)
    return [*tests, *found] or [exp.false()]


def _in(this: exp.Expr, values: Sequence[exp.Expr]) -> list[exp.Expr]:
    if not values:
        return []
    return [
        exp.EQ(this=this, expression=values[0]) if len(values) == 1 else exp.In(this=this, expressions=list(values))
    ]


def _code(dim: Dim, values: Sequence[str], by: Compiling) -> list[exp.Expr]:
    shown = [by.vault.text(t) for t in by.table.texts[dim.key]]
    return _in(column(dim.key), [number(i) for i, text in enumerate(shown) if text in values])


def _enum(dim: Dim, values: Sequence[str], _: Compiling) -> list[exp.Expr]:
    numbers = {word: no for no, word in dim.words.items()}
    known = [numbers[v] if v in numbers else int(v) for v in values if v in numbers or (v.isdecimal() and len(v) < 6)]
    return _in(column(dim.columns[0]), [number(n) for n in known])


def _text(dim: Dim, values: Sequence[str], _: Compiling) -> list[exp.Expr]:
    literals = [exp.Literal.string(v) for v in values]
    columns = [column(c) for c in dim.columns]
    this = columns[0] if len(columns) == 1 else exp.Coalesce(this=columns[0], expressions=list(columns[1:]))
    return _in(this, literals)


def _port(dim: Dim, values: Sequence[str], _: Compiling) -> list[exp.Expr]:
    codes = {text: code for code, text in PORT_CODES.items()}
    known = [codes[v] if v in codes else int(v) for v in values if v in codes or (v.isdecimal() and len(v) < 6)]
    return _in(column(dim.columns[0]), [number(n) for n in known])


def _list(dim: Dim, values: Sequence[str], _: Compiling) -> list[exp.Expr]:
    return [exp.ArrayContains(this=column(dim.columns[0]), expression=exp.Literal.string(v)) for v in values]


def _hash(dim: Dim, values: Sequence[str], _: Compiling) -> list[exp.Expr]:
    digests = [v.lower() for v in values if re.fullmatch(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}", v)]
    columns = [column(c) for c in dim.columns]
    this = exp.Coalesce(this=columns[0], expressions=list(columns[1:]))
    return _in(this, [exp.Unhex(this=exp.Literal.string(d)) for d in digests])


def _name(dim: Dim, values: Sequence[str], by: Compiling) -> list[exp.Expr]:
    key = column(dim.keyed or "")
    literals = [exp.Literal.string(v) for v in values]
    tests: list[exp.Expr] = []
    for name in dim.columns:
        plain = exp.Is(this=key.copy(), expression=exp.null())
        tests.append(exp.and_(plain, *_in(column(name), [x.copy() for x in literals])))
    wanted = {v for v in values if v.startswith(f"{dim.key}_")}
    if wanted:
        for no, held in by.vault.matching_names(wanted, by.names(dim)):
            for name in dim.columns:
                same = exp.EQ(this=column(name), expression=exp.Literal.string(held))
                tests.append(exp.and_(exp.EQ(this=key.copy(), expression=number(no)), same))
    return tests


def _address(dim: Dim, values: Sequence[str], by: Compiling) -> list[exp.Expr]:
    return [test for v in values for test in _one_address(dim, v, by)]


def _one_address(dim: Dim, text: str, by: Compiling) -> list[exp.Expr]:
    side = dim.key[:3]
    key = column(dim.keyed or "")
    plain = exp.Is(this=key, expression=exp.null())
    token = by.vault.held_addresses(text, dim.key)
    if token is not None:
        pairs, beside, word = token
        suffix = _beside(side, beside, word)
        return [exp.and_(_pairs(key, side, pairs), *suffix)] if pairs and suffix is not None else []
    if text in {s.word for s in Scope}:
        return [exp.and_(plain, _rung(side, SCOPE), _same(f"{side}_scope", number(Scope[text.upper()].value)))]
    if re.fullmatch(r"[A-Z]{2}", text):
        return [exp.and_(plain, _rung(side, COUNTRY), _same(f"{side}_country", exp.Literal.string(text)))]
    found = _network(text)
    if found:
        return [exp.and_(plain, *_halves(f"{side}_net", found))]
    try:
        return [exp.and_(plain, *_halves(f"{side}_ip", parse(text)))]
    except ValueError:
        return []


def _beside(side: str, beside: str | None, word: str | None) -> list[exp.Expr] | None:
    """What must hold beside a token: its network, country or scope. None when that is not a thing that is shown."""
    if word:
        known = word in {s.word for s in Scope}
        return [_rung(side, SCOPE), _same(f"{side}_scope", number(Scope[word.upper()].value))] if known else None
    if beside is None:
        return [exp.Is(this=column(f"{side}_net_hi"), expression=exp.null()), exp.or_(_rung(side, 0), _rung(side, 2))]
    if (found := _network(beside)) is not None:
        return _halves(f"{side}_net", found)
    return [_rung(side, COUNTRY), _same(f"{side}_country", exp.Literal.string(beside))]


def _rung(side: str, rung: int) -> exp.Expr:
    return _same(f"{side}_rung", number(rung))


def _same(name: str, value: exp.Expr) -> exp.Expr:
    return exp.EQ(this=column(name), expression=value)


def _halves(name: str, address: Address) -> list[exp.Expr]:
    return [_same(f"{name}_hi", number(address.hi)), _same(f"{name}_lo", number(address.lo))]


def _network(text: str) -> Address | None:
    """The /24 or /48 a text names, or None."""
    base, slash, length = text.partition("/")
    try:
        address = parse(base)
    except ValueError:
        return None
    fits = slash and length == ("24" if address.is_v4 else "48") and network_of(address) == address
    return address if fits else None


def _pairs(key: exp.Expr, side: str, pairs: Sequence[tuple[int, int, int]]) -> exp.Expr:
    """(token number, hi, lo) is one of the pairs."""
    this = exp.Tuple(expressions=[key.copy(), column(f"{side}_ip_hi"), column(f"{side}_ip_lo")])
    return exp.In(this=this, expressions=[exp.Tuple(expressions=[number(n) for n in pair]) for pair in pairs])


_VALUES: dict[str, Callable[[Dim, Sequence[str], Compiling], list[exp.Expr]]] = {
    "code": _code, "enum": _enum, "text": _text, "port": _port, "list": _list, "hash": _hash, "name": _name,
    "address": _address,
}  # fmt: skip


def _imply(dim: Dim, values: Sequence[str], made: Predicates) -> None:
    """What a shown value says about the stored ones: one of the stored forms equals it."""
    if dim.shape != "text" or len(dim.columns) != 1:
        return
    stored = [bit.stored for bit in BITS_OF[dim.columns[0]]]
    literals = [exp.Literal.string(v) for v in values]
    made.raw.append(exp.or_(*(t for s in stored for t in _in(raw_column(s), [x.copy() for x in literals]))))


def _area(area: Area, made: Predicates) -> None:
    """Rows whose shown source or destination lies in a network: exact addresses, or networks inside it."""
    try:
        net = ipaddress.ip_network(area.net)
    except ValueError:
        todo = "write for example 203.0.113.0/24"
        raise InvalidInput("not a network", where="filter.area.net", todo=todo) from None
    low, high = _ends(net)
    tests = []
    for side, key in (("src", "k_src_ip"), ("dst", "k_dst_ip")):
        made.needs += [key, *(f"{side}_{part}_{half}" for part in ("ip", "net") for half in ("hi", "lo"))]
        shown = [_between(f"{side}_ip", low, high)]
        if net.prefixlen <= (24 if net.version == 4 else 48):
            shown.append(_between(f"{side}_net", low, high))
        tests.append(exp.and_(exp.Is(this=column(key), expression=exp.null()), exp.or_(*shown)))
    made.shown.append(exp.or_(*tests))


def _ends(net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> tuple[Address, Address]:
    if net.version == 4:
        return parse(str(net.network_address)), parse(str(net.broadcast_address))
    return from_packed(net.network_address.packed), from_packed(net.broadcast_address.packed)


def _between(name: str, low: Address, high: Address) -> exp.Expr:
    """Signed halves, prefix networks: either the high half is one value, or the low half is free."""
    hi, lo = column(f"{name}_hi"), column(f"{name}_lo")
    if low.hi == high.hi:
        bounds = [(low.lo, high.lo)] if low.lo <= high.lo else [(signed64(1 << 63), high.lo), (low.lo, (1 << 63) - 1)]
        return exp.and_(exp.EQ(this=hi, expression=number(low.hi)), exp.or_(*(_range(lo, a, b) for a, b in bounds)))
    if low.hi <= high.hi:
        return _range(hi, low.hi, high.hi)
    return exp.or_(_range(hi, signed64(1 << 63), high.hi), _range(hi, low.hi, (1 << 63) - 1))


def _range(this: exp.Expr, low: int, high: int) -> exp.Expr:
    return exp.and_(
        exp.GTE(this=this.copy(), expression=number(low)), exp.LTE(this=this.copy(), expression=number(high))
    )
