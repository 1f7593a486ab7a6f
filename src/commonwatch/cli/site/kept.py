"""`commonwatch gateway original` and `gateway quarantine`: what a gateway keeps for its owner alone.

Rules held here: these commands print records as they came, so they run where the gateway's state folder can be read,
and nowhere else; a replay is done by the running gateway, or by the next one that runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from commonwatch.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from commonwatch.gateway.journal import Journal
    from commonwatch.gateway.keeping.originals import Originals
    from commonwatch.gateway.state import StateFolder


def add(subs: Any, sub: Any) -> None:
    """Add both subcommands; `sub` makes a parser with the state folder's option."""
    original = sub(subs, "original", "a record as it came, by the id of its event", _original)
    original.add_argument("event", nargs="?", metavar="EVENT_ID", help="32 hexadecimal digits")
    original.add_argument("--contains", metavar="TEXT", help="list records with this text in them instead")
    original.add_argument("--limit", type=int, default=20, help="with --contains: list at most so many")
    what = sub(subs, "quarantine", "records that could not be read, and why", _quarantine)
    what.add_argument("verb", choices=["list", "replay"])
    what.add_argument("--json", action="store_true")
    what.add_argument("--limit", type=int, default=100)
    what.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="for the running gateway's answer")


def _state(args: argparse.Namespace) -> StateFolder:
    from commonwatch.gateway.state import StateFolder

    folder = StateFolder(args.state)
    _ = folder.identity
    return folder


@contextmanager
def _kept(folder: StateFolder) -> Iterator[Originals]:
    from commonwatch.gateway.keeping.originals import ORIGINALS, Originals

    most = folder.settings().keep_originals_mb << 20
    if not most and not (folder.path / ORIGINALS).exists():
        todo = "set keep_originals_mb in settings.toml; what comes from then on is kept"
        raise NotFound("this gateway keeps no originals", where="settings.toml", todo=todo)
    with closing(Originals(folder.path / ORIGINALS, folder.originals_key, most)) as originals:
        yield originals


def _original(args: argparse.Namespace) -> int:
    with _kept(_state(args)) as originals:
        if args.contains is not None:
            for uid, original in islice(originals.containing(args.contains.encode()), args.limit):
                print(uid.hex(), original.record.decode("utf-8", "replace"), sep="\t")
            return 0
        found = originals.find(_uid(args.event))
    if found is None:
        todo = "it was never kept, or newer records took its room (keep_originals_mb)"
        raise NotFound("no original of this event is kept", where=args.event, todo=todo)
    sys.stdout.buffer.write(found.record + b"\n")
    sys.stdout.flush()
    return 0


def _uid(text: str | None) -> bytes:
    try:
        uid = bytes.fromhex(text or "")
    except ValueError:
        uid = b""
    if len(uid) != 16:
        raise InvalidInput("not an event id", where="EVENT_ID", todo="give 32 hexadecimal digits, or --contains TEXT")
    return uid


def _quarantine(args: argparse.Namespace) -> int:
    from commonwatch.gateway.journal import Journal

    folder = _state(args)
    with closing(Journal(folder.path / "gateway.db")) as journal:
        return _list(args, folder, journal) if args.verb == "list" else _replay(args, folder, journal)


def _list(args: argparse.Namespace, folder: StateFolder, journal: Journal) -> int:
    from commonwatch.gateway.keeping.replay import uid_of
    from commonwatch.ingest.source import Source

    key = folder.events_key
    rows = [
        {
            "event": uid_of(bad, lambda m: Source(id=m.source, generation=m.generation, key=key)).hex(),
            "reason": bad.reason, "source": bad.source, "position": bad.position,
            "head": bad.head.decode("utf-8", "replace"),
        }
        for bad in journal.quarantined(args.limit)
    ]  # fmt: skip
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        for row in rows:
            print(row["event"], row["reason"], f"{row['source']}:{row['position']}", row["head"], sep="\t")
    return 0


def _replay(args: argparse.Namespace, folder: StateFolder, journal: Journal) -> int:
    from commonwatch.gateway.keeping.replay import ASKED, DONE

    with _kept(folder):
        journal.forget(DONE)
        journal.remember(ASKED, b"1")
    until = time.monotonic() + args.wait
    while (done := journal.note(DONE)) is None and time.monotonic() < until:
        time.sleep(0.1)
    if done is None:
        print("asked for; a gateway that runs and has its agreements does it", file=sys.stderr)
        return 0
    print(done.decode())
    return 0
