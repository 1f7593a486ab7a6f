"""Enrol a gateway with a hub: keys are made here, the code's pins decide whom to believe.

Rules held here: the state folder's identity is written only after the pinned hub has signed its reply; enrolling again
over an enrolled folder is refused; the root key stays.
"""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from commonwatch import __version__
from commonwatch.errors import Conflict, InvalidInput, NotPermitted, Unavailable
from commonwatch.gateway.edge import edge_keys
from commonwatch.gateway.state import Identity, StateFolder
from commonwatch.wire.enrolment import EnrolCode, EnrolReply, EnrolRequest, open_reply, raw_key, seal_request

PATH = "/gateway/enrol"


def enrol(url: str, code: str, folder: StateFolder, *, name: str, root: Path | None = None) -> Identity:
    """Enrol with the hub at `url` and keep who we are. `root`: the root key file of another gateway of the owner."""
    pinned = EnrolCode.parse(code)
    if not url.startswith(("http://", "https://")):
        raise InvalidInput("the hub's address is no web address", where="url", todo="write https://hub.example.org")
    if (folder.path / "gateway.json").exists():
        raise Conflict("this folder is enrolled already", where=str(folder.path), todo="use another --state folder")
    folder.prepare()
    if root is not None:
        folder.adopt_root(root.read_bytes())
    reply = open_reply(_post(url.rstrip("/"), _request(folder, pinned, name)), pinned)
    identity = _identity(url.rstrip("/"), name, reply)
    folder.save_identity(identity)
    return identity


def _request(folder: StateFolder, code: EnrolCode, name: str) -> bytes:
    key = folder.signing_key
    request = EnrolRequest(
        secret=code.secret,
        name=name,
        key=raw_key(key.public_key()),
        pseudonym_key=edge_keys(folder.root, "").for_hub,
        at=time.time_ns() // 1000,
        version=__version__,
    )
    return seal_request(request, key)


def _post(url: str, body: bytes) -> bytes:
    try:
        answer = httpx.post(f"{url}{PATH}", content=body, headers={"Content-Type": "application/json"}, timeout=30.0)
    except httpx.HTTPError as error:
        raise Unavailable(f"the hub does not answer: {error}", where=url, todo="check the address") from None
    if answer.is_success:
        return answer.content
    todo = "ask the hub for a new enrolment code" if answer.status_code < 500 else "try again later"
    raise NotPermitted(f"the hub refused to enrol this gateway ({answer.status_code})", where=url, todo=todo)


def _identity(url: str, name: str, reply: EnrolReply) -> Identity:
    return Identity(
        url=url,
        gateway=reply.gateway,
        org=reply.org,
        org_name=reply.org_name,
        name=name,
        hub_key=reply.hub_key,
        owner_key=reply.owner_key,
        audit_key=reply.audit_key,
        enrolled=reply.hub_time,
    )
