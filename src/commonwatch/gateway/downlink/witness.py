"""The gateway as a witness of the hub's audit log: every new head must continue the one it holds.

Rules held here: a head not signed by the audit key pinned at enrolment is ignored; a signed head that the hub cannot
prove to continue the held one is never accepted, both are kept as evidence, and the gateway stops sending until a
person decides (`gateway reconcile`). Size 0 is continued by everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from commonwatch.audit.verify import verify_checkpoint, verify_consistency
from commonwatch.gateway.journal import Journal
from commonwatch.wire.messages import Checkpoint

HELD = "checkpoint"
Verdict = Literal["accepted", "known", "unsigned", "unproven", "broken"]


def held_checkpoint(journal: Journal) -> Checkpoint | None:
    """The newest head this gateway has accepted."""
    body = journal.note(HELD)
    return None if body is None else msgspec.json.decode(body, type=Checkpoint)


def judge(held: Checkpoint | None, new: Checkpoint, audit_key: bytes, proof: Sequence[str]) -> Verdict:
    """What to make of a new head. `proof` leads from the held size to the new one (hex)."""
    if not verify_checkpoint(msgspec.to_builtins(new), audit_key):
        return "unsigned"
    if held is None or held.size == 0:
        return "accepted"
    if new.size == held.size:
        return "known" if new.root == held.root else "broken"
    if new.size < held.size:
        return "broken" if new.time > held.time else "known"
    try:
        path = [bytes.fromhex(step) for step in proof]
        old, now = bytes.fromhex(held.root), bytes.fromhex(new.root)
    except ValueError:
        return "unproven"
    return "accepted" if verify_consistency(held.size, new.size, path, old, now) else "unproven"


class Witness:
    """Keeps the newest accepted head and the evidence. `distrusts` once a signed head contradicted it."""

    def __init__(self, journal: Journal, audit_key: bytes) -> None:
        self._journal = journal
        self._key = audit_key
        self.held = held_checkpoint(journal)
        self.distrusts = bool(journal.note("distrust"))

    @property
    def size(self) -> int:
        """Entries of the log this gateway has a head for."""
        return self.held.size if self.held else 0

    def see(self, new: Checkpoint, proof: Sequence[str] | None, at: int) -> Verdict:
        """Judge a head and keep what follows from it.

        `proof` None: the hub has not been asked for one yet; an unproven head is then only to be asked about.
        """
        verdict = judge(self.held, new, self._key, self._proof(new) if proof is None else proof)
        if verdict == "accepted":
            self.held = new
            self._journal.remember(HELD, msgspec.json.encode(new))
        elif verdict == "broken" or (verdict == "unproven" and proof is not None):
            self._accuse(new, at)
        return verdict

    def _proof(self, new: Checkpoint) -> Sequence[str]:
        return new.proof if new.proof_from == self.size else ()

    def _accuse(self, new: Checkpoint, at: int) -> None:
        """Keep both heads and stop trusting."""
        both = {"held": msgspec.to_builtins(self.held), "seen": msgspec.to_builtins(new)}
        self._journal.keep_evidence(at, "two heads of the audit log do not fit together", msgspec.json.encode(both))
        self._journal.remember("distrust", b"1")
        self.distrusts = True


def reconcile(journal: Journal) -> None:
    """A person has decided to go on: forget the held head and trust the next; the evidence stays."""
    journal.remember("distrust", b"")
    journal.forget(HELD)
