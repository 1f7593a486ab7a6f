"""`commonwatch agreement impact`: what a change of documents shows and hides, from files alone.

Rules held here: documents of the same owner that are given beside count as in force; organisations are those that the
documents name, unless a file says who there is. Exit 0 when nothing more is shown than before, 1 when something is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from commonwatch.agreements.check import check
from commonwatch.agreements.document import CommunityCharter, Document
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.impact.changes import Change, CountChange, Impact, impact, together
from commonwatch.agreements.impact.placing import owner_of, with_document
from commonwatch.agreements.impact.world import World
from commonwatch.errors import InvalidInput

Read = Callable[[str], Document]
Owners = dict[str, OwnerDocuments]


def add_world(parser: argparse.ArgumentParser) -> None:
    """The options that say what is around the documents."""
    parser.add_argument("--with", dest="beside", action="append", default=[], metavar="FILE", help="also in force")
    parser.add_argument("--world", metavar="FILE", help="who there is: JSON with members, communities, sites")
    parser.add_argument("--json", action="store_true", help="the whole answer as JSON")


def add_impact(parser: argparse.ArgumentParser) -> None:
    """Arguments of `impact`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="OLD and NEW, or NEW alone (against nothing)")
    parser.add_argument("--against-charter", metavar="CHARTER", help="what this charter keeps back of the agreement")
    add_world(parser)


def run_impact(args: argparse.Namespace, read: Read) -> int:
    """Print what NEW shows that OLD does not, and the other way round."""
    found = _impact(args, read)
    if args.json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print_impact(found)
    return 1 if found.widens else 0


def _impact(args: argparse.Namespace, read: Read) -> Impact:
    if len(args.files) > 2 or (args.against_charter and len(args.files) > 1):
        raise InvalidInput("too many documents", where="FILE", todo="give OLD and NEW, or one with --against-charter")
    documents = [checked(read(file)) for file in args.files]
    beside = [checked(read(file)) for file in args.beside]
    if args.against_charter:
        return between([*beside, *documents], [*beside, *documents, checked(read(args.against_charter))], args)
    old = documents[:-1]
    return between([*beside, *old], [*beside, documents[-1]], args)


def between(old: Iterable[Document], new: Iterable[Document], args: argparse.Namespace) -> Impact:
    """The impact on every owner that the documents are of."""
    before, after = owners(old), owners(new)
    names = sorted(before.keys() | after.keys())
    return together(
        impact(before.get(n, OwnerDocuments(n, ())), after.get(n, OwnerDocuments(n, ())), world(args)) for n in names
    )


def owners(documents: Iterable[Document]) -> Owners:
    """The documents by owner, all of them in force; a community's charter stands for every owner."""
    listed = list(documents)
    found: Owners = {}
    for document in listed:
        if (owner := owner_of(document)) is not None:
            found[owner] = with_document(found.get(owner, OwnerDocuments(owner, ())), document)
    for document in listed:
        if isinstance(document, CommunityCharter):
            found = {owner: with_document(docs, document) for owner, docs in found.items()}
    return found


def world(args: argparse.Namespace) -> World:
    """Who there is: what the file says, else nothing is known."""
    if not args.world:
        return World()
    try:
        return msgspec.json.decode(Path(args.world).read_bytes(), type=World)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=args.world) from None
    except msgspec.DecodeError as error:
        raise InvalidInput(f"this does not say who there is: {error}", where=args.world) from None


def checked(document: Document) -> Document:
    """A document that has no problems. Raises InvalidInput."""
    check(document)
    return document


def print_impact(found: Impact) -> None:
    """One sentence a line, each with its example."""
    listed: Sequence[Change | CountChange] = (
        *found.newly, *found.newly_counted, *found.no_longer, *found.no_longer_counted,
    )  # fmt: skip
    for change in listed:
        print(f"{change.text}\n  for example: {change.witness.text}")
    if not listed:
        print("nobody is shown anything more or less", file=sys.stderr)
