"""The way back from a token, for the owner whose root key made it; pure.

Rules held here: an address is undone layer by layer, the reader's first, then perhaps the edge's; a name is one-way, so
it is found only among candidates the owner brings. A wrong key undoes `pfx` to some address as well: every way that is
possible is told with its keys, and the owner looks which of them its own records know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, cast

from commonwatch.errors import InvalidInput
from commonwatch.events.address import Address, Scope, from_packed, parse, scope_of
from commonwatch.privacy.pseudonym import Namespace, derive, det_one, identity_one, mailbox_one, pfx_one_back

#: The key of a layer for (namespace, length).
Layer = Callable[[Namespace, int], bytes]
_ADDRESS = re.compile(r"(?:det:([0-9a-f]{32})|pfx:([0-9a-fA-F:.]{2,45}))(?: in \S+| \(\w+\))?\Z")
_NAME = re.compile(r"(user|host|sensor|mail|owner)_[a-z2-7]{16}(?:@\S+)?\Z")


class Behind(NamedTuple):
    """A value a token can stand for, and through which keys."""

    value: str
    keys: str


def edge_layer(root: bytes, owner: str) -> Layer:
    """The layer of the owner's own gateway."""
    return lambda namespace, length: derive(root, "edge", namespace, 0, owner=owner, length=length)


def reader_layer(for_hub: bytes, owner: str, recipient: str, epoch: int) -> Layer:
    """The layer the hub puts on for `reader ORG` or `community ID` in one epoch."""
    return lambda namespace, length: derive(for_hub, recipient, namespace, epoch, owner=owner, length=length)


def behind(token: str, edge: Layer, reader: Layer | None, among: Iterable[str] = ()) -> list[Behind]:
    """What `token` can stand for. `reader` is None where the owner read it back from its own events.

    Raises InvalidInput where the text is no token, or a name without candidates.
    """
    if found := _ADDRESS.match(token):
        return list(_addresses(found[1], found[2], edge, reader))
    if found := _NAME.match(token):
        candidates = list(among)
        if not candidates:
            raise InvalidInput("a name's token is one-way", where=token, todo="bring your own names: --among FILE")
        return list(_names(token, cast("Namespace", found[1]), edge, reader, candidates))
    raise InvalidInput("this is no token", where=token[:60], todo="give it as printed: pfx:…, det:…, user_…, host_…")


def _addresses(det: str | None, pfx: str | None, edge: Layer, reader: Layer | None) -> Iterator[Behind]:
    try:
        shown = from_packed(bytes.fromhex(det)) if det else parse(pfx or "")
    except ValueError:
        raise InvalidInput("no address after pfx:", where=f"pfx:{pfx}", todo="give the token as printed") from None
    outer = _undone(shown, reader, pfx=pfx is not None) if reader else [shown]
    for held in outer:
        if reader and _likely(held):
            yield Behind(str(held), "reader")
        for kind in (True, False):
            if not reader and kind != (pfx is not None):
                continue
            for plain in _under_edge(held, edge, pfx=kind):
                if _likely(plain):
                    yield Behind(str(plain), "reader, edge" if reader else "edge")


def _undone(shown: Address, reader: Layer, *, pfx: bool) -> list[Address]:
    """Through the reader's layer: insides have their own key, and a wrong key shows by where it leads."""
    if pfx:
        return [pfx_one_back(shown, reader("ip", 32))]
    outside = det_one(shown, reader("ip", 16), undo=True)
    inside = det_one(shown, reader("ip-internal", 16), undo=True)
    return [held for held, wanted in ((outside, True), (inside, False)) if (scope_of(held) == Scope.OUTSIDE) == wanted]


def _under_edge(held: Address, edge: Layer, *, pfx: bool) -> list[Address]:
    return [pfx_one_back(held, edge("ip", 32)) if pfx else det_one(held, edge("ip", 16), undo=True)]


def _likely(address: Address) -> bool:
    """IPv4, or IPv6 in a range that is in use: unicast, unique-local, link-local. A wrong key rarely leads there."""
    top = address.packed[0]
    return address.is_v4 or top >> 5 == 1 or top >> 1 == 0x7E or top == 0xFE


def _names(
    token: str, namespace: Namespace, edge: Layer, reader: Layer | None, candidates: Iterable[str]
) -> Iterator[Behind]:
    wanted = token.partition("@")[0]
    for value in candidates:
        forms = [("edge", form) for form in _at_edge(value, namespace, edge)]
        if reader is None:
            made = forms
        else:
            key = reader(namespace, 32)
            made = [
                ("reader" if how == "" else "reader, edge", identity_one(f, key, namespace))
                for how, f in [("", value), *forms]
            ]
        for how, form in made:
            if form.partition("@")[0] == wanted:
                yield Behind(value, how)
                break


def _at_edge(value: str, namespace: Namespace, edge: Layer) -> list[str]:
    """How the gateway may have sent the name: owners are never tokens at the edge; mailboxes with or without domain."""
    if namespace == "owner":
        return []
    key = edge(namespace, 32)
    if namespace == "mail":
        return [mailbox_one(value, key, domain=True), mailbox_one(value, key, domain=False)]
    return [identity_one(value, key, namespace)]
