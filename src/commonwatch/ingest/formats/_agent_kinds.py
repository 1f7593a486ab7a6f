"""What firewalls, mail gateways and agents say in CEF and LEEF, as tables.

Any product's events, and the eight kinds of a managed-security agent (Trend Micro Deep Security), told apart by number.

Rules held here: a class is guessed only from words a product uses of itself, and `log` is what nothing else claims; the
agent's `IDS:` in front of an action means that it only watched; words for nobody are nobody.
"""

from __future__ import annotations

import re
from bisect import bisect
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from commonwatch.events.labels import OCSF_CLASS, EventClass, Severity
from commonwatch.ingest.tables import Col, Table
from commonwatch.ingest.tables.reading import first, host_in, items, person, verdict, verdict_word, whole

_WORDS: Final = {
    "unknown": Severity.UNKNOWN, "informational": Severity.INFORMATIONAL, "low": Severity.LOW,
    "medium": Severity.MEDIUM, "high": Severity.HIGH, "very-high": Severity.CRITICAL, "critical": Severity.CRITICAL,
}  # fmt: skip
_BOUNDS: Final = ((1, Severity.INFORMATIONAL), (4, Severity.LOW), (7, Severity.MEDIUM), (9, Severity.HIGH))
_WATCHED: Final = "ids:"
#: Actions of the agent that are no verdicts elsewhere.
_AGENT_VERDICTS: Final = {"deny access": (2, 2), "pass": (1, 15), "detectonly": (3, 15), "terminate": (2, 2)}
_AGENT_WORDS: Final = {pair: word for word, pair in _AGENT_VERDICTS.items()} | {(3, 15): "IDS:Reset"}
_CHANGES: Final = {"created": 1, "updated": 3, "deleted": 4, "renamed": 5}
_CHANGE_OF: Final = {n: word for word, n in _CHANGES.items()}
_OUTCOMES: Final = {"success": 1, "succeeded": 1, "failure": 2, "failed": 2}
_OUTCOME_OF: Final = {1: "success", 2: "failure"}


def severity(value: Any) -> Severity | None:
    """0 to 10, or one of the words."""
    level = whole(value)
    if level is None:
        return _WORDS.get(value.strip().casefold()) if isinstance(value, str) else None
    return next((s for most, s in _BOUNDS if level < most), Severity.CRITICAL) if level <= 10 else None


def agent_verdict(value: Any) -> tuple[int, int] | None:
    """An action of the agent; behind `IDS:` whatever follows was only detected."""
    found = (first(value) or "").strip().casefold()
    return (3, 15) if found.startswith(_WATCHED) else _AGENT_VERDICTS.get(found) or verdict(found)


def agent_word(pair: tuple[int, int]) -> str | None:
    """The agent's word for a verdict."""
    return _AGENT_WORDS.get(pair) or verdict_word(pair)


def names(value: Any) -> tuple[str, ...]:
    """Malware names, several between semicolons; `N/A` is none."""
    parts = (p.strip() for text in items(value) for p in text.split(";"))
    return tuple(dict.fromkeys(p for p in parts if p and p.casefold() != "n/a"))


def outcome(value: Any) -> int | None:
    """Success or failure."""
    return _OUTCOMES.get(value.strip().casefold()) if isinstance(value, str) else None


def change(value: Any) -> int | None:
    """What happened to a watched thing."""
    return _CHANGES.get(value.strip().casefold()) if isinstance(value, str) else None


class Names:
    """How one of the two vocabularies calls what both have: a column's paths."""

    def __init__(self, **paths: tuple[str, ...]) -> None:
        self._paths = paths

    def col(self, column: str, name: str = "", *more: str, **how: Any) -> Col:
        """The row of a column from the paths that this vocabulary has under a name, and further ones."""
        return Col(column, (*self._paths.get(name or column, ()), *more), **how)

    def cols(self, *columns: str) -> tuple[Col, ...]:
        """Rows whose column is called like its paths, where the vocabulary has them."""
        return tuple(self.col(c, **_HOW.get(c, {})) for c in columns if self._paths.get(c))


