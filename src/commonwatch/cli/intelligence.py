"""`commonwatch intelligence`: documents of partners through a hub's API; sources a hub fetches from, at the hub itself.

Rule: addresses that a hub asks are set where the hub runs, by whoever runs it; a secret comes from a file or the
environment, never from the command line.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from commonwatch.cli.client import Client, add_options
from commonwatch.errors import InvalidInput
from commonwatch.events.labels import Tlp

if TYPE_CHECKING:
    from commonwatch.hub.core import Office
    from commonwatch.hub.intelligence.table import Intelligence

#: The environment variable that may hold a source's secret.
VARIABLE = "COMMONWATCH_SOURCE_SECRET"
_TLP = ("clear", "green", "amber", "amber+strict", "red")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of every subcommand."""
    subs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    one = _sub(subs, "import", "give a hub a STIX bundle, MISP event, CSV or list", _import)
    add_options(one)
    one.add_argument("file", type=Path)
    one.add_argument("--source", default="upload", help="the name it is kept under")
    one.add_argument("--tlp", choices=_TLP, default="red", help="for what carries no marking (default: red)")
    listed = _sub(subs, "list", "where my organisation's intelligence comes from", _list)
    add_options(listed)
    _sources(_sub(subs, "sources", "what a hub fetches, set at the hub", None))
    pulled = _sub(subs, "pull", "fetch now, at the hub, from one source or all", _pull)
    _at_hub(pulled)
    pulled.add_argument("--org", help="only sources of this organisation")
    pulled.add_argument("--name", help="only this source")


def _sources(parser: argparse.ArgumentParser) -> None:
    subs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    _at_hub(_sub(subs, "list", "every source", _sources_list))
    found = _sub(subs, "discover", "which collections a TAXII server has; print their addresses", _sources_discover)
    found.add_argument("--source-url", required=True, help="the server's, an API root's or a collection's address")
    _credentials(found, "none")
    more = _sub(subs, "add", "a TAXII collection, MISP server or feed, or list", _sources_add)
    _named(more)
    more.add_argument("--source-url", required=True)
    more.add_argument("--kind", required=True, choices=("taxii", "misp", "misp-feed", "list"))
    _ways(more, tlp="red", weight=50, every=3_600, life=0)
    more.add_argument("--community", action="store_true", help="its AMBER may go to the organisation's communities")
    _credentials(more, "none")
    other = _sub(subs, "set", "other settings for a source; what it gave stays", _sources_set)
    _named(other)
    other.add_argument("--source-url")
    _ways(other, tlp=None, weight=None, every=None, life=None)
    other.add_argument("--community", action=argparse.BooleanOptionalAction, help="whether its AMBER may go so far")
    _credentials(other, None)
    for verb, text in (("pause", "fetch no more from a source until it is resumed"), ("resume", "fetch again")):
        _named(_sub(subs, verb, text, _sources_pause))
    _named(_sub(subs, "remove", "forget a source and what it gave", _sources_remove))


def _named(parser: argparse.ArgumentParser) -> None:
    _at_hub(parser)
    parser.add_argument("--org", required=True, help="whose source it is")
    parser.add_argument("--name", required=True, help="its name")


def _ways(parser: argparse.ArgumentParser, **default: Any) -> None:
    """How a source is taken; None: as it was."""
    words = "; ".join(f"{k} {v}" for k, v in default.items() if v is not None)
    parser.description = f"{parser.description}{f' (left out: {words})' if words else ''}"
    parser.add_argument("--tlp", choices=_TLP, default=default["tlp"], help="for what carries no marking")
    parser.add_argument("--weight", type=int, default=default["weight"], help="how far it is trusted, 0 to 100")
    parser.add_argument("--every", type=int, default=default["every"], metavar="SECONDS", help="how often it is asked")
    parser.add_argument(
        "--life", type=int, default=default["life"], metavar="DAYS",
        help="when a value ends whose giver names no end; 0: by its kind",
    )  # fmt: skip


