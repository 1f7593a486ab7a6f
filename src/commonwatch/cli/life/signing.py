"""Signing on this machine for a hub elsewhere: offers, steps, changes of key. The private half is never sent.

Rules: what an offer says is made here from its frozen bytes, never taken from the hub's words; a statement names the
very version that the hub shows; nothing is signed that was not shown and agreed to.
"""

from __future__ import annotations

import sys
import time
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx
import msgspec

from commonwatch.agreements.decode import digest
from commonwatch.agreements.english import GRAMMAR, say
from commonwatch.agreements.signing import (
    TYPES,
    Envelope,
    SigningKey,
    b64,
    envelope_bytes,
    read_payload,
    sign,
    signer_keys,
    text_digest,
    unb64,
)
from commonwatch.agreements.statement import Kind, Statement, sign_statement
from commonwatch.cli.client import Client
from commonwatch.errors import InvalidInput, NotPermitted, SignatureError

#: Seconds our clock may differ from the hub's before we go by the hub's.
SKEW = 2
Jwk = dict[str, str]


def sign_offer(hub: Client, name: str, jwk: Jwk, *, ask: bool) -> Any:
    """Fetch an offer, show what it says, sign it, hand the signature in; the offer as it then is."""
    offer, key = hub.get(f"api/offers/{name}"), SigningKey.from_jwk(jwk)
    document = read_payload(Envelope(offer["payload"]))
    payload = unb64(offer["payload"], "payload")
    if digest(payload) != offer["hash"] or key.thumbprint not in signer_keys(document):
        todo = "ask for the offer by its hash, and check `key` of each party"
        raise SignatureError("this key is asked for no signature of that document", where="--key", todo=todo)
    print(say(document))
    _consent(f"Sign version {document.version} of {document.id} with key {key.thumbprint}?", ask=ask)
    made = sign(payload, TYPES[type(document)], key, grammar=GRAMMAR, text=text_digest(document))
    return hub.post(f"api/agreements/{offer['hash']}/sign", msgspec.to_builtins(made))


def sign_step(hub: Client, name: str, kind: str, reason: str, jwk: Jwk, *, ask: bool) -> Any:
    """State something about the version in force and hand it in; what the hub answers."""
    key = SigningKey.from_jwk(jwk)
    org = _owner_of(hub, key)
    answer = hub.send("GET", "api/duties" if kind == "accept-duties" else f"api/agreements/{name}")
    told = _named(answer.json(), name) if kind == "accept-duties" else answer.json()
    print(told["text"])
    _consent(f"State for {org}: {kind} of {name}, version {told['version']}?", ask=ask)
    said = _statement(kind, name, org, hub_time(answer), version=told["version"], hash=told["hash"], reason=reason)
    body = {"statement": msgspec.to_builtins(sign_statement(said, key))}
    return hub.post(f"api/agreements/{name}/{kind}", body)


def change_key(hub: Client, jwk: Jwk, new: Jwk) -> Any:
    """Introduce a new key with the one in force; the new key as the hub knows it."""
    key, fresh = SigningKey.from_jwk(jwk), SigningKey.from_jwk(new)
    answer = hub.send("GET", "api/keys")
    org = _owner_of(hub, key)
    said = _statement("key-change", org, org, hub_time(answer), key=fresh.thumbprint)
    envelope = sign_statement(said, key)
    carried = msgspec.structs.replace(envelope, keys=(*envelope.keys, b64(fresh.public)))
    body = {"public": b64(fresh.public), "statement": msgspec.json.decode(envelope_bytes(carried))}
    return hub.post("api/keys", body)


def hub_time(answer: httpx.Response) -> int:
    """Now, microseconds UTC: by our clock, or by the hub's where the two differ."""
    ours = time.time_ns() // 1000
    if (told := answer.headers.get("date")) is None:
        return ours
    theirs = int(parsedate_to_datetime(told).timestamp()) * 1_000_000
    return ours if abs(theirs - ours) <= SKEW * 1_000_000 else theirs


def _owner_of(hub: Client, key: SigningKey) -> str:
    """The organisation that registered this key with the hub, in force. Raises NotPermitted."""
    for one in hub.get("api/keys"):
        if one["thumbprint"] == key.thumbprint and one["ended"] is None:
            return str(one["org"])
    todo = "see: commonwatch agreement keys"
    raise NotPermitted("this key is not one of your organisation's in force", where="--key", todo=todo)


def _named(duties: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for one in duties:
        if one["id"] == name:
            return one
    raise InvalidInput(f"no agreement {name} asks your organisation to accept duties", where="name")


def _statement(kind: str, name: str, org: str, at: int, **more: Any) -> Statement:
    plain = {"kind": cast("Kind", kind), "id": name, "by": org, "at": at, **{k: v for k, v in more.items() if v}}
    try:
        return msgspec.convert(plain, Statement)
    except msgspec.ValidationError:
        todo = "write one line of at most 200 characters without quotes and brackets"
        raise InvalidInput("the reason cannot be signed as it is", where="--reason", todo=todo) from None


def _consent(question: str, *, ask: bool) -> None:
    """Go on only with a yes. Raises InvalidInput where nobody can be asked, NotPermitted for a no."""
    if not ask:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("nobody can be asked here", where="--yes", todo="read it, then say --yes")
    if input(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
        raise NotPermitted("not agreed to, nothing was signed")
