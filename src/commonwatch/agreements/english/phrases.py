"""The words of the controlled English: one-to-one tables and the small lists they are joined into.

Rules held here (`agreements.md` 9): a label or phrase occurs once in its table and contains none of the joiners of the
list it stands in; level phrases are the same for equal names of different families; the longest matching phrase wins
when reading; hours divisible by 24 are days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from commonwatch.agreements.document import Duties
from commonwatch.agreements.lattice import points
from commonwatch.events.fields import FAMILIES, FIELDS, FieldName
from commonwatch.events.labels import CLASS_WORDS

CLASSES: dict[str, str] = {word: word for word in CLASS_WORDS} | {
    "log": "log inspection", "application": "application control", "dns": "DNS", "flow": "network flow",
    "auth": "login", "match": "attack pattern",
}  # fmt: skip
PURPOSES: dict[str, str] = {
    "operate": "running the service", "detect": "detecting threats", "respond": "responding to incidents",
    "research": "research",
}  # fmt: skip
ROLES: dict[str, str] = {
    "sme": "all small and medium enterprises", "mssp": "all security providers", "cert": "all CERTs",
    "isp": "all internet providers", "researcher": "all researchers",
}  # fmt: skip
MEASURES: dict[str, str] = {
    "onsets": "new threat families", "contributors": "contributors", "events": "events", "sources": "sources",
    "destinations": "destinations",
}  # fmt: skip
LABELS: dict[FieldName, str] = {f.name: f.label for f in FIELDS.values()}
_PRECISIONS: dict[str, str] = {
    "withheld": "withheld", "exact": "exactly", "scope": "only as inside or outside",
    "subnet": "only as which share a subnet", "country": "as its country", "network": "as its network",
    "domain": "as its mail domain", "window": "to the eight-week window", "week": "to the week", "day": "to the day",
    "hour": "to the hour", "minute": "to the minute", "family": "as its family", "redacted": "with names removed",
    "site": "as its site", "path": "without its query", "registered": "as its registered domain",
    "range": "as its port range", "magnitude": "to the order of magnitude", "section": "as its main group",
}  # fmt: skip
_TOKENS: dict[str, str] = {
    "one-time-pseudonym": "as a one-time pseudonym", "pseudonym": "as a pseudonym",
    "shared-pseudonym": "as a pseudonym shared by the community",
}  # fmt: skip
_WITH: dict[str, str] = {
    "scope": "marked inside or outside", "subnet": "that keeps subnets", "country": "with its country",
    "network": "with its network", "domain": "with its mail domain",
}  # fmt: skip
PARTIES: dict[str, str] = {"owner": "Owner", "operator": "Operator", "member": "Member"}
LAW: tuple[str, ...] = ("purpose", "basis", "roles", "jurisdiction", "notes")
DUTIES: dict[str, dict[str, str]] = {
    "actions": {
        "none": "take no action on what they receive",
        "contact-first": "ask the owner before they act on what they receive",
        "internal": "act on what they receive only inside their own organisation",
        "external-indirect": "act on what they receive outside their organisation only indirectly",
        "external-direct": "act on what they receive inside and outside their organisation",
    },
    "onward": {
        "none": "pass nothing on",
        "same-community": "pass it on only within the same community",
        "tlp": "pass it on only as its TLP marking allows",
    },
    "attribution": {"must-not": "never name the owner", "may": "may name the owner", "must": "always name the owner"},
    "notify_affected": {"must-not": "do not notify those affected", "may": "may notify those affected"},
    "resale": {"must-not": "never sell it", "may": "may sell it unmodified"},
    "encrypt": {"must": "send it only encrypted", "may": "may send it unencrypted"},
}


def _point_phrase(name: str) -> str:
    token, plus, precision = name.partition("+")
    if plus:
        return f"{_TOKENS[token]} {_WITH[precision]}"
    return _TOKENS.get(name) or _PRECISIONS[name]


@lru_cache(maxsize=1)
def levels() -> dict[str, str]:
    """Point name -> phrase, for every point of every family."""
    names = {name: None for family in FAMILIES for name in points(family)}
    return {name: _point_phrase(name) for name in names}


def reverse(table: Mapping[str, str]) -> dict[str, str]:
    """Phrase -> word. A phrase that stands for two words is a fault of the table."""
    turned = {phrase: word for word, phrase in table.items()}
    if len(turned) != len(table):
        raise AssertionError("a phrase is used twice")
    return turned


def join(items: Iterable[str], last: str) -> str:
    """`a`, `a and b`, `a, b and c`."""
    listed = list(items)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} {last} {listed[-1]}"


def split(text: str, last: str) -> list[str]:
    """The items of a list made by `join`."""
    head, joiner, tail = text.rpartition(f" {last} ")
    return [*head.split(", "), tail] if joiner else [text]


def hours(count: int) -> str:
    """`1 day`, `90 days`, `5 hours`."""
    number, unit = (count // 24, "day") if count % 24 == 0 else (count, "hour")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def unhours(text: str) -> int:
    """The hours of `90 days` or `5 hours`."""
    number, _, unit = text.partition(" ")
    return int(number) * (24 if unit.startswith("day") else 1)


def say_levels(named: Mapping[FieldName, str]) -> list[str]:
    """Fields grouped by level, groups and fields in catalogue order: `time and severity exactly`."""
    groups: dict[str, list[str]] = {}
    for field in FIELDS:
        if field in named:
            groups.setdefault(named[field], []).append(LABELS[field])
    return [f"{join(labels, 'and')} {levels()[level]}" for level, labels in groups.items()]


def read_levels(groups: Sequence[str]) -> dict[str, str]:
    """The fields and point names of groups made by `say_levels`. KeyError or ValueError if a group is none."""
    found: dict[str, str] = {}
    for group in groups:
        level, phrase = longest(group)
        for label in split(group[: -len(phrase) - 1], "and"):
            field = reverse_labels()[label]
            if field in found:
                raise ValueError(f"{label} is named twice")
            found[field] = level
    return found


def longest(group: str) -> tuple[str, str]:
    """The level a group ends with and its phrase; the longest that fits. ValueError if none does."""
    fitting = [(phrase, name) for name, phrase in levels().items() if group.endswith(f" {phrase}")]
    if not fitting:
        raise ValueError(f"no level is named in {group[:80]!r}")
    phrase, name = max(fitting, key=lambda pair: len(pair[0]))
    return name, phrase


@lru_cache(maxsize=1)
def reverse_labels() -> dict[str, str]:
    """Field label -> clause field."""
    return {label: field for field, label in LABELS.items()}


#: How often the owner is told of accesses, where it is not told of each: that needs no words.
TELLING = {
    "daily": "accept that the owner is told of their accesses once a day",
    "never": "accept that the owner is told of none of their accesses",
}


def say_duties(duties: Duties) -> str:
    """All duties, one after the other."""
    said = [table[getattr(duties, name)] for name, table in DUTIES.items()]
    days = duties.delete_after_days
    said.append(f"delete it after {hours(days * 24)}" if days else "delete it when this agreement ends")
    said.append(f"report a breach within {hours(duties.breach_notice_hours)}")
    if duties.notify_owner_on_access != "each":
        said.append(TELLING[duties.notify_owner_on_access])
    return "; ".join(said)


def read_duties(text: str) -> dict[str, str | int]:
    """Duties as plain values; KeyError or ValueError for unknown phrases."""
    parts = text.split("; ")
    telling = {phrase: name for name, phrase in TELLING.items()}.get(parts[-1])
    *phrases, delete, breach = parts[:-1] if telling else parts
    found: dict[str, str | int] = {"notify_owner_on_access": telling} if telling else {}
    found |= {name: reverse(table)[phrase] for (name, table), phrase in zip(DUTIES.items(), phrases, strict=True)}
    if delete != "delete it when this agreement ends":
        found["delete_after_days"] = unhours(delete.removeprefix("delete it after ")) // 24
    found["breach_notice_hours"] = unhours(breach.removeprefix("report a breach within "))
    return found
