"""Labels by the owner's rules: every event gets TLP, severity and site before anything else is decided about it.

Rules held here: no label means the worst label (TLP:RED, unknown site), never a mild one; severity is the tool's own
unless a rule sets it; labels depend on the event's content and the rule set only, so equal events get equal labels.
"""

from __future__ import annotations

import ipaddress
from typing import Final, NamedTuple

from commonwatch.events.address import Address, IpNetwork
from commonwatch.events.event import Event
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS, EventClass, Label, Severity, Tlp
from commonwatch.ingest.rules import Rule, Rules, networks_of

_REMEMBERED: Final = 50_000
_Key = tuple[object, ...]


class _Compiled(NamedTuple):
    classes: frozenset[EventClass]
    products: frozenset[str]
    exact: frozenset[str]
    prefixes: tuple[str, ...]
    networks: tuple[IpNetwork, ...]
    hosts: frozenset[str]
    techniques: tuple[str, ...]
    tlp: Tlp | None
    severity: Severity | None
    site: str | None


class Labeller:
    """Labels the events of one gateway. `version` goes with every event as `rules_version`."""

    def __init__(self, rules: Rules) -> None:
        self.version = rules.version
        self._rules = tuple(_compile(rule, rules) for rule in rules.rules)
        self._by_place = any(r.networks for r in self._rules)
        self._by_host = any(r.hosts for r in self._rules)
        self._known: dict[_Key, Label] = {}

    def label(self, event: Event) -> Label:
        """The labels of an event."""
        key: _Key = (event.event_class, event.severity_id, event.product_name, event.rule_uid, event.attack_techniques)
        if self._by_place:
            key = (*key, event.src_ip, event.dst_ip)
        if self._by_host:
            key = (*key, event.src_host, event.dst_host)
        label = self._known.get(key)
        if label is None:
            label = self._decide(event)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = label
        return label

    def _decide(self, event: Event) -> Label:
        tlp: Tlp | None = None
        severity: Severity | None = None
        site: str | None = None
        for rule in self._rules:
            if _matches(rule, event):
                tlp = rule.tlp if tlp is None else tlp
                severity = rule.severity if severity is None else severity
                site = rule.site if site is None else site
        worst = Label.worst(event.event_class)
        return Label(
            event.event_class,
            worst.tlp if tlp is None else tlp,
            event.severity_id if severity is None else severity,
            worst.site if site is None else site,
        )


def _compile(rule: Rule, rules: Rules) -> _Compiled:
    when, labels = rule.when, rule.labels
    return _Compiled(
        classes=frozenset(CLASS_WORDS[w] for w in when.event_class),
        products=frozenset(p.casefold() for p in when.product),
        exact=frozenset(r for r in when.rule if not r.endswith("*")),
        prefixes=tuple(r[:-1] for r in when.rule if r.endswith("*")),
        networks=networks_of(when),
        hosts=frozenset(h.casefold() for group in when.hosts for h in rules.hosts[group]),
        techniques=when.technique,
        tlp=None if labels.tlp is None else TLP_WORDS[labels.tlp],
        severity=None if labels.severity is None else SEVERITY_WORDS[labels.severity],
        site=labels.site,
    )


def _matches(rule: _Compiled, event: Event) -> bool:
    """Whether every named condition holds."""
    return (
        (not rule.classes or event.event_class in rule.classes)
        and (not rule.products or (event.product_name or "").casefold() in rule.products)
        and (not (rule.exact or rule.prefixes) or _rule_matches(rule, event.rule_uid))
        and (not rule.networks or _lies_in(rule.networks, event.src_ip) or _lies_in(rule.networks, event.dst_ip))
        and (not rule.hosts or not rule.hosts.isdisjoint(_hosts(event)))
        and (not rule.techniques or _technique_matches(rule.techniques, event.attack_techniques))
    )


def _rule_matches(rule: _Compiled, uid: str | None) -> bool:
    return uid is not None and (uid in rule.exact or uid.startswith(rule.prefixes))


def _hosts(event: Event) -> set[str]:
    return {h.casefold() for h in (event.src_host, event.dst_host) if h}


def _technique_matches(wanted: tuple[str, ...], found: tuple[str, ...]) -> bool:
    return any(f == w or f.startswith(w + ".") for f in found for w in wanted)


def _lies_in(networks: tuple[IpNetwork, ...], address: Address | None) -> bool:
    if address is None:
        return False
    ip = ipaddress.ip_address(str(address))
    return any(ip in net for net in networks)
