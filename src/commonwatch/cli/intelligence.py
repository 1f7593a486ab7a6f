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

from commonwatch.cli.client import Client, add_options
from commonwatch.errors import InvalidInput

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
    more = _sub(subs, "add", "a TAXII collection, MISP server or feed, or list", _sources_add)
    _at_hub(more)
    for name in ("org", "name", "source-url"):
        more.add_argument(f"--{name}", required=True)
    more.add_argument("--kind", required=True, choices=("taxii", "misp", "misp-feed", "list"))
    more.add_argument("--tlp", choices=_TLP, default="red", help="for what carries no marking (default: red)")
    more.add_argument("--weight", type=int, default=50, help="how far it is trusted, 0 to 100 (default: 50)")
    more.add_argument("--every", type=int, default=3_600, metavar="SECONDS")
    more.add_argument("--community", action="store_true", help="its AMBER may go to the organisation's communities")
    more.add_argument("--user", help=f"for basic authentication; the password is the secret in {VARIABLE}")
    more.add_argument("--auth", choices=("none", "basic", "bearer", "key"), default="none")
    more.add_argument("--secret-file", type=Path, help=f"a file that holds the secret (or set {VARIABLE})")
    gone = _sub(subs, "remove", "forget a source and what it gave", _sources_remove)
    _at_hub(gone)
    gone.add_argument("--org", required=True)
    gone.add_argument("--name", required=True)


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
        for one in hub.get("/api/intelligence/sources"):
            print(_line(one["name"], one["kind"], one["tlp"], one["values"], one["last_ok"] or "never", one["error"]))
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
        print(_line(one.org, one.name, one.kind, one.url, table.count(one.org, one.name, now), one.error or "well"))
    table.close()
    office.close()
    return 0


def _sources_add(args: argparse.Namespace) -> int:
    from commonwatch.errors import NotFound
    from commonwatch.hub.intelligence.fetching import client
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
    )  # fmt: skip
    table.add(made)
    table.close()
    office.close()
    return 0


def _auth(args: argparse.Namespace) -> Any:
    """Credentials from the environment or a file."""
    from commonwatch.hub.intelligence.fetching import Auth

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
    failed = 0
    for source in wanted:
        kept, error = pull(table, source, opened(office.keys, source), office.clock.now)
        print(_line(source.org, source.name, kept, error or "well"))
        failed += bool(error)
    table.close()
    office.close()
    return 1 if failed else 0
