"""The labelling rules document: what an owner says about its own events, in a closed vocabulary.

Rules held here: a rule has `when` (every named condition must hold; none means always) and `set`; each label takes the
first rule in order that matches and sets it; unknown keys are refused with their path. The document is data that the
owner signs; nothing in it is executed.
"""

from __future__ import annotations

import ipaddress
import re
from importlib import resources
from typing import Any, Literal

import msgspec

from commonwatch.agreements import decode
from commonwatch.errors import InvalidInput
from commonwatch.events.address import IpNetwork

ClassWord = Literal[
    "malware", "intrusion", "firewall", "web", "integrity", "log", "application", "system", "dns", "flow", "auth",
    "mail", "vulnerability", "match",
]  # fmt: skip
_SITE = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
TlpWord = Literal["clear", "green", "amber", "amber+strict", "red"]
SeverityWord = Literal["unknown", "informational", "low", "medium", "high", "critical", "fatal"]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Settings of every part of the document."""


class When(_Document, frozen=True, rename={"event_class": "class"}):
    """Conditions of a rule; all named ones must hold, any entry of each suffices.

    Attributes:
        event_class: event classes.
        product: product names, without regard to case.
        rule: rule ids as in `rule_uid`; a trailing `*` matches any ending.
        networks: CIDR networks; the source or the destination lies in one.
        hosts: names of host groups; source or destination host is in one.
        technique: ATT&CK techniques; `T1566` covers `T1566.001`.
    """

    event_class: tuple[ClassWord, ...] = ()
    product: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    technique: tuple[str, ...] = ()


class Labels(_Document, frozen=True):
    """What a rule says."""

    tlp: TlpWord | None = None
    site: str | None = None
    severity: SeverityWord | None = None


class Rule(_Document, frozen=True, rename={"labels": "set"}):
    """One rule."""

    labels: Labels
    when: When = When()


class Rules(_Document, frozen=True):
    """A rule set. `version` is what events carry as `rules_version` (1 to 65,535); `hosts` names groups of hosts."""

    labelling: Literal["1"]
    version: int
    rules: tuple[Rule, ...] = ()
    hosts: dict[str, tuple[str, ...]] = {}


def read_rules(data: bytes | str) -> Rules:
    """A rule set from YAML or JSON text, checked. Raises InvalidInput with the path of the fault."""
    text = data if isinstance(data, str) else _text(data)
    plain = decode.from_json(text) if text.lstrip()[:1] == "{" else decode.from_yaml(text)
    try:
        rules = msgspec.convert(plain, type=Rules)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        raise InvalidInput(what, where=where.rstrip("`") or "$", todo="see the labelling reference") from None
    _check(rules)
    return rules


def default_rules() -> Rules:
    """The rule set a fresh gateway starts with: everything TLP:AMBER, severity as the tool gave it, no site."""
    return read_rules(resources.files("commonwatch.ingest").joinpath("default_rules.yaml").read_text("utf-8"))


def write_rules(rules: Rules) -> Any:
    """A rule set as plain data."""
    return msgspec.to_builtins(rules)


def networks_of(when: When) -> tuple[IpNetwork, ...]:
    """The networks a condition names."""
    return tuple(ipaddress.ip_network(n) for n in when.networks)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("the rules are not UTF-8 text", where=f"byte {error.start}") from None


def _check(rules: Rules) -> None:
    """What types cannot say: version range, networks, host groups that exist, site names."""
    if not 1 <= rules.version <= 65_535:
        raise InvalidInput("a version is between 1 and 65535", where="$.version")
    for number, rule in enumerate(rules.rules):
        where = f"$.rules[{number}]"
        try:
            networks_of(rule.when)
        except ValueError:
            raise InvalidInput("not a network", where=f"{where}.when.networks", todo="write 10.1.0.0/16") from None
        missing = [g for g in rule.when.hosts if g not in rules.hosts]
        if missing:
            raise InvalidInput(f"no host group {missing[0]!r}", where=f"{where}.when.hosts", todo="name it in `hosts`")
        if rule.labels.site is not None and not _SITE.fullmatch(rule.labels.site):
            raise InvalidInput("not a site name", where=f"{where}.set.site", todo="use a-z, 0-9 and -, 2 to 63 of them")
