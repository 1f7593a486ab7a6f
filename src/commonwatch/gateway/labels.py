"""The labelling rules a gateway works by: those its owner signed, or what a fresh gateway starts with.

Rules held here (`agreements.md` 3): rules from a file count only with the owner's own signature, by the key pinned at
enrolment or one that key introduced; a version once used is never replaced by a lower one, nor by another text under
the same number; anything else stops the gateway before it reads, because wrong labels open what agreements close.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from commonwatch.errors import InvalidInput
from commonwatch.gateway.journal import Journal
from commonwatch.ingest.labelling import Labeller
from commonwatch.ingest.rules import default_rules
from commonwatch.ingest.signed_rules import SignedRules, is_signed, open_rules

USED = "labelling-rules"


def labeller_of(data: bytes | None, keys: Collection[str], journal: Journal) -> Labeller:
    """The labeller by these signed rules (None: the default ones). `keys` are thumbprints of the owner's keys."""
    if data is None:
        return Labeller(default_rules())
    signed = checked(data, keys, journal)
    journal.remember(USED, _mark(signed))
    return Labeller(signed.rules)


def checked(data: bytes, keys: Collection[str], journal: Journal) -> SignedRules:
    """The owner's rules, if a gateway may work by them. Changes nothing. Raises InvalidInput, SignatureError."""
    if not is_signed(data):
        todo = "sign it: commonwatch gateway labels sign FILE --key KEY --out FILE"
        raise InvalidInput("labelling rules must be signed by their owner", where="settings.toml: labels", todo=todo)
    signed = open_rules(data, keys)
    _check_newer(signed, journal)
    return signed


def _check_newer(signed: SignedRules, journal: Journal) -> None:
    """Refuse to go back behind the rules used last."""
    last, mark = journal.note(USED), _mark(signed)
    if last is None or last == mark:
        return
    used, version = int(last.partition(b" ")[0]), signed.rules.version
    if version <= used:
        what = f"version {version} of the labelling rules does not follow version {used}, which was used last"
        raise InvalidInput(what, where="version", todo=f"give the new rules version {used + 1} and sign them")


def _mark(signed: SignedRules) -> bytes:
    """Version and digest of a rule set."""
    return f"{signed.rules.version} {hashlib.sha256(signed.payload).hexdigest()}".encode()
