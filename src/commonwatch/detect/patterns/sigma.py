"""Sigma rules compiled to tests over events. pySigma reads them; what it read is turned into closures here.

Rules held here: Sigma 2 semantics (strings without regard to case unless `cased`, wildcards, null is absent, lists are
"or"); regular expressions run on RE2, in linear time; what cannot be run is said with its reason, never approximated;
processing pipelines of others are never read.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import re2
from sigma import conditions, types
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule, SigmaCorrelationType
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from commonwatch.detect.patterns.fields import TEXTS, Read, Source, Value, classes, reader
from commonwatch.events.event import Event
from commonwatch.events.labels import EventClass

Test = Callable[[Event], bool]
One = Callable[[str | int | bool], bool]
#: Longest document, most rules in it, deepest condition.
MOST_TEXT, MOST_RULES, DEEPEST = 256 * 1024, 200, 64


class Rule(NamedTuple):
    """A runnable rule: which events it looks at, and the test. `fields` are Sigma's words it needs."""

    id: str
    title: str
    level: str
    tags: tuple[str, ...]
    classes: frozenset[EventClass]
    fields: frozenset[str]
    test: Test


class Ordered(NamedTuple):
    """Rules (by id) that must match in this order for equal values of the group fields, within `span` microseconds."""

    id: str
    title: str
    level: str
    rules: tuple[str, ...]
    group: tuple[Read, ...]
    span: int


class NotRunnable(NamedTuple):
    """A rule that does not run here, and why."""

    id: str
    title: str
    reason: str


Pattern = Rule | Ordered | NotRunnable


class _Refused(Exception):
    """A part of a rule cannot be run; the text says why."""


