"""`commonwatch agreement seen`: what left of my organisation, to whom, under which clauses; listed, followed, proven.

Rules: it asks a hub with an API token that has the scope `audit`; a proof is checked here, with the standard library
alone, before anything is said of it, and written so that `commonwatch audit verify` checks it anywhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from commonwatch.audit import verify
from commonwatch.cli.client import Client, add_options
from commonwatch.errors import InvalidInput

TEXT = "what left of my organisation, to whom, under which clauses, how often"
FILTERS = ("since", "until", "reader", "agreement", "clause", "surface")
PATH = "/api/accesses"
A_PAGE = 1_000


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The subcommand."""
    one = actions.add_parser("seen", help=TEXT, description=TEXT)
    add_options(one)
    one.add_argument("--since", help="an RFC 3339 instant, or back from now: 24h, 30d")
    one.add_argument("--until", help="the same; not included")
    one.add_argument("--reader", help="one organisation")
    one.add_argument("--agreement", help="one agreement, in any version")
    one.add_argument("--clause", help="a clause's name, or agreement@version#clause")
    one.add_argument("--surface", help="explore, rows, release, indicators, taxii, gateway, alert, export or lookup")
    one.add_argument("--limit", type=int, default=100, help="at most so many, newest first (default 100)")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--summary", action="store_true", help="added up by reader, agreement, clause, surface and day")
    how.add_argument("--json", action="store_true", help="one JSON object a line")
    how.add_argument("--csv", action="store_true", help="all of them as CSV")
    how.add_argument("--follow", action="store_true", help="what leaves from now on, as it leaves, one JSON a line")
    how.add_argument("--prove", metavar="FOLDER", type=Path, help="check each against the audit log; keep the proofs")
    one.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Do what the options say."""
    wanted = {name: value for name in FILTERS if (value := getattr(args, name))}
    with Client.of(args) as client:
        if args.follow:
            return _follow(client)
        if args.csv:
            sys.stdout.write(client.send("GET", f"{PATH}/export", params={**wanted, "format": "csv"}).text)
            return 0
        if args.summary:
            return _summary(client.get(f"{PATH}/summary", **wanted))
        found = list(_listed(client, wanted, args.limit))
        if args.prove:
            return _prove(client, found, args.prove)
    for access in found:
        print(json.dumps(access) if args.json else line(access))
    if not found and not args.json:
        print("nothing left in that time, as far as this hub knows", file=sys.stderr)
    return 0


def line(access: dict[str, Any]) -> str:
    """An access in one line."""
    fields = ", ".join(f"{field} {level}" for field, level in access["fields"].items()) or "no field"
    often = f" in {access['uses']} answers" if access["uses"] > 1 else ""
    return (
        f"{access['at']}  {access['reader']} ({access['by']}, {access['purpose']})  {access['surface']}: "
        f"{access['count']} {access['unit']}{often} under {', '.join(access['clauses'])}; {fields}"
    )


def _listed(client: Client, wanted: dict[str, str], limit: int) -> Iterator[dict[str, Any]]:
    after: str | None = ""
    while limit > 0 and after is not None:
        page = client.get(PATH, **wanted, after=after, limit=min(limit, A_PAGE))
        yield from page["accesses"]
        limit, after = limit - len(page["accesses"]), page["after"]


def _summary(found: dict[str, Any]) -> int:
    for title in ("readers", "agreements", "clauses", "surfaces", "days"):
        print(f"by {title}")
        for each in found[title]:
            said = found["words"].get(each["key"]) or found["names"].get(each["key"], "")
            print(f"  {each['uses']:>8} answers  {each['key']}  {said}".rstrip())
    return 0


def _follow(client: Client) -> int:
    """Print what leaves until the hub ends the stream; exit 1 then, because nothing is watched any more."""
    for name, data in client.events(f"{PATH}/stream"):
        if name == "hello":
            print("listening; what leaves is printed as it leaves", file=sys.stderr, flush=True)
        if name == "access":
            print(json.dumps(data), flush=True)
        if name == "bye":
            print(f"the hub ended the stream: {data.get('reason', '')}", file=sys.stderr)
    return 1


def _prove(client: Client, accesses: list[dict[str, Any]], folder: Path) -> int:
    """All proofs against one checkpoint, written beside it; exit 1 when one does not hold."""
    checkpoint: dict[str, Any] | None = None
    proofs = []
    for access in accesses:
        size = {"size": checkpoint["size"]} if checkpoint else {}
        given = client.get(f"{PATH}/{access['id']}/proof", **size)
        checkpoint = checkpoint or given["checkpoint"]
        proofs.append(given["proof"])
    if checkpoint is None:
        raise InvalidInput("there is nothing to prove", todo="ask for another time")
    _write(folder, {"checkpoint.json": checkpoint, "proofs.json": proofs})
    failed = 0
    for verdict, said in verify.findings_of([checkpoint], proofs, None, None):
        print(f"{verdict:<10} {said}")
        failed += verdict == "FAILED"
    kept = f"commonwatch audit verify {folder / 'checkpoint.json'} --proof {folder / 'proofs.json'} --key HEX"
    print(f"kept; check it anywhere with: {kept}", file=sys.stderr)
    return 1 if failed else 0


def _write(folder: Path, files: dict[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", where=str(folder)) from None