def _credentials(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument("--user", help=f"for basic authentication; the password is the secret in {VARIABLE}")
    parser.add_argument("--auth", choices=("none", "basic", "bearer", "key"), default=default)
    parser.add_argument("--secret-file", type=Path, help=f"a file that holds the secret (or set {VARIABLE})")


def _sub(subs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subs.add_parser(name, help=text, description=text)
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def _at_hub(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=Path("hub-data"), help="the hub's folder")


def _import(args: argparse.Namespace) -> int:
    try:
        body = args.file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(args.file), todo="check the path") from None
    with Client.of(args) as hub:
        params = {"source": args.source, "tlp": args.tlp}
        headers = {"Content-Type": "application/octet-stream"}
        print(json.dumps(hub.send("POST", "/api/intelligence", params=params, content=body, headers=headers).json()))
    return 0


def _list(args: argparse.Namespace) -> int:
    with Client.of(args) as hub:
        for one in hub.get("/api/intelligence/sources")["sources"]:
            state = "paused" if one["paused"] else one["error"] or "well"
            print(
                _line(
                    one["name"], one["kind"], one["tlp"], one["weight"], one["values"], one["last_ok"] or "never", state
                )
            )
    return 0


def _line(*parts: object) -> str:
    return "\t".join(str(part) for part in parts)


def _opened(args: argparse.Namespace) -> tuple[Office, Intelligence]:
    from commonwatch.hub.core import Office
    from commonwatch.hub.intelligence.table import Intelligence
    from commonwatch.hub.settings import load

    settings = load(args.data)
    return Office(settings), Intelligence(settings.data / "intelligence.sqlite")


def _sources_list(args: argparse.Namespace) -> int:
    office, table = _opened(args)
    now = office.clock.now()
    for one in table.sources():
        state = "paused" if one.paused else one.error or "well"
        held = table.count(one.org, one.name, now)
        print(_line(one.org, one.name, one.kind, one.url, Tlp(one.tlp).word, one.weight, held, state))
    table.close()
    office.close()
    return 0


def _sources_add(args: argparse.Namespace) -> int:
    from commonwatch.errors import NotFound
    from commonwatch.hub.intelligence.asking import client
    from commonwatch.hub.intelligence.table import Source, tlp_of
    from commonwatch.hub.jobs.fetch import sealed

    auth = _auth(args)
    client(args.source_url, auth).close()
    office, table = _opened(args)
    if args.org not in office.policy.view().orgs:
        raise NotFound(f"no organisation {args.org}", where="--org", todo="see: commonwatch hub org list")
    made = Source(
        org=args.org, name=args.name, kind=args.kind, url=args.source_url, weight=args.weight, tlp=tlp_of(args.tlp),
        community=args.community, every=args.every, auth=b"" if args.auth == "none" else sealed(office.keys, auth),
        life=args.life, inside=True,
    )  # fmt: skip
    table.add(made)
    table.close()
    office.close()
    return 0


def _auth(args: argparse.Namespace) -> Any:
    """Credentials from the environment or a file."""
    from commonwatch.hub.intelligence.asking import Auth

    if args.auth == "none":
        return Auth()
    given = args.secret_file.read_text("utf-8") if args.secret_file else os.environ.get(VARIABLE, "")
    if not given.strip() or (args.auth == "basic" and not args.user):
        todo = f"set {VARIABLE} or give --secret-file; with basic also --user"
        raise InvalidInput("credentials are not complete", where="--auth", todo=todo)
    secret = given.strip()
    if args.auth == "basic":
        return Auth(user=args.user, password=secret)
    return Auth(bearer=secret) if args.auth == "bearer" else Auth(key=secret)


def _sources_discover(args: argparse.Namespace) -> int:
    from commonwatch.hub.intelligence.asking import client
    from commonwatch.hub.intelligence.taxii import discover

    with client(args.source_url, _auth(args)) as http:
        found = discover(http, args.source_url)
    for one in found:
        state = one.trouble or ("may be read" if one.readable else "may not be read with these credentials")
        print(_line(one.url, one.title or "-", one.root or "-", state))
    return 0 if any(one.readable for one in found) else 1


def _sources_set(args: argparse.Namespace) -> int:
    from commonwatch.hub.intelligence.asking import check_address
    from commonwatch.hub.intelligence.table import tlp_of
    from commonwatch.hub.jobs.fetch import sealed

    office, table = _opened(args)
    source = table.source(args.org, args.name)
    wanted = {name: getattr(args, name) for name in ("weight", "every", "life", "community")}
    wanted |= {"tlp": None if args.tlp is None else tlp_of(args.tlp), "url": args.source_url}
    if args.source_url is not None:
        check_address(args.source_url, inside=True)
        wanted["inside"] = True
    if args.auth is not None:
        wanted["auth"] = b"" if args.auth == "none" else sealed(office.keys, _auth(args))
    given = {name: value for name, value in wanted.items() if value is not None}
    table.change(msgspec.structs.replace(source, next_at=0, **given))
    table.close()
    office.close()
    return 0


def _sources_pause(args: argparse.Namespace) -> int:
    office, table = _opened(args)
    table.change(msgspec.structs.replace(table.source(args.org, args.name), paused=args.verb == "pause", next_at=0))
    table.close()
    office.close()
    return 0


def _sources_remove(args: argparse.Namespace) -> int:
    office, table = _opened(args)
    table.remove(args.org, args.name)
    table.close()
    office.close()
    return 0


def _pull(args: argparse.Namespace) -> int:
    from commonwatch.hub.jobs.fetch import opened, pull

    office, table = _opened(args)
    wanted = [s for s in table.sources(args.org) if s.kind != "upload" and args.name in {None, s.name}]
    wanted = [s for s in wanted if args.name or not s.paused]
    failed = 0
    for source in wanted:
        kept, error = pull(table, source, opened(office.keys, source), office.clock.now)
        print(_line(source.org, source.name, kept, error or "well"))
        failed += bool(error)
    table.close()
    office.close()
    return 1 if failed else 0