def read_rules(text: str) -> list[Pattern]:
    """Every rule of a YAML text, in order; what cannot be run says why. Nothing in the text makes this raise."""
    if len(text) > MOST_TEXT:
        return [NotRunnable("", "", f"more than {MOST_TEXT // 1024} KiB of rules in one text")]
    try:
        read = SigmaCollection.from_yaml(text, collect_errors=True)
    except (SigmaError, ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        return [NotRunnable("", "", f"not Sigma: {_first_line(error)}")]
    except Exception as error:
        return [NotRunnable("", "", f"not YAML: {_first_line(error)}")]
    if len(read.rules) > MOST_RULES:
        return [NotRunnable("", "", f"more than {MOST_RULES} rules in one text")]
    return [_read(rule) for rule in read.rules]


def _read(rule: Any) -> Pattern:
    name, title = str(getattr(rule, "id", None) or getattr(rule, "name", None) or ""), str(rule.title or "")
    if rule.errors:
        return NotRunnable(name, title, _first_line(rule.errors[0]))
    try:
        return _sequence(rule, name, title) if isinstance(rule, SigmaCorrelationRule) else _rule(rule, name, title)
    except _Refused as refused:
        return NotRunnable(name, title, str(refused))
    except (SigmaError, re2.error, RecursionError, ValueError) as error:
        return NotRunnable(name, title, _first_line(error))


def _rule(rule: SigmaRule, name: str, title: str) -> Rule:
    if not name:
        raise _Refused("a rule needs an id")
    source = Source(rule.logsource.category or "", rule.logsource.product or "", rule.logsource.service or "")
    within = classes(source)
    if within is None:
        raise _Refused(f"no source here for log source {'/'.join(part for part in source if part) or 'any'}")
    fields: set[str] = set()
    tests = [_condition(c.parsed, fields, 0) for c in rule.detection.parsed_condition]
    return Rule(
        name, title, str(rule.level or "").lower(), tuple(str(tag) for tag in rule.tags), within, frozenset(fields),
        tests[0] if len(tests) == 1 else _any(tests),
    )  # fmt: skip


def _sequence(rule: SigmaCorrelationRule, name: str, title: str) -> Ordered:
    if rule.type != SigmaCorrelationType.TEMPORAL_ORDERED:
        raise _Refused(f"correlations of type {rule.type.name.lower()} do not run here, only temporal_ordered")
    stages = tuple(str(reference.reference) for reference in rule.rules or ())
    if not name or len(stages) < 2 or rule.timespan is None:
        raise _Refused("an ordered correlation needs an id or name, two rules and a timespan")
    if rule.aliases.aliases:
        raise _Refused("aliases of fields do not run here")
    group = tuple(_field(field) for field in rule.group_by or ())
    return Ordered(name, title, str(rule.level or "").lower(), stages, group, rule.timespan.seconds * 1_000_000)


def _condition(node: Any, fields: set[str], depth: int) -> Test:
    if depth > DEEPEST:
        raise _Refused("the condition nests too deep")
    if isinstance(node, conditions.ConditionAND):
        return _all([_condition(arg, fields, depth + 1) for arg in node.args])
    if isinstance(node, conditions.ConditionOR):
        return _any([_condition(arg, fields, depth + 1) for arg in node.args])
    if isinstance(node, conditions.ConditionNOT):
        inner = _condition(node.args[0], fields, depth + 1)
        return lambda event: not inner(event)
    if isinstance(node, conditions.ConditionFieldEqualsValueExpression):
        fields.add(node.field)
        return _compared(_field(node.field), node.value)
    if isinstance(node, conditions.ConditionValueExpression):
        return _keyword(node.value)
    raise _Refused(f"{type(node).__name__} does not run here")


def _field(name: str) -> Read:
    read = reader(name)
    if read is None:
        raise _Refused(f"no column here stands for the field {name}")
    return read


def _compared(read: Read, value: Any) -> Test:
    if isinstance(value, types.SigmaNull):
        return lambda event: read(event) is None
    if isinstance(value, types.SigmaExists):
        return lambda event: (read(event) is not None) == value.exists
    if isinstance(value, types.SigmaFieldReference):
        return _same(read, value)
    if isinstance(value, types.SigmaExpansion):
        return _any([_compared(read, one) for one in value.values])
    if isinstance(value, types.SigmaString) and not value.s:
        return lambda event: read(event) is None
    return _each(read, _one(value))


def _same(read: Read, value: types.SigmaFieldReference) -> Test:
    if value.starts_with or value.ends_with:
        raise _Refused("parts of other fields are not compared here")
    other = _field(value.field)
    return lambda event: (a := read(event)) is not None and a == other(event)


def _each(read: Read, test: One) -> Test:
    """True when the value, or any of a list, passes; an absent one never does."""

    def tested(event: Event) -> bool:
        value: Value = read(event)
        if value is None:
            return False
        return any(map(test, value)) if isinstance(value, tuple) else test(value)

    return tested


_COMPARE: Final = {
    types.SigmaCompareExpression.CompareOperators.LT: operator.lt,
    types.SigmaCompareExpression.CompareOperators.LTE: operator.le,
    types.SigmaCompareExpression.CompareOperators.GT: operator.gt,
    types.SigmaCompareExpression.CompareOperators.GTE: operator.ge,
}


def _one(value: Any) -> One:
    """The test of one value against a literal."""
    if isinstance(value, types.SigmaCompareExpression):
        compare, bound = _COMPARE.get(value.op), value.number.number
        if compare is None:
            raise _Refused(f"the comparison {value.op} does not run here")
        return lambda found: isinstance(found, int) and bool(compare(found, bound))
    if isinstance(value, types.SigmaCIDRExpression):
        return _within(value.cidr)
    if isinstance(value, types.SigmaRegularExpression):
        return _regular(value)
    if isinstance(value, types.SigmaBool):
        return lambda found: found is value.boolean
    if isinstance(value, types.SigmaNumber):
        number, text = value.number, str(value)
        return lambda found: found == number if isinstance(found, int) else found == text
    if isinstance(value, types.SigmaString):
        return _text(value, cased=isinstance(value, types.SigmaCasedString))
    raise _Refused(f"{type(value).__name__} does not run here")


def _text(value: types.SigmaString, *, cased: bool) -> One:
    """Equality, or the cheapest test that stands for the wildcards."""
    parts = [part for part in value.s if not isinstance(part, types.Placeholder)]
    if len(parts) < len(value.s):
        raise _Refused("placeholders do not run here")
    fold: Callable[[str], str] = str if cased else str.casefold
    many = types.SpecialChars.WILDCARD_MULTI
    before, after = parts[:1] == [many], parts[-1:] == [many]
    inner = parts[before : len(parts) - after if len(parts) > before else None]
    if len(inner) == 1 and isinstance(inner[0], str):
        text = fold(inner[0])
        if before and after:
            return lambda found: text in fold(str(found))
        if before:
            return lambda found: fold(str(found)).endswith(text)
        if after:
            return lambda found: fold(str(found)).startswith(text)
        return lambda found: fold(str(found)) == text
    return _wild(parts, cased=cased)


def _wild(parts: Iterable[Any], *, cased: bool) -> One:
    known = {types.SpecialChars.WILDCARD_MULTI: ".*", types.SpecialChars.WILDCARD_SINGLE: "."}
    pattern = "".join(re2.escape(part) if isinstance(part, str) else known[part] for part in parts)
    compiled = re2.compile(f"(?s{'' if cased else 'i'}:{pattern})")
    return lambda found: compiled.fullmatch(str(found)) is not None


def _regular(value: types.SigmaRegularExpression) -> One:
    letters = {
        types.SigmaRegularExpressionFlag.IGNORECASE: "i",
        types.SigmaRegularExpressionFlag.MULTILINE: "m",
        types.SigmaRegularExpressionFlag.DOTALL: "s",
    }
    flags = "".join(sorted(letters[flag] for flag in value.flags))
    compiled = re2.compile(f"(?{flags}:{value.regexp})" if flags else str(value.regexp))
    return lambda found: compiled.search(str(found)) is not None


def _within(cidr: str) -> One:
    network = ipaddress.ip_network(cidr, strict=False)

    def test(found: str | int | bool) -> bool:
        try:
            return ipaddress.ip_address(str(found)) in network
        except ValueError:
            return False

    return test


def _keyword(value: Any) -> Test:
    """A value that names no field: anywhere in an event's texts."""
    if isinstance(value, types.SigmaString):
        cased = isinstance(value, types.SigmaCasedString)
        many = types.SpecialChars.WILDCARD_MULTI
        test = _wild([many, *value.s, many], cased=cased) if not _plain(value) else _contains(str(value), cased=cased)
    elif isinstance(value, types.SigmaNumber):
        test = _contains(str(value), cased=False)
    else:
        raise _Refused(f"a keyword of type {type(value).__name__} does not run here")
    return lambda event: any(test(text) for column in TEXTS if (text := getattr(event, column)) is not None)


def _plain(value: types.SigmaString) -> bool:
    return all(isinstance(part, str) for part in value.s)


def _contains(text: str, *, cased: bool) -> One:
    fold: Callable[[str], str] = str if cased else str.casefold
    wanted = fold(text)
    return lambda found: wanted in fold(str(found))


def _all(tests: Sequence[Test]) -> Test:
    return lambda event: all(test(event) for test in tests)


def _any(tests: Sequence[Test]) -> Test:
    return lambda event: any(test(event) for test in tests)


def _first_line(error: Exception) -> str:
    return re.split(r"[\r\n]", str(error).strip() or type(error).__name__, maxsplit=1)[0][:300]
