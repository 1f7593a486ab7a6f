"""Rungs: what a value looks like at each precision below exact. The pure reference for every rung without a token.

Used by the gateway's edge, by the hub's stored rung columns and by tests. Rules held here: a higher rung shows
everything lower rungs show (`rung(low, rung(high, v)) == rung(low, v)` wherever the kind of value allows); a derived
column (country, scope, rule category) is shown from the precision it `follows` on (`columns.py`), never below; what
cannot be brought to a rung is withheld (None), never shown whole.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from commonwatch.events.address import Address, Scope, network_text
from commonwatch.events.columns import COLUMNS
from commonwatch.events.fields import FAMILIES, FamilyName
from commonwatch.events.redact import redact

if TYPE_CHECKING:
    from tldextract import TLDExtract

Value = int | str | bytes | bool | Address | tuple[str, ...] | None
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
#: Steps of time in microseconds. Week and window start on Mondays, counted from ANCHOR in both directions.
STEPS: dict[str, int] = {"minute": MINUTE, "hour": HOUR, "day": DAY, "week": 7 * DAY, "window": 56 * DAY}
#: Monday 2024-01-01T00:00Z: public anchor of weeks and eight-week windows.
ANCHOR = 1_704_067_200_000_000
#: The same grid, begun before 2000: integer division of a non-negative number is the same on every engine.
EARLY_ANCHOR = ANCHOR - 160 * 56 * DAY
PORT_RANGES = ((0, 1023), (1024, 49151), (49152, 65535))
_DERIVED: tuple[FamilyName, ...] = ("address", "term")


def rung(family: FamilyName, precision: str, column: str, value: Value) -> Value:
    """`value` of `column` as shown at `precision`; None where nothing is shown.

    Addresses become text (`203.0.113.9`, `203.0.113.0/24`), scopes words, times floored microseconds, lists tuples.
    Organisation attributes use the column names `owner_sector`, `owner_region`, `owner_size`.
    Raises ValueError for a precision the family does not have.
    """
    chain = FAMILIES[family].precisions
    if (level := chain.index(precision)) == 0 or value is None:
        return None
    known = COLUMNS.get(column)
    if (family in _DERIVED or column == "time_quality") and known and level < chain.index(known.follows):
        return None
    step = _RUNGS.get((family, precision))
    if isinstance(value, Address):
        return network_text(value) if precision == "network" else str(value)
    if column.endswith("_scope") and isinstance(value, int):
        return Scope(value).word
    return _lower(column, step, value) if step else value


def _lower(column: str, step: Callable[..., Value], value: Value) -> Value:
    """Apply a family's step to one value or to each of a list."""
    if column == "cve_uids":
        return years(value)  # type: ignore[arg-type] # the table says it is a list of text
    if isinstance(value, tuple):
        return tuple(dict.fromkeys(str(v) for v in map(step, value) if v is not None))
    return step(value)


def floor_time(micros: int, precision: str) -> int:
    """The start of the minute, hour, day, week or eight-week window `micros` lies in (exact integer arithmetic)."""
    if precision == "exact":
        return micros
    step = STEPS[precision]
    return EARLY_ANCHOR + (micros - EARLY_ANCHOR) // step * step


def years(cves: tuple[str, ...]) -> tuple[str, ...]:
    """`CVE-2024-3094` at its family: the year, `CVE-2024`. Anything else is left out."""
    parts = (cve.split("-") for cve in cves)
    return tuple(dict.fromkeys(f"CVE-{p[1]}" for p in parts if len(p) >= 2 and p[0] == "CVE" and p[1].isdigit()))


def site_of(url: str) -> str | None:
    """Scheme and host of a web address, without user information; None where there is no host."""
    return _url(url, with_path=False)


def path_of(url: str) -> str | None:
    """A web address without query, fragment and user information."""
    return _url(url, with_path=True)


def _url(url: str, *, with_path: bool) -> str | None:
    """The parts of a web address that a rung shows. Without a scheme the text is read as `host/path`."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    host = f"[{host}]" if ":" in host else host
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{host}{f':{port}' if port is not None else ''}{parts.path if with_path else ''}"


@cache
def _suffixes() -> TLDExtract:
    """The public suffix list that is shipped; read when the first domain is looked at."""
    from tldextract import TLDExtract

    return TLDExtract(cache_dir=None, suffix_list_urls=(), include_psl_private_domains=False)


@lru_cache(maxsize=65_536)
def registered_domain(name: str) -> str | None:
    """The registered domain by the bundled public suffix list; None for bare suffixes, single labels and addresses.

    Where no suffix is known the list's own default rule holds: the last label is the suffix (`a.b.test` -> `b.test`).
    """
    found = _suffixes()(name)
    if found.suffix or found.ipv4 or found.ipv6:
        return found.top_domain_under_public_suffix or None
    labels = name.rstrip(".").split(".")
    return ".".join(labels[-2:]) if len(labels) >= 2 and all(labels[-2:]) else None


@lru_cache(maxsize=65_536)
def port_range(port: int) -> str | None:
    """`0-1023`, `1024-49151` or `49152-65535`."""
    return next((f"{low}-{high}" for low, high in PORT_RANGES if low <= port <= high), None)


def magnitude(number: int) -> int:
    """The largest power of ten not above `number`; 0 stays 0."""
    return 10 ** (len(str(number)) - 1) if number > 0 else 0


def mail_domain(mailbox: str) -> str | None:
    """What stands after the last `@`, lower case; None without one."""
    _, at, domain = mailbox.strip().strip("<>").rpartition("@")
    return (domain.lower() or None) if at else None


_RUNGS: dict[tuple[str, str], Callable[..., Value]] = {
    **{("time", step): lambda v, step=step: floor_time(v, step) for step in STEPS},
    ("term", "family"): lambda v: v,
    ("text", "redacted"): redact,
    ("link", "site"): site_of,
    ("link", "path"): path_of,
    ("domain", "registered"): registered_domain,
    ("port", "range"): port_range,
    ("number", "magnitude"): magnitude,
    ("sector", "section"): lambda v: v[:1] or None,
    ("place", "country"): lambda v: v.partition("-")[0] or None,
    ("mailbox", "domain"): mail_domain,
}
