"""`commonwatch agreement preview`: what a draft would show of my own organisation's events at a hub, before signing.

Rules: it asks a hub with an API token that has the scopes `agreements` and `read`; the answer is raw events of one's
own beside what others would see, and goes to this terminal only.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

import msgspec

from commonwatch.cli.client import Client, add_options
from commonwatch.cli.files import text

TEXT = "what a draft would show of my organisation's own events at a hub, reader by reader, before signing"
PATH = "/api/agreements/preview"


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The subcommand."""
    one = actions.add_parser("preview", help=TEXT, description=TEXT)
    add_options(one)
    one.add_argument("file", help="the draft (YAML or JSON, names and keys may be missing); - is standard input")
    one.add_argument("--days", type=int, default=7, help="how far back (1 to 90; default 7)")
    one.add_argument("--rows", type=int, default=5, help="rows to show for each reader (1 to 50; default 5)")
    one.add_argument("--reader", metavar="NAME", help="look at this reader only")
    one.add_argument("--json", action="store_true", help="print one JSON object with everything")
    one.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask and print."""
    from commonwatch.cli.preview.words import Ink, say
    from commonwatch.govern.preview.shapes import Preview

    asked: dict[str, Any] = {"document": text(args.file), "days": args.days, "rows": args.rows, "reader": args.reader}
    with Client.of(args) as client:
        answer = client.post(PATH, asked)
    if args.json:
        print(json.dumps(answer, indent=2))
        return 0
    ink = Ink(sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    print("\n".join(say(msgspec.convert(answer, Preview), ink)))
    return 0
