"""The reading of each canonical column that formats share, and its inverse.

Rules held here: a reading gives None for what is not usable, never raises and never guesses; the inverse of a value
read gives it back (`show` then `read` is the identity on what `read` gives).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from commonwatch.events.columns import COLUMNS
from commonwatch.events.event import MAX_LONG_TEXT, clean
from commonwatch.ingest.values import texts

_LIMITS: Final = {"u8": 1 << 8, "u16": 1 << 16, "u32": 1 << 32, "u64": 1 << 63}
_LONG: Final = frozenset({"message", "process_cmd"})
_SIZES: Final = {"file_sha256": 32, "file_sha1": 20, "file_md5": 16}
_DIGITS_MOST: Final = 20
#: Several values of one path.
_MANY: Final = (list, tuple)
_NOBODY: Final = frozenset({"", "-", "(no user)", "n/a", "<unknown>", "unknown"})


def whole(value: Any) -> int | None:
    """A whole number that is not negative, also from its decimal text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value >= 0 else None
    if isinstance(value, float):
        return int(value) if 0 <= value < 1 << 63 and value == int(value) else None
    if isinstance(value, str) and len(value) <= _DIGITS_MOST and value.isascii() and value.strip().isdigit():
        return int(value.strip())
    return None


def number(limit: int) -> Callable[[Any], int | None]:
    """A reading of whole numbers below `limit`."""

    def read(value: Any) -> int | None:
        found = whole(value)
        return found if found is not None and found < limit else None

    return read


def text(value: Any) -> str | None:
    """One text; numbers are written out, lists joined, objects are not usable."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, _MANY) and value and all(isinstance(v, str) for v in value):
        return clean(", ".join(value))
    return None


def first(value: Any) -> str | None:
    """The first text of a list, or the text itself."""
    return text(value[0] if isinstance(value, _MANY) and value else value)


def long_text(value: Any) -> str | None:
    """A text that may be long."""
    return clean(value, MAX_LONG_TEXT) if isinstance(value, str) else text(value)


def items(value: Any) -> tuple[str, ...]:
    """Every text of a list or of one text."""
    found = value if isinstance(value, _MANY) else [value]
    return tuple(dict.fromkeys(t for v in found if (t := text(v)) is not None))


def within(value: Any, find: Callable[[tuple[str, ...]], tuple[str, ...]]) -> tuple[str, ...]:
    """What `find` recognises in the texts of a value."""
    return find(items(value))


def domain(value: Any) -> str | None:
    """A domain; an address is none."""
    found = first(value)
    return texts.domain_of(found) if found else None


def mailbox(value: Any) -> str | None:
    """One mail address, with or without a name around it."""
    found = first(value)
    return texts.mailbox(found) if found else None


def mailboxes(value: Any) -> tuple[str, ...]:
    """Every mail address."""
    return tuple(dict.fromkeys(m for t in items(value) if (m := texts.mailbox(t)) is not None))


def protocol(value: Any) -> int | None:
    """An IP protocol number from its name or number."""
    return texts.protocol(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None


def _digest(size: int) -> Callable[[Any], bytes | None]:
    def read(value: Any) -> bytes | None:
        found = first(value)
        return texts.digest(found.strip().lower(), size) if found else None

    return read


def any_digest(value: Any) -> bytes | None:
    """A hash of a known length: SHA-256, SHA-1 or MD5."""
    found = first(value)
    made = [d for size in _SIZES.values() if found and (d := texts.digest(found.strip().lower(), size)) is not None]
    return made[0] if made else None


def person(value: Any) -> str | None:
    """A user's name, or None for the words that stand for nobody."""
    found = first(value)
    return None if found is None or found.strip().casefold() in _NOBODY else found


def host_in(value: Any) -> str | None:
    """The domain in a link or a host."""
    found = first(value)
    if not found:
        return None
    _, scheme, rest = found.partition("://")
    return texts.domain_of((rest if scheme else found).partition("/")[0].rpartition("@")[2])


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False, "T": True, "F": False}.get(value) if isinstance(value, str) else None


def _special() -> dict[str, Callable[[Any], Any]]:
    made: dict[str, Callable[[Any], Any]] = {name: _digest(size) for name, size in _SIZES.items()}
    return made | {
        "domain": domain, "mail_from": mailbox, "mail_to": mailboxes, "proto": protocol, "url": first,
        "cve_uids": lambda v: within(v, texts.cves), "attack_techniques": lambda v: within(v, texts.techniques),
        "attack_tactics": lambda v: within(v, texts.tactics), "confidence_score": number(101), "is_alert": _flag,
        "count": lambda v: number(1 << 32)(v) or None, "user_agent": first, "file_name": first, "file_path": first,
    }  # fmt: skip


def _own(name: str) -> Callable[[Any], Any]:
    kind = COLUMNS[name].kind
    if kind in _LIMITS:
        return number(_LIMITS[kind])
    if kind == "list":
        return items
    return long_text if name in _LONG else text


#: Words for verdicts -> (action_id, disposition_id), and the word that stands for each pair.
_VERDICTS: Final[dict[str, tuple[int, int]]] = {
    "allowed": (1, 1), "allow": (1, 1), "accept": (1, 1), "accepted": (1, 1), "permit": (1, 1), "permitted": (1, 1),
    "pass": (1, 1), "blocked": (2, 2), "block": (2, 2), "deny": (2, 2), "denied": (2, 2), "reject": (2, 2),
    "rejected": (2, 2), "refused": (2, 2), "drop": (2, 6), "dropped": (2, 6), "quarantine": (2, 3),
    "quarantined": (2, 3), "delete": (2, 5), "deleted": (2, 5), "clean": (4, 11), "cleaned": (4, 11), "log": (3, 17),
    "logged": (3, 17), "alert": (3, 15), "detect": (3, 15), "detected": (3, 15), "reset": (2, 21),
}  # fmt: skip
_VERDICT_WORDS: Final = {pair: word for word, pair in reversed(_VERDICTS.items())}


def verdict(value: Any) -> tuple[int, int] | None:
    """What a word such as `deny` or `Dropped` means; None for a word that is no verdict."""
    found = first(value)
    return _VERDICTS.get(found.strip().casefold()) if found else None


def verdict_word(pair: tuple[int, int]) -> str | None:
    """The word for a verdict."""
    return _VERDICT_WORDS.get(pair)


#: column -> its reading. Addresses and times are read by the engine, which knows places and zones.
READINGS: Final[dict[str, Callable[[Any], Any]]] = (
    {name: _own(name) for name, c in COLUMNS.items() if c.role == "value" and c.kind not in {"addr", "ts"}}
    | _special()
    | {"verdict": verdict, "file_hash": any_digest}
)


def show(column: str, value: Any) -> Any:
    """A value as a source would write it; the inverse of the column's reading."""
    if column == "verdict":
        return verdict_word(value)
    if column == "severity":
        return value
    if isinstance(value, bytes):
        return value.hex()
    if COLUMNS[column].kind == "addr":
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return value


def table_of(pairs: Iterable[tuple[str, Any]]) -> Callable[[Any], Any]:
    """A reading by a closed table of words, without regard to case."""
    words = {word.casefold(): value for word, value in pairs}
    return lambda value: words.get(str(value).strip().casefold()) if isinstance(value, str | int) else None
