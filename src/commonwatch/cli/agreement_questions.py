"""`commonwatch agreement impact`, `lint` and `who-sees`: what documents show, from files, from a hub, from its folder.

Rules held here: documents of the same owner that are given together count as in force; organisations are those that the
documents name, unless a file says who there is; a hub is asked as one organisation, and so is its folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import plain
from commonwatch.agreements.document import Document
from commonwatch.agreements.effective import OwnerDocuments
from commonwatch.agreements.impact.changes import Change, CountChange, Impact, impact, together
from commonwatch.agreements.impact.findings import KINDS, Finding, lint
from commonwatch.agreements.impact.placing import owner_of, owners_of
from commonwatch.agreements.impact.questions import Asked, WhoSees
from commonwatch.agreements.impact.world import World
from commonwatch.agreements.lattice import WITHHELD, points
from commonwatch.agreements.reader import Reader
from commonwatch.cli import client
from commonwatch.cli.files import is_envelope, text
from commonwatch.errors import InvalidInput, NotFound
from commonwatch.events.fields import FIELDS
from commonwatch.events.labels import CLASS_WORDS, SEVERITY_WORDS, TLP_WORDS

Read = Callable[[str], Document]


def add_world(parser: argparse.ArgumentParser) -> None:
    """The options that say what is around the documents."""
    parser.add_argument("--with", dest="beside", action="append", default=[], metavar="FILE", help="also in force")
    parser.add_argument("--world", metavar="FILE", help="who there is: JSON with members, communities, sites")
    parser.add_argument("--json", action="store_true", help="the whole answer as JSON")


def add_impact(parser: argparse.ArgumentParser) -> None:
    """Arguments of `impact`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="OLD and NEW, or NEW alone (against nothing)")
    parser.add_argument("--against-charter", metavar="CHARTER", help="what this charter keeps back of the agreement")
    parser.add_argument("--ends", action="store_true", help="what is no longer shown when the document ends")
    parser.add_argument("--hub", action="store_true", help="against what is in force on the hub at --url")
    client.add_options(parser)
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
    alone = args.against_charter or args.ends or args.hub
    if len(args.files) > (1 if alone else 2):
        raise InvalidInput("too many documents", where="FILE", todo="give OLD and NEW, or one with an option")
    if args.hub:
        return _hub_impact(args, read)
    documents = [checked(read(file)) for file in args.files]
    beside = [checked(read(file)) for file in args.beside]
    if args.against_charter:
        return between([*beside, *documents], [*beside, *documents, checked(read(args.against_charter))], args)
    if args.ends:
        return between([*beside, *documents], beside, args)
    return between([*beside, *documents[:-1]], [*beside, documents[-1]], args)


def _hub_impact(args: argparse.Namespace, read: Read) -> Impact:
    """What a hub says that a document, or its end, would do to what is in force there. It fills in names and keys."""
    source = text(args.files[0])
    asked: dict[str, Any] = {"document": plain(read(args.files[0])) if is_envelope(source) else source}
    if args.ends:
        asked = {"without": read(args.files[0]).id}
    with client.Client.of(args) as hub:
        answer = hub.post("/api/agreements/impact", asked)
    if answer["partial"]:
        print("judged from the documents alone that your organisation may read", file=sys.stderr)
    return msgspec.convert(answer, type=Impact)


def between(old: Iterable[Document], new: Iterable[Document], args: argparse.Namespace) -> Impact:
    """The impact on every owner that the documents are of."""
    before, after = owners_of(old), owners_of(new)
    names = sorted(before.keys() | after.keys())
    return together(
        impact(before.get(n, OwnerDocuments(n, ())), after.get(n, OwnerDocuments(n, ())), world(args)) for n in names
    )


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


