"""`commonwatch doctor`: check a gateway on this machine. Exit 0: all well or warnings, 1: something fails."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from commonwatch.cli.gateway import state_folder
from commonwatch.gateway.doctor import Finding, examine

_SIGNS = {"ok": ("ok", "32"), "warning": ("!!", "33"), "failure": ("XX", "31")}


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("inputs", nargs="*", type=Path, metavar="FILE_OR_DIR", help="logs the gateway shall read")
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    state_folder(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check and print."""
    from commonwatch.gateway.state import StateFolder

    found = list(examine(StateFolder(args.state), args.inputs))
    if args.json:
        print(json.dumps([f._asdict() for f in found], indent=2))
    else:
        for one in found:
            _say(one)
    return 1 if any(f.verdict == "failure" for f in found) else 0


def _say(one: Finding) -> None:
    sign, colour = _SIGNS[one.verdict]
    shown = f"\033[{colour}m{sign}\033[0m" if sys.stdout.isatty() else sign
    print(f"{shown}  {one.what}: {one.found}")
    if one.todo:
        print(f"      {one.todo}")
