"""`commonwatch hub`: make and serve a hub; organisations, communities, people, gateways, agreements.

Rules: these commands change metadata only; none reads an event, and none goes around an agreement. They may run while
the hub serves: it notices within a third of a second. Secrets are printed once and stored as hashes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from commonwatch.agreements.reader import PURPOSES, ROLES
from commonwatch.agreements.signing import SigningKey, envelope_bytes
from commonwatch.errors import Conflict, InvalidInput
from commonwatch.govern.answer.asking import instant_text
from commonwatch.govern.policy import OrgInfo
from commonwatch.hub import settings as settings_file
from commonwatch.hub.accounts import SCOPES
from commonwatch.hub.core import Office
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.registry.documents import must_hold
from commonwatch.hub.settings import Settings
from commonwatch.hub.withdrawal.reading import Certificates

DATA = "hub-data"


def add(parser: argparse.ArgumentParser) -> None:
    """The subcommands."""
    subs = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _init(subs)
    _org(subs)
    _community(subs)
    _person(subs)
    _token(subs)
    _gateway(subs)
    _agreement(subs)
    _backup(subs)
    again = _command(subs, "recover", "let a hub restored from an old backup serve, closed where it lacks", _recover)
    again.add_argument("file", nargs="*", help="signed statements or documents (JSON envelopes) it lacks")
    serve = _command(subs, "serve", "serve HTTP until stopped", _serve)
    serve.add_argument("--host")
    serve.add_argument("--port", type=int)


if TYPE_CHECKING:
    Subs = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001
Run = Callable[[argparse.Namespace], int | None]


def _command(subs: Subs, name: str, help_text: str, run: Run) -> argparse.ArgumentParser:
    made = subs.add_parser(name, help=help_text, description=help_text)
    made.add_argument("--data", default=DATA, metavar="DIR", help=f"the hub's folder (default {DATA})")
    made.set_defaults(run=run)
    return made


def _group(subs: Subs, name: str, help_text: str) -> Subs:
    group = subs.add_parser(name, help=help_text, description=help_text)
    return group.add_subparsers(dest="verb", required=True, metavar="VERB")


def _init(subs: Subs) -> None:
    init = _command(subs, "init", "make a hub: folder, keys, schema, first operator", _run_init)
    init.add_argument("--url", default=Settings().url, help="the address people and gateways reach it at")
    init.add_argument("--name", default="commonwatch")
    init.add_argument("--database", default="", help="postgresql+pg8000://USER@HOST/NAME instead of a SQLite file")
    init.add_argument("--org", default="operator", help="the organisation that runs the hub")
    init.add_argument("--org-name", default="Hub operator")
    init.add_argument("--role", choices=ROLES, action="append", help="its roles (default mssp)")
    init.add_argument("--person", default="admin", help="its first person")


def _org(subs: Subs) -> None:
    group = _group(subs, "org", "organisations")
    new = _command(group, "add", "add an organisation", _run_org_add)
    new.add_argument("org")
    new.add_argument("--name")
    new.add_argument("--role", choices=ROLES, action="append", required=True)
    new.add_argument("--sector", default="", help="NACE code such as Q86")
    new.add_argument("--region", default="", help="ISO 3166 code such as GB or GB-LND")
    new.add_argument("--size", default="", choices=["", "micro", "small", "medium", "large"])
    new.add_argument("--hold-key", action="store_true", help="let the hub keep a signing key for it (convenience)")
    roles = _command(group, "roles", "set an organisation's roles", _run_org_roles)
    roles.add_argument("org")
    roles.add_argument("--role", choices=ROLES, action="append", required=True)
    key = _command(group, "key", "let the hub hold a signing key, or register a public one", _run_org_key)
    key.add_argument("org")
    key.add_argument("--public", metavar="HEX", help="32 bytes in hex of an Ed25519 key kept elsewhere")
    gone = _command(group, "forget", "erase an organisation that leaves; the hub must not serve", _run_org_forget)
    gone.add_argument("org")
    gone.add_argument("--yes", action="store_true", help="do it: this cannot be undone")
    _command(group, "list", "list organisations", _run_org_list)


def _backup(subs: Subs) -> None:
    group = _group(subs, "backup", "backups that carry the day on which they end; the hub must not serve")
    _command(group, "make", "copy events, audit log and metadata into a new folder under backups", _run_backup)
    _command(group, "list", "list backups with the day on which each ends", _run_backup_list)
    _command(group, "prune", "delete the backups that have ended", _run_backup_prune)


def _community(subs: Subs) -> None:
    group = _group(subs, "community", "communities")
    new = _command(group, "add", "add a community", _run_community_add)
    new.add_argument("community")
    new.add_argument("--name")
    new.add_argument("--steward", required=True, metavar="ORG")
    for verb, run in (("join", _run_community_join), ("leave", _run_community_leave)):
        one = _command(group, verb, f"an organisation {verb}s a community", run)
        one.add_argument("community")
        one.add_argument("org")
    _command(group, "list", "list communities", _run_community_list)


def _person(subs: Subs) -> None:
    group = _group(subs, "person", "people")
    new = _command(group, "add", "add a person and print a setup URL", _run_person_add)
    new.add_argument("person")
    new.add_argument("--org", required=True)
    new.add_argument("--name")
    new.add_argument("--purpose", choices=PURPOSES, action="append", default=[])
    new.add_argument("--admin", action="store_true", help="may sign and revoke for its organisation")
    drop = _command(group, "drop", "end a person's access", _run_person_drop)
    drop.add_argument("person")
    _command(group, "list", "list people", _run_person_list)
    link = _command(subs, "link", "print a new setup URL for a person", _run_link)
    link.add_argument("person")
    link.add_argument("--uses", type=int, default=1)
    link.add_argument("--hours", type=float, default=72)


def _token(subs: Subs) -> None:
    token = _command(subs, "token", "print a new API token of a person", _run_token)
    token.add_argument("person")
    token.add_argument("--purpose", choices=PURPOSES, required=True)
    token.add_argument("--scope", choices=SCOPES, action="append", required=True)
    token.add_argument("--name", default="command line")
    token.add_argument("--days", type=int, default=90)


def _gateway(subs: Subs) -> None:
    group = _group(subs, "gateway", "gateways")
    code = _command(group, "code", "print a one-time enrolment code", _run_code)
    code.add_argument("org")
    code.add_argument("--name", default="")
    code.add_argument("--hours", type=float, default=72)
    labels = _command(group, "sign-labels", "sign labelling rules with the key this hub holds", _run_sign_labels)
    labels.add_argument("org")
    labels.add_argument("file", help="the rules, YAML or JSON, or - for standard input")
    labels.add_argument("--out", required=True, type=Path, help="where to write the signed rules")
    drop = _command(group, "drop", "remove a gateway", _run_gateway_drop)
    drop.add_argument("gateway")


def _agreement(subs: Subs) -> None:
    group = _group(subs, "agreement", "signed documents")
    register = _command(group, "register", "register a fully signed envelope", _run_register)
    register.add_argument("file", help="JSON envelope, or - for standard input")
    stated = _command(group, "state", "register a statement signed elsewhere (revoke, suspend, ...)", _run_state)
    stated.add_argument("file", help="JSON envelope, or - for standard input")
    held = _command(group, "sign-for", "sign a document with the keys this hub holds, and register it", _run_sign_for)
    held.add_argument("file", help="the document, YAML or JSON, or - for standard input")
    accept = _command(group, "accept", "accept an agreement's duties with a key this hub holds", _run_accept)
    accept.add_argument("agreement")
    accept.add_argument("--org", required=True)
    for verb in ("revoke", "suspend", "resume"):
        one = _command(group, verb, f"{verb} an agreement with a key this hub holds", _run_statement)
        one.set_defaults(verb=verb)
        one.add_argument("agreement")
        one.add_argument("--org", required=True, help="the party that states it")
        one.add_argument("--reason", default="")
    one = _command(group, "certificate", "print certificates of what was withdrawn, as JSON", _run_certificate)
    one.add_argument("agreement")
    _command(group, "list", "list agreements with their state", _run_agreement_list)


@contextmanager
def _office(args: argparse.Namespace) -> Iterator[Office]:
    office = Office(settings_file.load(args.data))
    try:
        yield office
    finally:
        office.close()


def _run_init(args: argparse.Namespace) -> None:
    folder = Path(args.data).absolute()
    if (folder / "kek").exists():
        raise Conflict("there is a hub in this folder already", where="--data", todo="choose another folder")
    made = Settings(data=folder, name=args.name, url=args.url.rstrip("/"), database=args.database)
    settings_file.save(settings_file.check(made, "command line"))
    with _office(args) as office:
        for name in ("hub", "audit"):
            office.keys.ensure("hub" if name == "hub" else "audit", "hub")
        office.members.add_org(OrgInfo(args.org, args.org_name, roles=tuple(args.role or ["mssp"])))
        office.members.hold_key(args.org)
        office.members.add_person(args.person, args.person, args.org, admin=True, operator=True)
        print(f"hub made in {folder}; keep keys.sqlite and kek out of ordinary backups")
        print(f"first person: {args.person} of {args.org}; open once to log in:")
        print(setup_url(office, office.members.make_link(args.person)))


def setup_url(office: Office, secret: str) -> str:
    """Where a setup link is opened. The secret is in the fragment, which browsers never send."""
    return f"{office.settings.url}/#link={secret}"


def _run_org_add(args: argparse.Namespace) -> None:
    roles = tuple(args.role)
    info = OrgInfo(args.org, args.name or args.org, roles, (), args.sector, args.region, args.size)
    with _office(args) as office:
        office.members.add_org(info)
        print(f"organisation {args.org} added")
        if args.hold_key:
            print(f"the hub holds its signing key {office.members.hold_key(args.org)}")


def _run_org_roles(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.members.set_roles(args.org, args.role)


def _run_org_key(args: argparse.Namespace) -> None:
    with _office(args) as office:
        if args.public is None:
            print(f"the hub holds the signing key {office.members.hold_key(args.org)}")
        else:
            print(f"registered key {office.members.add_public_key(args.org, args.public)}")


def _run_org_forget(args: argparse.Namespace) -> None:
    from commonwatch.hub.compose import Hub
    from commonwatch.hub.keeping.leaving import forget

    if not args.yes:
        raise InvalidInput("this erases all events of an organisation", where="--yes", todo="give --yes to do it")
    hub = Hub(settings_file.load(args.data))
    try:
        print(envelope_bytes(forget(hub, args.org)).decode())
    finally:
        hub.close()


def _run_backup(args: argparse.Namespace) -> None:
    from commonwatch.hub.compose import Hub
    from commonwatch.hub.keeping import backups

    hub = Hub(settings_file.load(args.data))
    try:
        print(backups.back_up(hub.core.settings, hub.store, hub.core.policy.view()))
    finally:
        hub.close()


def _run_backup_list(args: argparse.Namespace) -> None:
    from commonwatch.hub.keeping import backups

    for folder, made in backups.manifests(settings_file.load(args.data)):
        ends = "without end" if made.expires is None else instant_text(made.expires)
        print(f"{folder}\t{instant_text(made.made)}\t{ends}")


def _run_backup_prune(args: argparse.Namespace) -> None:
    from commonwatch.hub.keeping import backups

    for folder in backups.prune(settings_file.load(args.data), Clock().now()):
        print(f"deleted {folder}")


def _run_org_list(args: argparse.Namespace) -> None:
    with _office(args) as office:
        for org in office.members.orgs():
            where = " ".join(filter(None, (org.sector, org.region, org.size)))
            print(f"{org.org}\t{org.name}\t{','.join(org.roles)}\t{','.join(org.communities)}\t{where}".rstrip())


def _run_community_add(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.members.add_community(args.community, args.name or args.community, args.steward)


def _run_community_join(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.members.join(args.community, args.org)


def _run_community_leave(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.members.leave(args.community, args.org)


def _run_community_list(args: argparse.Namespace) -> None:
    with _office(args) as office:
        for row in office.members.communities():
            print(f"{row.id}\t{row.name}\tsteward {row.steward}")


def _run_person_add(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.members.add_person(args.person, args.name or args.person, args.org, args.purpose, admin=args.admin)
        print(setup_url(office, office.members.make_link(args.person)))


def _run_person_drop(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.members.drop_person(args.person)


def _run_person_list(args: argparse.Namespace) -> None:
    with _office(args) as office:
        for row in office.members.people():
            rights = " ".join(filter(None, ("admin" if row.admin else "", "operator" if row.operator else "")))
            print(f"{row.id}\t{row.name}\t{row.org}\t{','.join(row.purposes)}\t{rights}".rstrip())


def _run_link(args: argparse.Namespace) -> None:
    with _office(args) as office:
        print(setup_url(office, office.members.make_link(args.person, uses=args.uses, hours=args.hours)))


def _run_token(args: argparse.Namespace) -> None:
    with _office(args) as office:
        print(office.accounts.issue_token(args.person, args.name, args.purpose, args.scope, args.days)[1])


def _run_code(args: argparse.Namespace) -> None:
    with _office(args) as office:
        code = office.enrolments.make_code(args.org, args.name, hours=args.hours)
        print(f"commonwatch gateway enrol {office.settings.url} {code}")


def _run_sign_labels(args: argparse.Namespace) -> None:
    from commonwatch.ingest.rules import read_rules
    from commonwatch.ingest.signed_rules import sign_rules

    rules = read_rules(_read(args.file))
    with _office(args) as office:
        args.out.write_bytes(sign_rules(rules, SigningKey.from_seed(must_hold(office.keys, args.org))))
    print(f"version {rules.version} signed for {args.org}; give it to its gateways as `labels` in settings.toml")


def _run_gateway_drop(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.enrolments.drop(args.gateway)


def _run_state(args: argparse.Namespace) -> None:
    with _office(args) as office:
        print(json.dumps({"epoch": office.documents.state(_read(args.file))}))


def _run_register(args: argparse.Namespace) -> None:
    with _office(args) as office:
        print(json.dumps(office.documents.register(_read(args.file))._asdict()))


def _run_sign_for(args: argparse.Namespace) -> None:
    with _office(args) as office:
        print(json.dumps(office.documents.sign_for(_read(args.file))._asdict()))


def _run_accept(args: argparse.Namespace) -> None:
    with _office(args) as office:
        office.documents.state_for(args.org, args.agreement, "accept-duties")


def _run_statement(args: argparse.Namespace) -> None:
    with _office(args) as office:
        epoch = office.documents.state_for(args.org, args.agreement, args.verb, args.reason)
        print(f"{args.agreement}: {args.verb} stated by {args.org}; policy epoch {epoch}")


def _run_certificate(args: argparse.Namespace) -> None:
    with _office(args) as office:
        print(json.dumps(Certificates(office.database, office.keys).about(args.agreement), indent=2))


def _run_agreement_list(args: argparse.Namespace) -> None:
    with _office(args) as office:
        for one in office.policy.resolved().standings():
            print(f"{one.name}\t{one.version}\t{one.state}\t{one.owner}")


def _recover(args: argparse.Namespace) -> None:
    from commonwatch.hub.keeping.recovery import recover

    with _office(args) as office:
        for line in recover(office, [_read(name) for name in args.file]):
            print(line)


def _serve(args: argparse.Namespace) -> None:
    from commonwatch.hub import serve

    settings = settings_file.load(args.data)
    serve.run(settings, args.host or settings.host, settings.port if args.port is None else args.port)


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InvalidInput("the file cannot be read", where=name, todo="check the path") from error
