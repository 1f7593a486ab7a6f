"""One candidate indicator: what a partner says about one value, and under which marking.

Rules held here: addresses, domains, links, mailboxes and hashes are checked and written in one way, so that equal
values are equal texts; defanged writing (`hxxp://bad[.]example`) is undone; a network is no value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

import msgspec

from commonwatch.events.address import parse
from commonwatch.events.event import clean_domain
from commonwatch.ingest.values import texts

#: Candidates that one document may give.
MOST: Final = 200_000
_LONGEST: Final = 2_048
_SIZES: Final = {"sha256": 64, "sha1": 40, "md5": 32}
_HEX: Final = re.compile(r"[0-9a-f]+")
_LINK: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s/]+\S*", re.IGNORECASE)
_DOTS: Final = re.compile(r"\[\.\]|\(\.\)|\[dot\]", re.IGNORECASE)


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a partner says. Times in microseconds; `tlp` None: not marked; `parent`: the document that lists it.

    `may_act` and `attribute` are what an IEP marking permits: acting inside one's own network, naming the giver.
    """

    kind: str
    value: str
    external_id: str = ""
    parent: str = ""
    valid_from: int | None = None
    valid_until: int | None = None
    modified: int = 0
    confidence: int | None = None
    labels: tuple[str, ...] = ()
    tlp: int | None = None
    may_act: bool = True
    attribute: bool = True
    revoked: bool = False


class Given(msgspec.Struct):
    """What a document gave: candidates, objects withdrawn by id, documents read whole, and refusals by reason."""

    candidates: list[Candidate]
    withdrawn: list[str]
    parents: list[str]
    refused: Counter[str]

    @classmethod
    def nothing(cls, *reasons: str) -> Given:
        """No candidate."""
        return cls([], [], [], Counter(reasons))

    def add(self, found: Candidate | str) -> None:
        """Take a candidate, or note why there is none."""
        if isinstance(found, str):
            self.refused[found] += 1
        elif len(self.candidates) >= MOST:
            self.refused["too many"] += 1
        else:
            self.candidates.append(found)


def candidate(kind: str, value: object, **more: object) -> Candidate | str:
    """A candidate of a kind (ip, domain, url, mail, sha256, sha1, md5), or the reason for a refusal."""
    if kind not in _READ:
        return "kind not used"
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        return "no value"
    found = _READ[kind](_refanged(value.strip()))
    return f"not a valid {kind}" if found is None else Candidate(kind=kind, value=found, **more)  # type: ignore[arg-type]


def kind_of(value: str) -> str | None:
    """The kind that a bare value is written like."""
    plain = _refanged(value.strip())
    return next((kind for kind in ("ip", "sha256", "sha1", "md5", "url", "mail", "domain") if _READ[kind](plain)), None)


def _refanged(value: str) -> str:
    value = _DOTS.sub(".", value)
    return "http" + value[4:] if value[:4].lower() == "hxxp" else value


def _address(value: str) -> str | None:
    try:
        return str(parse(value))
    except ValueError:
        return None


def _domain(value: str) -> str | None:
    if "/" in value or "@" in value or "." not in value or _address(value) is not None:
        return None
    return clean_domain(value)


def _link(value: str) -> str | None:
    return value if _LINK.fullmatch(value) else None


def _mailbox(value: str) -> str | None:
    found = texts.mailbox(value)
    return found.lower() if found and found.count("@") == 1 else None


def _hash(size: int) -> Callable[[str], str | None]:
    def read(value: str) -> str | None:
        value = value.lower()
        return value if len(value) == size and _HEX.fullmatch(value) else None

    return read


_READ: Final[dict[str, Callable[[str], str | None]]] = {
    "ip": _address, "domain": _domain, "url": _link, "mail": _mailbox,
    **{kind: _hash(size) for kind, size in _SIZES.items()},
}  # fmt: skip
