"""`commonwatch releases`: list what I may open, fetch one as Arrow, ask a private or thresholded one a question.

Rules: it asks a hub with an API token of the scope `read`; numbers are printed with their privacy interval, as the hub
says them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from commonwatch.cli.client import Client, add_options
from commonwatch.errors import InvalidInput

PATH = "/api/releases"


def add(parser: argparse.ArgumentParser) -> None:
    """The subcommands."""
    subs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    listing = subs.add_parser("list", help="the releases I may open")
    listing.set_defaults(run=_list)
    show = subs.add_parser("show", help="one release: its contract, or its Arrow stream into a file")
    show.add_argument("release", help="an id, as listed")
    show.add_argument("--version", type=int, help="an older version of a release that grows")
    show.add_argument("--out", type=Path, metavar="FILE", help="write the Arrow IPC stream here")
    show.set_defaults(run=_show)
    box = subs.add_parser("box", help="one number and its parts, each with its privacy interval")
    box.add_argument("release", help="an id, as listed")
    box.add_argument("--where", action="append", default=[], metavar="DIM=A,B", help="only these values; repeat")
    box.add_argument("--since", metavar="DAY", help="from this day on, such as 2026-11-30")
    box.add_argument("--until", metavar="DAY", help="before this day")
    box.add_argument("--by", metavar="DIM", help="day, week or a dimension")
    box.set_defaults(run=_box)
    for one in (listing, show, box):
        add_options(one)
        one.add_argument("--json", action="store_true")


def _list(args: argparse.Namespace) -> int:
    with Client.of(args) as client:
        found = client.get(PATH)["releases"]
    for one in found:
        print(json.dumps(one) if args.json else line(one))
    return 0


def line(one: dict[str, Any]) -> str:
    """A release in one line."""
    about, dims = one.get("about") or {}, ", ".join(one["dims"])
    what = about.get("measure") or ", ".join(one["measures"])
    where = f" {about['community']}, version {about['version']}" if about else ""
    return (
        f"{one['id']}  {one['kind']}{where}  {one['window']['from'][:10]} to {one['window']['to'][:10]}  {dims}: {what}"
    )


def _show(args: argparse.Namespace) -> int:
    import pyarrow as pa

    more = {} if args.version is None else {"version": args.version}
    with Client.of(args) as client:
        body = client.send("GET", f"{PATH}/{args.release}", params=more).content
    if args.out:
        try:
            args.out.write_bytes(body)
        except OSError as error:
            raise InvalidInput(f"cannot be written: {error.strerror}", where=str(args.out)) from None
    table = pa.ipc.open_stream(body).read_all()
    meta = json.loads((table.schema.metadata or {})[b"commonwatch"])
    print(json.dumps(meta, indent=None if args.json else 1))
    print(f"{table.num_rows} cells", file=sys.stderr)
    return 0


def _box(args: argparse.Namespace) -> int:
    asked: dict[str, Any] = {"where": dict(_where(text) for text in args.where)}
    asked |= {name: value for name in ("since", "until", "by") if (value := getattr(args, name))}
    with Client.of(args) as client:
        found = client.post(f"{PATH}/{args.release}/box", asked)
    print(json.dumps(found) if args.json else "\n".join(box_lines(found)))
    return 0


def _where(text: str) -> tuple[str, list[str]]:
    dim, equals, values = text.partition("=")
    if not (dim and equals and values):
        raise InvalidInput("this is not DIM=A,B", where="--where", todo="say it as family=qakbot,emotet")
    return dim, values.split(",")


def box_lines(found: dict[str, Any]) -> list[str]:
    """An answer for people."""
    lines = [found["measure"], f"{'in all':<24}{found['total']['text']}"]
    lines += [f"{row['label']:<24}{row['text']}" + _part(row) for row in found["rows"]]
    return [*lines, found["note"]] if found["note"] else lines


def _part(row: dict[str, Any]) -> str:
    return "  partly modelled" if row["basis"] == "partly modelled" else ""
