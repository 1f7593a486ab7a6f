"""Documents as people write them, completed with what the hub knows: names, keys, the next version of a chain.

Rules: only what is missing or blank is filled in, nothing that is there is touched; a name that only repeats the id is
blank; a key is one that its organisation
registered here. The completed document is checked like any other before anybody signs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from commonwatch.agreements.decode import from_json, from_yaml
from commonwatch.agreements.document import BLANK_KEY
from commonwatch.errors import InvalidInput, NotFound
from commonwatch.hub.meta.models import Document, Organisation, OrgKey

Plain = dict[str, Any]


def plain_of(document: bytes | str | Plain) -> Plain:
    """A document as plain data of one's own, from an object or from JSON or YAML text; a blank key is a missing one.

    Raises InvalidInput.
    """
    if isinstance(document, bytes):
        try:
            document = document.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput("the document is not UTF-8 text", where="$", todo="save it as UTF-8") from error
    if isinstance(document, str):
        document = from_json(document) if document.lstrip().startswith("{") else from_yaml(document)
    if not isinstance(document, dict):
        raise InvalidInput("a document is an object", where="$", todo='begin with `dsa: "1"`')
    own = deepcopy(document)
    for signer in signers_in(own):
        if signer.get("key") == BLANK_KEY:
            del signer["key"]
    return own


def signers_in(plain: Plain) -> Iterator[Plain]:
    """Who signs a document that may not be complete: parties, owner or steward, as far as they are named."""
    parties = plain.get("parties")
    for signer in (*(parties if isinstance(parties, list) else ()), plain.get("owner"), plain.get("steward")):
        if isinstance(signer, dict) and isinstance(signer.get("id"), str):
            yield signer


def complete(session: Session, plain: Plain, key_of: Callable[[str], str]) -> None:
    """Fill in signers' names and keys where they are missing. Raises what `key_of` raises."""
    for signer in signers_in(plain):
        if "key" not in signer:
            signer["key"] = key_of(signer["id"])
        if signer.get("name") in {None, signer["id"]}:
            row = session.get(Organisation, signer["id"])
            signer["name"] = row.name if row else signer["id"]


def continue_chain(session: Session, plain: Plain) -> None:
    """Where the version is left out, make it the next one: number and `previous` follow from the newest registered."""
    if "version" in plain or not isinstance(name := plain.get("id"), str):
        return
    last = session.scalar(select(Document).where(Document.name == name).order_by(Document.version.desc()).limit(1))
    plain["version"] = last.version + 1 if last else 1
    if last:
        plain["previous"] = last.hash


def newest_key(session: Session, org: str) -> str:
    """The thumbprint of an organisation's newest signing key in force.

    Raises NotFound, with the same words for an organisation that is not here: a draft must not tell who is.
    """
    query = select(OrgKey).where(OrgKey.org == org, OrgKey.ended.is_(None)).order_by(OrgKey.added.desc())
    if (row := session.scalar(query.limit(1))) is None:
        todo = "it makes one in its browser or with `commonwatch agreement keygen`, and registers the public half"
        raise NotFound(f"{org} is not here, or has no signing key yet", where="parties", todo=todo)
    return row.thumbprint
