"""Free text with names removed: the rung `redacted`. Filtered, not anonymous: misses are certain.

One alternation replaces what looks like a person, an account, an address, a card or a secret by its kind in angle
brackets (`privacy.md` 13). Redacting twice changes nothing.
"""

from __future__ import annotations

import re

_KINDS: tuple[tuple[str, str], ...] = (
    ("EMAIL", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("SECRET", r"(?i:\b(?:token|password|passwd|pwd|secret|api[_-]?key)\b\s*[=:]\s*)(?!<)\S+"),
    ("USER", r"(?i:\b(?:user|username|login|account)\b\s*[=:]\s*)(?!<)[^\s,;]+"),
    ("USERPATH", r"(?i:\b[A-Z]:\\(?:Users|Documents and Settings)\\)[^\\\s:*?\"<>|]+|/(?:home|Users)/[^/\s<>]+"),
    ("MAC", r"(?<![\w:-])[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}(?![\w:-])"),
    (
        "IPV6",
        r"(?<![\w:])(?:(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}|(?=[0-9A-Fa-f:]{0,32}::)[0-9A-Fa-f:]{2,39})"
        r"(?:\.\d{1,3}){0,3}(?![\w:])",
    ),
    ("IPV4", r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])"),
    ("IBAN", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"),
    ("CARD", r"(?<![\w-])(?:\d{13,19}|(?:\d{4}[ -]){3}\d{4}|\d{4}[ -]\d{6}[ -]\d{5})(?![\w-])"),
    ("PHONE", r"(?<![\w+])\+\d[\d ()/-]{6,18}\d(?!\w)"),
    ("HOST", r"(?i:\b[\w-]+(?:\.[\w-]+)*\.(?:local|lan|internal|intranet|corp|home)\b)"),
)
_PATTERN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _KINDS))


def redact(text: str) -> str:
    """`text` with what looks identifying replaced by `<KIND>`."""
    return _PATTERN.sub(_replace, text)


def _replace(found: re.Match[str]) -> str:
    kind = found.lastgroup or "TEXT"
    if kind == "CARD" and not luhn(found.group()):
        return found.group()
    return f"<{kind}>"


def luhn(digits: str) -> bool:
    """Whether the digits (spaces and dashes ignored) carry a valid Luhn check digit (ISO/IEC 7812-1)."""
    numbers = [int(c) for c in reversed(digits) if c.isdigit()]
    doubled = [n * 2 - 9 if n > 4 else n * 2 for n in numbers[1::2]]
    return (sum(numbers[::2]) + sum(doubled)) % 10 == 0
