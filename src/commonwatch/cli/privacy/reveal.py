"""`commonwatch gateway reveal TOKEN`: what is behind a pseudonym of your own. The root key stays in its folder."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
from pathlib import Path

from commonwatch.errors import InvalidInput


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `reveal` subcommand."""
    text = "say what is behind a pseudonym of your own, as somebody you share with was shown it"
    parser = subparsers.add_parser("reveal", help=text, description=text)
    default = os.environ.get("COMMONWATCH_GATEWAY") or str(Path.home() / ".commonwatch-gateway")
    parser.add_argument("token", metavar="TOKEN", help="pfx:…, det:…, user_…, host_… as it was shown")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--reader", metavar="ORG", help="the organisation that was shown it")
    shown.add_argument("--community", metavar="ID", help="the community whose members share this pseudonym")
    text = "a day on which it was shown (default today); pseudonyms change every 28 days"
    parser.add_argument("--on", metavar="YYYY-MM-DD", help=text)
    text = "your own names, one a line: a name's token is one-way and is found among these"
    parser.add_argument("--among", type=Path, metavar="FILE", help=text)
    parser.add_argument("--state", type=Path, default=Path(default), metavar="DIR", help="state folder")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_reveal)


def _reveal(args: argparse.Namespace) -> int:
    from commonwatch.gateway.edge import edge_keys
    from commonwatch.gateway.state import StateFolder
    from commonwatch.privacy.pseudonym import epoch_of
    from commonwatch.privacy.reveal import behind, edge_layer, reader_layer

    folder = StateFolder(args.state)
    owner, root = folder.identity.org, folder.root
    recipient = f"reader {args.reader}" if args.reader else f"community {args.community}" if args.community else None
    epoch = epoch_of(_micros(args.on))
    layer = reader_layer(edge_keys(root, owner).for_hub, owner, recipient, epoch) if recipient else None
    found = behind(args.token, edge_layer(root, owner), layer, _candidates(args.among))
    if args.json:
        print(json.dumps([b._asdict() for b in found]))
    else:
        print("\n".join(f"{b.value}\tundone with: {b.keys}" for b in found) or "nothing of yours is behind it")
    return 0 if found else 1


def _micros(day: str | None) -> int:
    try:
        at = dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC) if day else dt.datetime.now(dt.UTC)
    except ValueError:
        raise InvalidInput("not a day", where="--on", todo="write it as 2026-11-25") from None
    return int(at.timestamp()) * 1_000_000


def _candidates(path: Path | None) -> list[str]:
    try:
        return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()] if path else []
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(path), todo="check the path") from None
