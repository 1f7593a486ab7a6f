"""The hub's answers about agreements as people read them in a terminal, and records verified without a hub."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from commonwatch.agreements.decode import from_json
from commonwatch.agreements.record import prove
from commonwatch.agreements.signing import signers

Plain = dict[str, Any]


def listed(found: Plain) -> None:
    """One line for each agreement and each open offer."""
    for one in found["agreements"]:
        print(f"{one['id']}\t{one['version']}\t{one['state']}\t{one['owner']}\t{one['title']}")
    for one in found["offers"]:
        waits = ", ".join(one["awaiting"])
        print(f"{one['id']}\t{one['version']}\t{one['state']}\t{one['owner']}\t{one['title']} (awaits {waits})")


def life(found: Plain) -> None:
    """The text that holds, every version, every offer."""
    texts = [version["text"] for version in found["versions"] if version["state"] not in {"replaced", "agreed"}]
    for text in texts or [offer["text"] for offer in found["open"]]:
        print(text)
    print(f"{found['id']} is {found['state']}")
    for version in found["versions"]:
        span = f", {version['starts']} to {version['ends']}" if version["starts"] else ""
        print(f"version {version['version']}: {version['state']}{span}, SHA-256 {version['hash']}")
        for signer in version["signers"]:
            print(f"  {_signed(signer)}")
    for one in found["offers"]:
        offer(one)


def offer(one: Plain) -> None:
    """How an offer stands and who signed it."""
    why = f": {one['reason']}" if one["reason"] else ""
    print(f"{one['id']} version {one['version']}: {one['state']}{why}, offered by {one['offered_by']}, {one['hash']}")
    for party in one["parties"]:
        print(f"  {_signed(party)}")


def _signed(party: Plain) -> str:
    by_hub = ", by the hub on its behalf" if party["held"] else ""
    when = f"signed {_instant(party['signed'])}{by_hub}" if party["signed"] is not None else "not yet signed"
    return f"{party['id']} ({party['role']}): {when}"


def history(entries: list[Plain]) -> None:
    """One line for each entry of the audit log, with its number, by which it is proven."""
    for entry in entries:
        detail = entry.get("detail", {})
        version = f" version {detail['version']}" if "version" in detail else ""
        held = ", signed by the hub on its behalf" if detail.get("signed_by_hub") else ""
        print(f"{entry['index']}\t{_instant(entry['at'])}\t{entry['kind']}{version}\t{entry.get('org', '')}{held}")


def keys(found: list[Plain]) -> None:
    """One line for each key."""
    for key in found:
        until = f", ended {_instant(key['ended'])}" if key["ended"] is not None else ", in force"
        kept = ", held by the hub" if key["held"] else ""
        print(f"{key['thumbprint']}\t{key['org']}\tsince {_instant(key['added'])}{until}{kept}")


def _instant(micros: int | str) -> str:
    return datetime.fromtimestamp(int(micros) / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def is_record(text: str) -> bool:
    """Whether a file is a record rather than an envelope."""
    if text.lstrip()[:1] != "{":
        return False
    plain = from_json(text)
    return isinstance(plain, dict) and "record" in plain


def verify(text: str) -> int:
    """Prove a record and say what it proves. Raises SignatureError or InvalidInput."""
    now = time.time_ns() // 1000
    proven = prove(text, now)
    for verified in proven.documents:
        names = ", ".join(s.id for s in signers(verified.document))
        print(
            f"{verified.document.id} version {verified.document.version} signed by {names}, SHA-256 {verified.digest}"
        )
    for said in proven.statements:
        print(f"{_instant(said.statement.at)} {said.statement.kind} stated by {said.statement.by}")
    if proven.standing is not None:
        version, state = proven.standing.document.version, proven.standing.state
        print(f"version {version} is {state.replace('-', ' ')} on {_instant(now)[:10]}, by this record alone")
    return 0
