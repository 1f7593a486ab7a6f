"""Reading controlled English back into a document. Exact: a variant is refused, with the canonical wording to use.

`read(say(d)) == d` for every valid document and `say(read(t)) == t` for every accepted text: the last step of reading
says the document again and compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import convert
from commonwatch.agreements.document import Document
from commonwatch.agreements.english import phrases as p
from commonwatch.agreements.english.saying import say
from commonwatch.errors import InvalidInput

_NAME = r"[a-z0-9-]+"
_AGES = r"(?:, once they are (?P<after>\d+ \w+) old)?(?:, until they are (?P<until>\d+ \w+) old)?"
_SITES = rf"(?: at site (?P<sites>{_NAME}(?:(?:, | or ){_NAME})*))?"
_SEVERITY = r"(?: of (?P<severity>\w+) severity or above)?"
_ROWS = rf"(?P<events>.+?) events marked TLP:(?P<tlp>[A-Z+]+) or lower{_SEVERITY}{_SITES}{_AGES}"
_LIMIT_ROWS = rf"(?P<events>.+?) events(?: marked TLP:(?P<tlp>[A-Z+]+) or higher)?{_SEVERITY}{_SITES}{_AGES}"
_AUDIENCE = r"with (?P<to>.+?) for (?P<purposes>[a-z, ]+)"
_NOISE = (
    r"noise spending at most epsilon (?P<epsilon>[\d.]+) in each eight-week window(?: and (?P<total>[\d.]+) in all)?"
)
_ID = rf"\[(?P<id>{_NAME})\]"
SHARE = re.compile(rf"{_ID} Share {_ROWS} {_AUDIENCE}: (?P<levels>.+)\.")
COUNT = re.compile(
    rf"{_ID} Share counts of (?P<measures>.+?) in {_ROWS} {_AUDIENCE}, by (?P<by>.+?), "
    rf"only (?:for groups of at least (?P<group>\d+) contributors"
    rf"|in releases that pool at least (?P<pool>\d+) contributors, with {_NOISE})\."
)
LIMIT = re.compile(
    rf"{_ID} For {_LIMIT_ROWS}(?: read for (?P<purposes>[a-z, ]+?))?, (?:(?P<on>in single events|in counts), )?"
    rf"never show anyone(?: outside (?P<outside>.+?))? more than: (?P<levels>.+)\."
)
_LOOKUP = re.compile(r"up to (?P<per_day>\d+) known values a day of (?P<fields>.+) may be looked up")
_GROUPS = re.compile(r"counts for groups of at least (\d+) contributors")
_NOISE_ALONE = re.compile(_NOISE)
_TITLE = re.compile(
    rf"(?:(?P<dsa>Data Sharing Agreement)|Charter(?: of community (?P<community>{_NAME}),)?) (?P<id>{_NAME}), "
    rf'version (?P<version>\d+): "(?P<title>[^"]+)"\.'
)
_PREVIOUS = re.compile(r"It replaces the version whose SHA-256 is (?P<previous>[0-9a-f]+)\.")
_COMMUNITY = re.compile(rf"It is made in community (?P<community>{_NAME}) and bound by the charter of that community\.")
_VALID = re.compile(r"It is valid from (?P<starts>[\d-]+) to (?P<ends>[\d-]+), both days included\.")
_SIGNER = re.compile(
    rf'(?P<role>Owner|Operator|Member|Steward) is organisation (?P<id>{_NAME}), "(?P<name>[^"]+)", '
    rf"signing with key (?P<key>[\w-]+)\."
)
_CONTACT = re.compile(rf'Contact at organisation (?P<id>{_NAME}) is "(?P<name>[^"]+)", reached at "(?P<reach>[^"]+)"\.')
_ORIGIN = re.compile(
    rf"It was made from template (?P<template>{_NAME}), version (?P<version>\d+), at level (?P<level>\d)"
    rf"(?:, changed in (?P<changed>{_NAME}(?:(?:, | and ){_NAME})*))?\."
)
_DUTIES = re.compile(r"Whoever receives under this agreement shall: (?P<duties>.+)\.")
_LAW = re.compile(r"Law, not interpreted: (?P<law>.+)\.")
_LAW_PART = re.compile(r'(\w+) "([^"]+)"')
Plain = dict[str, Any]


def read(text: str, *, draft: bool = False) -> Document:
    """The document a text says. Raises InvalidInput naming the line, and the wording to use for a variant.

    A `draft` may leave keys blank.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    plain: Plain = {"clauses": []}
    for number, line in enumerate(lines, 1):
        try:
            _line(plain, line, first=number == 1)
        except (KeyError, ValueError, AttributeError) as error:
            raise InvalidInput(
                f"this sentence is not understood: {line[:120]!r}", where=f"line {number}", todo=_advice(error)
            ) from None
    document = convert(plain)
    check(document, draft=draft)
    _same(say(document), text)
    return document


