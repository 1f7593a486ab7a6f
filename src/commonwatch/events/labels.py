"""Labels: what an agreement may speak about. Event class, TLP, severity, site (age is derived from time).

Rules held here: no label means the worst label (`Label.worst`); enumerations are OCSF's, pinned to 1.6.0; the fourteen
classes and their OCSF classes are one table, so that no other room writes a class number.
"""

from __future__ import annotations

from enum import IntEnum

import msgspec


class EventClass(IntEnum):
    """The fourteen event classes an agreement can name. Order is the number stored in `event_class`."""

    MALWARE = 1
    INTRUSION = 2
    FIREWALL = 3
    WEB = 4
    INTEGRITY = 5
    LOG = 6
    APPLICATION = 7
    SYSTEM = 8
    DNS = 9
    FLOW = 10
    AUTH = 11
    MAIL = 12
    VULNERABILITY = 13
    MATCH = 14

    @property
    def word(self) -> str:
        """The spelling in documents, such as `malware`."""
        return self.name.lower()


CLASS_WORDS: dict[str, EventClass] = {c.word: c for c in EventClass}

#: OCSF class_uid by event class, for the usual case (`events.md` 2). `web` and `system` may override.
OCSF_CLASS: dict[EventClass, int] = {
    EventClass.MALWARE: 2004,
    EventClass.INTRUSION: 2004,
    EventClass.FIREWALL: 4001,
    EventClass.WEB: 4002,
    EventClass.INTEGRITY: 1001,
    EventClass.LOG: 2004,
    EventClass.APPLICATION: 1007,
    EventClass.SYSTEM: 6002,
    EventClass.DNS: 4003,
    EventClass.FLOW: 4001,
    EventClass.AUTH: 3002,
    EventClass.MAIL: 4009,
    EventClass.VULNERABILITY: 2002,
    EventClass.MATCH: 2004,
}


class Tlp(IntEnum):
    """Traffic Light Protocol 2.0, widest circle first (FIRST TLP 2.0)."""

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def word(self) -> str:
        """The spelling in documents: `clear`, `green`, `amber`, `amber+strict`, `red`."""
        return "amber+strict" if self is Tlp.AMBER_STRICT else self.name.lower()


TLP_WORDS: dict[str, Tlp] = {t.word: t for t in Tlp}


class Severity(IntEnum):
    """OCSF severity_id. `UNKNOWN` is below every bound of a share and above every bound of a limit."""

    UNKNOWN = 0
    INFORMATIONAL = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5
    FATAL = 6

    @property
    def word(self) -> str:
        """The spelling in documents, such as `high`."""
        return self.name.lower()


SEVERITY_WORDS: dict[str, Severity] = {s.word: s for s in Severity}


class Label(msgspec.Struct, frozen=True, order=True):
    """The labels of one event, as set by the owner's labelling rules at the gateway. `site` "" is unknown."""

    event_class: EventClass
    tlp: Tlp
    severity: Severity
    site: str = ""

    @classmethod
    def worst(cls, event_class: EventClass) -> Label:
        """The label of an event nobody labelled: TLP:RED, unknown severity, unknown site."""
        return cls(event_class, Tlp.RED, Severity.UNKNOWN, "")