_HOW: Final[dict[str, dict[str, Any]]] = {
    "severity": {"read": severity, "note": "0 informational, 1-3 low, 4-6 medium, 7-8 high, 9-10 critical, or a word"},
    "src_user": {"read": person}, "dst_user": {"read": person},
    "status_id": {"read": outcome, "show": _OUTCOME_OF.get},
}  # fmt: skip
_ANY: Final = (
    "severity", "rule_uid", "rule_name", "rule_category", "src_ip", "src_port", "dst_ip", "dst_port", "src_host",
    "dst_host", "src_user", "dst_user", "sensor_uid", "proto", "app_proto", "bytes_in", "bytes_out", "count",
    "end_time", "verdict", "status_id", "url", "user_agent", "file_name", "file_path", "file_hash", "process_name",
    "message",
)  # fmt: skip
_HEAD: Final = (
    Col("product_vendor", ("Device Vendor",)), Col("product_name", ("Device Product",)),
    Col("product_version", ("Device Version",)),
)  # fmt: skip
#: Kind of any product -> words that a product, a name or a category of it has; the first that fits.
_GUESSES: Final[tuple[tuple[EventClass, str], ...]] = (
    (EventClass.MALWARE, "malware|virus|trojan|ransom|spyware|worm"), (EventClass.MAIL, "e?mail|spam|phish|smtp"),
    (EventClass.AUTH, "log-?[io]n|logout|logoff|authenticat|sign-?in|password"),
    (EventClass.INTRUSION, "intrusion|exploit|attack|threat|ips|ids|injection|overflow|scan"),
    (EventClass.INTEGRITY, "integrity|fim"), (EventClass.APPLICATION, "application control|process|device control"),
    (EventClass.VULNERABILITY, "vulnerabilit"), (EventClass.WEB, "url|web|proxy|http"),
    (EventClass.FIREWALL, "firewall|traffic|session|acl|deny|denied|drop"), (EventClass.DNS, "dns"),
    (EventClass.SYSTEM, "system|audit|health|license|update"),
)  # fmt: skip
_GUESS: Final = tuple((c.word, re.compile(rf"\b(?:{words})", re.IGNORECASE)) for c, words in _GUESSES)
_SHORT: Final = 256
_ACTIVITY: Final = {
    EventClass.MALWARE: 1, EventClass.INTRUSION: 1, EventClass.AUTH: 1, EventClass.INTEGRITY: 3,
    EventClass.APPLICATION: 1, EventClass.VULNERABILITY: 1, EventClass.FIREWALL: 6, EventClass.LOG: 1,
    EventClass.DNS: 1,
}  # fmt: skip


def kind_of(category: str | None, name: str | None, product: str | None) -> str:
    """The kind of any product's event, by what it says of itself."""
    said = f"{category or ''} {name or ''} {product or ''}"
    return _known_guess(said) if len(said) <= _SHORT else _guess(said)


def _guess(said: str) -> str:
    """The kind that these words speak of."""
    return next((word for word, pattern in _GUESS if pattern.search(said)), EventClass.LOG.word)


#: A product repeats its names; only short ones are remembered, so that memory is bounded.
_known_guess = lru_cache(maxsize=10_000)(_guess)


def any_product(vocabulary: Names) -> tuple[Table, ...]:
    """The tables of products that are not known by name."""
    made = []
    for event_class in (*(c for c, _ in _GUESSES), EventClass.LOG):
        cols = [*_HEAD, *vocabulary.cols(*_ANY), vocabulary.col("domain", read=host_in)]
        cols += [vocabulary.col("cve_uids", "rule_name")]
        if event_class is EventClass.MAIL:
            cols += vocabulary.cols("mail_from", "mail_to", "mail_subject")
        alert = {"is_alert": True} if event_class in {EventClass.MALWARE, EventClass.INTRUSION} else {}
        activity = _ACTIVITY.get(event_class)
        made.append(
            Table(
                event_class.word,
                event_class,
                OCSF_CLASS[event_class],
                tuple(cols),
                activity,
                alert,
                note="by its words",
            )
        )
    return tuple(made)


#: The agent's modules: name -> event numbers, both ends included.
_MODULES: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "agent anti-malware": ((4_000_000, 4_999_999),),
    "agent intrusion prevention": ((10, 10), (200, 399), (500, 849), (1_000_000, 1_999_999)),
    "agent firewall": ((20, 21), (100, 199)),
    "agent web reputation": ((5_000_000, 5_999_999),),
    "agent integrity monitoring": ((30, 30), (2_000_000, 2_999_999)),
    "agent log inspection": ((40, 40), (3_000_000, 3_999_999)),
    "agent application control": ((6_000_000, 6_999_999),),
    "agent device control": ((7_000_000, 7_999_999),),
}
#: (first number, last number, name), sorted; nothing lies below the first.
_SPANS: Final = sorted([(0, -1, ""), *((a, b, name) for name, spans in _MODULES.items() for a, b in spans)])
_SIGN_IN: Final = 600
_CONSOLES: Final = frozenset({"deep security manager", "workload security manager"})
AGENT_VENDOR: Final = "trend micro"