def read_clause(line: str) -> Plain:
    """One clause sentence as a plain clause. KeyError or ValueError if it is none."""
    for pattern, build in ((COUNT, _count), (SHARE, _share), (LIMIT, _limit)):
        if found := pattern.fullmatch(line):
            return build(found)
    raise ValueError("it begins like no clause: Share ..., Share counts of ..., For ...")


def _advice(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"unknown words: {error}"


def _same(canonical: str, text: str) -> None:
    """Refuse a text that is not the canonical one, showing the first line that differs."""
    if canonical == text:
        return
    said, given = canonical.split("\n"), text.split("\n")
    at = next((i for i, (a, b) in enumerate(zip(said, given, strict=False)) if a != b), min(len(said), len(given)) - 1)
    raise InvalidInput("this is not the canonical wording", where=f"line {at + 1}", todo=f"write: {said[at]}")


def _line(plain: Plain, line: str, *, first: bool) -> None:
    """Add what one sentence says."""
    if first:
        _title(plain, line)
    elif line.startswith("["):
        plain["clauses"].append(read_clause(line))
    elif found := _SIGNER.fullmatch(line):
        _signer(plain, found)
    elif found := _CONTACT.fullmatch(line):
        _contact(plain, found)
    else:
        _add(plain, _other(line))


def _add(plain: Plain, more: Plain) -> None:
    for key, value in more.items():
        if key in plain:
            raise ValueError(f"{key} is said twice")
        plain[key] = value


def _other(line: str) -> Plain:
    """What a sentence that is neither title, signer nor clause says."""
    if found := _DUTIES.fullmatch(line):
        return {"duties": p.read_duties(found["duties"])}
    if found := _LAW.fullmatch(line):
        return {"law": dict(_law_part(part) for part in re.split(r'(?<="); ', found["law"]))}
    if found := _ORIGIN.fullmatch(line):
        return {"origin": _origin(found)}
    for pattern in (_PREVIOUS, _COMMUNITY, _VALID):
        if found := pattern.fullmatch(line):
            return found.groupdict()
    raise ValueError("no sentence of a document begins like this")


def _law_part(part: str) -> tuple[str, str]:
    found = _LAW_PART.fullmatch(part)
    if not found:
        raise ValueError("a part of the law is a word and a quoted text")
    return found[1], found[2]


def _title(plain: Plain, line: str) -> None:
    found = _TITLE.fullmatch(line)
    if not found:
        raise ValueError('begin with: Data Sharing Agreement NAME, version 1: "TITLE".')
    kind = "dsa" if found["dsa"] else "community-charter" if found["community"] else "charter"
    plain |= {kind: "1", "id": found["id"], "version": int(found["version"]), "title": found["title"]}
    if found["community"]:
        plain["community"] = found["community"]


def _signer(plain: Plain, found: re.Match[str]) -> None:
    role, signer = found["role"].lower(), {k: found[k] for k in ("id", "name", "key")}
    if "dsa" in plain:
        plain.setdefault("parties", []).append({**signer, "role": role})
    else:
        _add(plain, {role: signer})


def _contact(plain: Plain, found: re.Match[str]) -> None:
    """Add a contact to the party named last."""
    parties = plain.get("parties") or [{}]
    if parties[-1].get("id") != found["id"]:
        raise ValueError("a contact follows the sentence of its party")
    parties[-1].setdefault("contacts", []).append({"name": found["name"], "reach": found["reach"]})


def _origin(found: re.Match[str]) -> Plain:
    origin: Plain = {"template": found["template"], "version": int(found["version"]), "level": int(found["level"])}
    return origin | ({"changed": p.split(found["changed"], "and")} if found["changed"] else {})


def _share(found: re.Match[str]) -> Plain:
    *groups, last = found["levels"].split("; ")
    clause: Plain = {"kind": "share", **_common(found)}
    if lookup := _LOOKUP.fullmatch(last):
        fields = [p.reverse_labels()[label] for label in p.split(lookup["fields"], "and")]
        clause["lookup"] = {"fields": fields, "per_day": int(lookup["per_day"])}
    else:
        groups.append(last)
    return {**clause, "fields": p.read_levels(groups)}


def _count(found: re.Match[str]) -> Plain:
    measures = [p.reverse(p.MEASURES)[m] for m in p.split(found["measures"], "and")]
    clause: Plain = {
        "kind": "count",
        **_common(found),
        "measures": measures,
        "by": p.read_levels(p.split(found["by"], "and")),
    }
    clause["contributors"] = int(found["group"] or found["pool"])
    return clause | ({"noise": _noise(found)} if found["pool"] else {})


def _limit(found: re.Match[str]) -> Plain:
    clause: Plain = {"kind": "limit", "id": found["id"], "rows": _rows(found, "from_tlp", "from_severity")}
    groups = found["levels"].split("; ")
    if noise := _NOISE_ALONE.fullmatch(groups[-1]):
        clause["noise"] = _noise(noise)
        groups.pop()
    if groups and (group := _GROUPS.fullmatch(groups[-1])):
        clause["contributors"] = int(group[1])
        groups.pop()
    if found["on"]:
        clause["on"] = "rows" if found["on"] == "in single events" else "counts"
    if found["outside"]:
        clause["outside"] = read_to(found["outside"])
    if found["purposes"]:
        clause["purposes"] = _purposes(found["purposes"])
    return {**clause, "fields": p.read_levels(groups)}


def _common(found: re.Match[str]) -> Plain:
    """Id, rows, readers and purposes of a share or count."""
    to, purposes = read_to(found["to"]), _purposes(found["purposes"])
    return {"id": found["id"], "rows": _rows(found, "tlp", "severity"), "to": to, "purposes": purposes}


def _purposes(text: str) -> list[str]:
    return [p.reverse(p.PURPOSES)[phrase] for phrase in p.split(text, "or")]


def _rows(found: re.Match[str], tlp: str, severity: str) -> Plain:
    rows: Plain = (
        {}
        if found["events"] == "all"
        else {"events": [p.reverse(p.CLASSES)[c] for c in p.split(found["events"], "and")]}
    )
    read_as: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
        ("tlp", tlp, str.lower), ("severity", severity, str), ("sites", "sites", lambda t: p.split(t, "or")),
        ("after", "after", p.unhours), ("until", "until", p.unhours),
    )  # fmt: skip
    return rows | {name: convert_to(found[group]) for group, name, convert_to in read_as if found[group]}


def read_to(text: str) -> Plain:
    """Whom a phrase names."""
    to: Plain = {}
    for group in text.split("; ") if text != "nobody" else ():
        word, _, names = group.partition(" ")
        if word in ("organisation", "organisations"):
            _add(to, {"organisations": p.split(names, "and")})
        elif word in ("community", "communities"):
            _add(to, {"communities": p.split(names, "and")})
        else:
            to.setdefault("roles", []).append(p.reverse(p.ROLES)[group])
    return to


def _noise(found: re.Match[str]) -> Plain:
    noise: Plain = {"epsilon": float(found["epsilon"])}
    return noise | ({"total": float(found["total"])} if found["total"] else {})
