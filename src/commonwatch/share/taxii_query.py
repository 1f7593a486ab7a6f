"""The query strings of TAXII 2.1, parsed into one `Ask`; everything malformed is `InvalidInput` with its parameter.

Rules held here: `added_after` is strictly later; `next` only continues, so it wins over an earlier `added_after`;
versions default to the last; a specification version other than 2.1 finds nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping

from commonwatch.errors import InvalidInput
from commonwatch.share.ports import Ask
from commonwatch.share.stix import micros

PAGE = 100
MAX_PAGE = 1_000
_KNOWN = frozenset(
    {"added_after", "limit", "next", "match[id]", "match[type]", "match[version]", "match[spec_version]"}
)
_TYPE = re.compile(r"[a-z][a-z0-9-]{0,249}")


def parse_ask(query: Mapping[str, str], *, versions: bool = True) -> Ask | None:
    """The question behind a query string; None when it can have no answer. Unknown parameters are ignored."""
    given = {name: value for name, value in query.items() if name in _KNOWN and value}
    specs = given.get("match[spec_version]", "2.1").split(",")
    if "2.1" not in specs:
        return None
    after = _instant(given["added_after"], "added_after") if "added_after" in given else 0
    if "next" in given:
        after = max(after, _cursor(given["next"]))
    types = tuple(given["match[type]"].split(",")) if "match[type]" in given else ()
    if any(not _TYPE.fullmatch(t) for t in types):
        raise InvalidInput("not a STIX type", where="match[type]", todo="use names such as indicator")
    ids = tuple(given["match[id]"].split(",")) if "match[id]" in given else ()
    if len(ids) > MAX_PAGE:
        raise InvalidInput("too many ids at once", where="match[id]", todo=f"ask for at most {MAX_PAGE}")
    which = given.get("match[version]", "last") if versions else "all"
    return Ask(max(after, 0), _limit(given), ids, types, tuple(_version(word) for word in which.split(",")))


def cursor(added: int) -> str:
    """The `next` value that continues after a row."""
    return base64.urlsafe_b64encode(added.to_bytes(8, "big")).decode().rstrip("=")


def _cursor(text: str) -> int:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 8:
        raise InvalidInput("this is no paging token of ours", where="next", todo="start again without it")
    return min(int.from_bytes(raw, "big"), 2**62)


def _limit(given: Mapping[str, str]) -> int:
    text = given.get("limit", str(PAGE))
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise InvalidInput("a limit is a whole number above 0", where="limit")
    return min(int(text), MAX_PAGE)


def _version(word: str) -> str | int:
    return word if word in {"last", "first", "all"} else _instant(word, "match[version]")


def _instant(text: str, where: str) -> int:
    try:
        return micros(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("a time is RFC 3339, such as 2026-11-19T06:00:00Z", where=where) from error