def add_lint(parser: argparse.ArgumentParser) -> None:
    """Arguments of `lint`."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="documents that are in force together")
    add_world(parser)


def run_lint(args: argparse.Namespace, read: Read) -> int:
    """Print every finding about every document. Exit 1 when there is a warning among them."""
    documents = [read(file) for file in args.files]
    found = findings([*documents, *map(read, args.beside)], documents, world(args))
    if args.json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
    else:
        print_findings(found, sys.stdout)
    return 1 if any(finding.weight == "warning" for finding in found) else 0


def findings(everything: Iterable[Document], about: Iterable[Document], around: World) -> list[Finding]:
    """Findings about some documents, all of them in force."""
    placed = owners_of(everything)
    found: list[Finding] = []
    for document in about:
        owner = owner_of(document)
        capped = [docs for docs in placed.values() if document in docs.community_charters.values()]
        concerned = [placed[owner]] if owner else capped
        found += [f for docs in concerned for f in lint(document, docs, around) if f not in found]
    return found


def print_findings(found: Iterable[Finding], out: TextIO) -> None:
    """One finding a line, with its example and what can be done."""
    for finding in found:
        print(f"{finding.weight}: {finding.document} {finding.path}: {finding.message} [{finding.kind}]", file=out)
        if finding.witness:
            print(f"  for example: {finding.witness.text}", file=out)
        print(f"  {finding.fix.text if finding.fix else KINDS[finding.kind].todo}", file=out)


def add_who_sees(parser: argparse.ArgumentParser) -> None:
    """Arguments of `who-sees`."""
    parser.add_argument("field", choices=FIELDS, metavar="FIELD", help="a clause field such as src_ip")
    parser.add_argument("files", nargs="*", metavar="FILE", help="documents in force; without any, a hub is asked")
    parser.add_argument("--at-least", metavar="LEVEL", help="such as network; anything at all without it")
    parser.add_argument("--events", action="append", choices=CLASS_WORDS, metavar="CLASS", help="of these classes")
    parser.add_argument("--tlp", choices=TLP_WORDS, help="with this mark")
    parser.add_argument("--severity", choices=SEVERITY_WORDS, help="of this severity")
    parser.add_argument("--site", metavar="NAME", help="at this site")
    parser.add_argument("--age", type=float, metavar="HOURS", help="of this age")
    parser.add_argument("--data", metavar="DIR", help="ask the hub in this folder, as --org")
    parser.add_argument("--org", metavar="ORG", help="whose events, with --data")
    client.add_options(parser)
    add_world(parser)


def run_who_sees(args: argparse.Namespace, read: Read) -> int:
    """Print who sees a field at least so precisely, in which rows, under which clauses."""
    if args.files or args.beside:
        found = _from_files(args, [read(file) for file in (*args.files, *args.beside)])
    else:
        found = _from_folder(args) if args.data else _from_hub(args)
    if args.json:
        print(json.dumps(msgspec.to_builtins(found), indent=2))
        return 0
    for sight in found.sights:
        print(f"{sight.text}, under {', '.join(map(str, sight.clauses))}")
    for seer in found.readers:
        print(f"  {seer.org} for {seer.purpose}" + (" (whoever joins later)" if seer.future else ""))
    if not found.readers:
        print("nobody", file=sys.stderr)
    return 0


def _labels(args: argparse.Namespace) -> dict[str, Any]:
    asked = {name: getattr(args, name) for name in ("tlp", "severity", "site", "age")}
    return {"events": args.events or (), **asked}


def _from_files(args: argparse.Namespace, documents: Iterable[Document]) -> WhoSees:
    named = points(FIELDS[args.field].family)
    if args.at_least is not None and named.get(args.at_least, WITHHELD) == WITHHELD:
        todo = f"choose from {', '.join(n for n in named if named[n] != WITHHELD)}"
        raise InvalidInput("the field has no such level", where="--at-least", todo=todo)
    bounds = () if args.age is None else (args.age,)
    asked = Asked(owners_of(map(checked, documents)).values(), world(args), bounds)
    return asked.who_sees(args.field, named.get(args.at_least), asked.space.rows(**_labels(args)))


def _from_folder(args: argparse.Namespace) -> WhoSees:
    """The hub's own folder, asked as one organisation: this command shows no more than the API does."""
    from commonwatch.hub import settings
    from commonwatch.hub.core import Office
    from commonwatch.hub.registry.questions import Questions
    from commonwatch.web.ports import AskSees, Principal

    if not args.org:
        raise InvalidInput("whose events is not said", where="--org", todo="name the organisation that asks")
    office = Office(settings.load(Path(args.data)))
    try:
        info = next((o for o in office.members.orgs() if o.org == args.org), None)
        if info is None:
            raise NotFound(f"no organisation {args.org}", where="--org", todo="see: commonwatch hub org list")
        reader = Reader(info.org, info.roles, info.communities, "operate")  # type: ignore[arg-type]
        asked = AskSees(field=args.field, at_least=args.at_least, **_labels(args))
        return Questions(office.policy, office.templates).who_sees(
            Principal("person", "command", info.name, reader), asked
        )
    finally:
        office.close()


def _from_hub(args: argparse.Namespace) -> WhoSees:
    labels = {name: value for name, value in _labels(args).items() if value not in (None, ())}
    asked = {"field": args.field, **({"at_least": args.at_least} if args.at_least else {}), **labels}
    with client.Client.of(args) as hub:
        return msgspec.convert(hub.get("/api/agreements/who-sees", **asked), type=WhoSees)
