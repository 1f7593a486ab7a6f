"""Tokens on the way out and back in: held values to pseudonyms, and a reader's pseudonyms to held values.

Rules held here (`privacy.md` 12): token equality is (owner's key, bits); keys are derived per owner, recipient,
namespace and epoch, so no two readers, communities, answers or owners match; addresses of some inside never draw their
topology (always `det`, own namespace); a one-time pseudonym is good inside one answer and never matches a filter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from commonwatch.events.address import Address, Scope, from_packed, parse, scope_of
from commonwatch.govern.decide.table import Table, Token
from commonwatch.govern.policy import KeySource
from commonwatch.privacy import pseudonym
from commonwatch.privacy.pseudonym import Namespace

_NAMESPACES: dict[str, Namespace] = {
    "user": "user", "host": "host", "sensor": "sensor", "owner": "owner", "mail_from": "mail", "mail_to": "mail",
}  # fmt: skip
_ADDRESS = re.compile(r"(det:[0-9a-f]{32}|pfx:[0-9a-fA-F:.]{2,45})(?: in (\S+)| \((\w+)\))?\Z")
Held = tuple[int, int, int]
Key = tuple[Token, Namespace, int]


class Vault:
    """The keys of one request: those the table's tokens need, derived when first used."""

    def __init__(self, table: Table, keys: KeySource, answer: str) -> None:
        self._table, self._keys, self._answer = table, keys, answer
        self._derived: dict[tuple[Token, Namespace, int], bytes | None] = {}

    def addresses(self, no: int, held: Sequence[Address]) -> list[str | None]:
        """Token texts of held addresses under one token; None where its key is gone."""
        token = self._table.tokens[no]
        if token.form.startswith("held-"):
            text = pseudonym.pfx_text if token.form == "held-pfx" else pseudonym.det_text
            return [text(a) for a in held]
        outside = [i for i, a in enumerate(held) if scope_of(a) == Scope.OUTSIDE]
        inside = sorted(set(range(len(held))) - set(outside))
        out: list[str | None] = [None] * len(held)
        self._fill(out, held, outside, (token, "ip", 32 if token.form == "pfx" else 16))
        self._fill(out, held, inside, (token, "ip-internal", 16))
        return out

    def names(self, no: int, held: Iterable[str]) -> list[str | None]:
        """Token texts of held names or mailboxes under one token."""
        token = self._table.tokens[no]
        if token.form == "held":
            return list(held)
        key = self._key(token, _NAMESPACES[token.field], 32)
        if key is None:
            return [None for _ in held]
        if token.form.startswith("mail"):
            return pseudonym.mailbox(held, key, domain=token.form == "mail+domain")
        return pseudonym.identity(held, key, _NAMESPACES[token.field])

    def text(self, shown: str | Token) -> str | None:
        """The text of an organisation as shown: its own, or its token."""
        if isinstance(shown, str):
            return shown
        key = self._key(shown, "owner", 32)
        return None if key is None else pseudonym.identity_one(shown.owner, key, "owner")

    def held_addresses(self, text: str, field: str) -> tuple[list[Held], str | None, str | None] | None:
        """Behind a token text: (token number, hi, lo) under every key in scope, the network or country, the scope.

        None when the text is no address token.
        """
        found = _ADDRESS.match(text)
        if not found:
            return None
        try:
            shown = parse(found[1][4:]) if found[1].startswith("pfx:") else from_packed(bytes.fromhex(found[1][4:]))
        except ValueError:
            return [], None, None
        pairs: list[Held] = []
        for no, token in enumerate(self._table.tokens):
            if token.field == field and (token.recipient or token.form.startswith("held")):
                pairs += [(no, a.hi, a.lo) for a in self._back(token, shown, pfx=found[1].startswith("pfx:"))]
        return pairs, found[2], found[3]

    def matching_names(self, texts: set[str], held: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
        """Of the held (token number, name) pairs, those whose token is one of `texts`."""
        found = []
        for no, name in held:
            token = self._table.tokens[no]
            if (token.recipient or token.form == "held") and self.names(no, [name])[0] in texts:
                found.append((no, name))
        return found

    def _fill(self, out: list[str | None], held: Sequence[Address], at: Sequence[int], which: Key) -> None:
        """Write the token texts of some of the addresses; a key of 32 bytes makes `pfx`, one of 16 `det`."""
        key = self._key(*which) if at else None
        if key is None:
            return
        hi = np.array([held[i].hi for i in at], np.int64)
        lo = np.array([held[i].lo for i in at], np.int64)
        make, text = (pseudonym.pfx, pseudonym.pfx_text) if len(key) == 32 else (pseudonym.det, pseudonym.det_text)
        made_hi, made_lo = make(hi, lo, key)
        for i, high, low in zip(at, made_hi.tolist(), made_lo.tolist(), strict=True):
            out[i] = text(Address(high, low))

    def _back(self, token: Token, shown: Address, *, pfx: bool) -> list[Address]:
        """The held addresses a shown token could stand for under one key."""
        if token.form.startswith("held-"):
            return [shown] if (token.form == "held-pfx") == pfx else []
        if pfx:
            key = self._key(token, "ip", 32) if token.form == "pfx" else None
            found = [] if key is None else [pseudonym.pfx_one_back(shown, key)]
            return [a for a in found if scope_of(a) == Scope.OUTSIDE]
        namespaces: tuple[Namespace, ...] = ("ip-internal",) if token.form == "pfx" else ("ip", "ip-internal")
        tried = [(n, self._undo(token, n, shown)) for n in namespaces]
        return [a for n, a in tried if a is not None and (scope_of(a) == Scope.OUTSIDE) == (n == "ip")]

    def _undo(self, token: Token, namespace: Namespace, shown: Address) -> Address | None:
        key = self._key(token, namespace, 16)
        return None if key is None else pseudonym.det_one(shown, key, undo=True)

    def _key(self, token: Token, namespace: Namespace, length: int) -> bytes | None:
        at = (token, namespace, length)
        if at not in self._derived:
            root = self._keys.pseudonym_key(token.owner)
            recipient, epoch = (
                (token.recipient, self._table.epoch_no) if token.recipient else (f"answer {self._answer}", 0)
            )
            self._derived[at] = (
                None if root is None
                else pseudonym.derive(root, recipient, namespace, epoch, owner=token.owner, length=length)
            )  # fmt: skip
        return self._derived[at]
