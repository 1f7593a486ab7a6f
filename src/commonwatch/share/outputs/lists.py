"""Plain lists: one value a line for firewalls (EDL), key and value for Wazuh (CDB), decisions for CrowdSec.

Rules held here: a comment only where the reading tool has comments; a value that would break a line or a field of the
format is left out and counted by its absence from the total, never escaped into something else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from commonwatch.share.indicators import Indicator
from commonwatch.share.outputs.about import About, label

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_HOUR = 3_600_000_000


def plain(items: Sequence[Indicator], about: About) -> bytes:
    """One value a line, comments with `#`: external dynamic lists, ipset, Pi-hole, proxies."""
    return _text([f"# {line}" for line in about.lines(items)] + [item.value for item in items if _one_line(item.value)])


def urls(items: Sequence[Indicator], about: About) -> bytes:
    """URLs without their scheme, as firewalls' URL lists want them."""
    values = [_SCHEME.sub("", item.value) for item in items if item.kind == "url" and _one_line(item.value)]
    return _text([f"# {line}" for line in about.lines(items)] + values)


def wazuh(items: Sequence[Indicator], about: About) -> bytes:  # noqa: ARG001 - CDB lists have no comments
    """A CDB list, `key:value` a line; keys with a colon are quoted (Wazuh 4.x manual, Using CDB lists)."""
    lines = []
    for item in items:
        if _one_line(item.value) and '"' not in item.value:
            key = f'"{item.value}"' if ":" in item.value else item.value
            lines.append(f"{key}:{label(item).replace(':', ' ')}")
    return _text(lines)


def crowdsec(items: Sequence[Indicator], about: About) -> bytes:
    """Decisions as JSON for `cscli decisions import -i FILE --format json`; addresses only, until they end."""
    decisions = [
        {
            "duration": f"{max(1, (item.valid_until - about.made) // _HOUR)}h",
            "reason": f"commonwatch/{label(item)}",
            "scope": "ip",
            "type": "ban",
            "value": item.value,
        }
        for item in items
        if item.kind == "ip"
    ]
    return msgspec.json.format(msgspec.json.encode(decisions), indent=1) + b"\n"


def _text(lines: Sequence[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _one_line(value: str) -> bool:
    return value.isprintable() and not value[:1].isspace() and " " not in value and not value.startswith("#")
