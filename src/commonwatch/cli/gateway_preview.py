"""Arguments of `commonwatch gateway preview DRAFT`; what it does is in `cli.preview.local`, imported when asked."""

from __future__ import annotations

import argparse
import os
from pathlib import Path


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `preview` subcommand."""
    text = "say what a draft agreement would send from here and what each reader would see, before anything leaves"
    parser = subparsers.add_parser("preview", help=text, description=text)
    default = os.environ.get("COMMONWATCH_GATEWAY") or str(Path.home() / ".commonwatch-gateway")
    parser.add_argument("draft", type=Path, metavar="DRAFT", help="an agreement or charter, signed or not")
    text = "logs to read; default: those an enrolled gateway has read"
    parser.add_argument("--files", nargs="+", type=Path, default=[], metavar="FILE", help=text)
    parser.add_argument("--days", type=int, default=7, help="how far back (1 to 90; default 7)")
    parser.add_argument("--rows", type=int, default=5, help="rows to show for each reader (1 to 50; default 5)")
    parser.add_argument("--reader", metavar="NAME", help="look at this reader only")
    text = "documents in force beside the draft (repeatable); default: what the gateway holds"
    parser.add_argument("--agreements", action="append", default=[], type=Path, metavar="PATH", help=text)
    parser.add_argument("--own", action="append", default=[], metavar="CIDR", help="a network of your own (repeatable)")
    parser.add_argument("--rules", type=Path, metavar="FILE", help="labelling rules; default: the gateway's")
    parser.add_argument("--zone", help="time zone of times that give none")
    parser.add_argument("--state", type=Path, default=Path(default), metavar="DIR", help="state folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object with everything")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, look, print."""
    from commonwatch.cli.preview.local import preview_here

    return preview_here(args)