def agent_kind(number: str, product: str) -> str | None:
    """Which of the agent's kinds an event number of a product is; None for other products of the vendor."""
    return (_known_kind if len(number) + len(product) <= _SHORT else _agent_kind)(number, product)


def _agent_kind(number: str, product: str) -> str | None:
    found = whole(number)
    if product.casefold() in _CONSOLES:
        return "agent sign-in" if found == _SIGN_IN else "agent system"
    if product.casefold() != "deep security agent" or found is None:
        return None
    _, last, name = _SPANS[bisect(_SPANS, found, key=itemgetter(0)) - 1]
    return name if found <= last else "agent system"


#: Remembered as guesses are.
_known_kind = lru_cache(maxsize=10_000)(_agent_kind)


def number_for(kind: str) -> int:
    """An event number of a kind."""
    return _SIGN_IN if kind == "agent sign-in" else _MODULES.get(kind, ((740, 740),))[0][0]


def agent(vocabulary: Names) -> tuple[Table, ...]:
    """The eight kinds of the agent, device control and the console's sign-ins."""
    who = (*_HEAD, *vocabulary.cols("severity", "rule_uid", "sensor_uid"))
    ends = vocabulary.cols(
        "src_ip", "src_port", "dst_ip", "dst_port", "proto", "bytes_in", "bytes_out", "count", "src_host"
    )
    acted = vocabulary.col("verdict", read=agent_verdict, show=agent_word)
    name, told = vocabulary.col("rule_name"), vocabulary.col("message")
    path, user = vocabulary.col("file_path"), vocabulary.col("src_user", read=person)
    malware = (
        vocabulary.col("malware_names", "rule_name", "TrendMicroDsRelevantDetectionNames", read=names, show="; ".join),
        Col("file_md5", ("TrendMicroDsFileMD5",)), Col("file_sha1", ("TrendMicroDsFileSHA1",)),
        Col("file_sha256", ("TrendMicroDsFileSHA256",)), Col("confidence_score", ("TrendMicroDsDetectionConfidence",)),
    )  # fmt: skip
    program = (vocabulary.col("file_hash"), Col("file_sha1", ("cs2",)), Col("file_md5", ("cs3",)))
    rows: tuple[tuple[str, EventClass, tuple[Col, ...], int | None], ...] = (
        ("agent anti-malware", EventClass.MALWARE, (*malware, path, acted, told), 1),
        ("agent intrusion prevention", EventClass.INTRUSION,
         (name, vocabulary.col("cve_uids", "rule_name", "cs1"), *ends, acted), 1),
        ("agent firewall", EventClass.FIREWALL, (name, *ends, acted), 6),
        ("agent web reputation", EventClass.WEB,
         (name, vocabulary.col("url"), vocabulary.col("domain", "url", read=host_in), acted, told), None),
        ("agent integrity monitoring", EventClass.INTEGRITY,
         (name, Col("activity_id", ("act",), change, _CHANGE_OF.get), path, user, vocabulary.col("process_name"),
          told), 3),
        ("agent log inspection", EventClass.LOG,
         (name, Col("rule_category", ("cs1",)), vocabulary.col("file_name"), *vocabulary.cols("src_ip", "src_host"),
          vocabulary.col("dst_user", read=person), told), 1),
        ("agent application control", EventClass.APPLICATION,
         (name, acted, *program, path, user, Col("rule_category", ("cs1",)), Col("count", ("repeatCount",))), 1),
        ("agent device control", EventClass.APPLICATION, (name, acted, path, user, told), 1),
        ("agent system", EventClass.SYSTEM,
         (name, user, *vocabulary.cols("src_ip"), Col("dst_host", ("target",)), told), None),
    )  # fmt: skip
    made = [_agent_table(kind, c, (*who, *cols), activity) for kind, c, cols, activity in rows]
    sign_in = (*who, name, user, *vocabulary.cols("src_ip"), told)
    return (*made, Table("agent sign-in", EventClass.SYSTEM, 3002, sign_in, 1, note="at the agent's console"))


def _agent_table(kind: str, event_class: EventClass, cols: tuple[Col, ...], activity: int | None) -> Table:
    alert = {"is_alert": True} if event_class in {EventClass.MALWARE, EventClass.INTRUSION} else {}
    return Table(kind, event_class, OCSF_CLASS[event_class], cols, activity, alert)
