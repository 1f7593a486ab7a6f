"""`commonwatch gateway`: try a log file, enrol with a hub, run, show status and indicators.

Rules held here: stdout carries results only (one JSON object where asked), progress goes to stderr; the state folder is
`--state`, else $COMMONWATCH_GATEWAY, else ~/.commonwatch-gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from commonwatch.errors import InvalidInput

if TYPE_CHECKING:
    from commonwatch.gateway.runtime import Runtime
    from commonwatch.gateway.state import StateFolder

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of every subcommand."""
    subs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("commonwatch.cli.gateway_try").add(subs)
    importlib.import_module("commonwatch.cli.gateway_preview").add(subs)
    importlib.import_module("commonwatch.cli.gateway_labels").add(subs)
    importlib.import_module("commonwatch.cli.privacy.reveal").add(subs)
    _add_enrol(subs)
    run = _sub(subs, "run", "read logs and send what the agreements allow", _run)
    run.add_argument("inputs", nargs="*", type=Path, metavar="FILE_OR_DIR", help="logs to read; - is standard input")
    run.add_argument("--once", action="store_true", help="read to the end, wait for receipts, print a JSON summary")
    run.add_argument("--patience", type=float, default=None, metavar="SECONDS", help="with --once: give up after this")
    status = _sub(subs, "status", "what this gateway has read, sent and received", _status)
    status.add_argument("--json", action="store_true")
    indicators = _sub(subs, "indicators", "the indicators this gateway holds", _indicators)
    indicators.add_argument("--json", action="store_true")
    for verb in ("revoke", "suspend"):
        text = f"{verb} an agreement here and now, signed with your organisation's key; the hub is told when it can be"
        one = _sub(subs, verb, text, _narrow)
        one.add_argument("agreement")
        one.add_argument("--key", required=True, type=Path, help="private key file made by `agreement keygen`")
        one.add_argument("--reason", help="one line for the other parties")
        one.set_defaults(verb=verb)
    importlib.import_module("commonwatch.cli.site.kept").add(subs, _sub)
    reconcile = _sub(subs, "reconcile", "go on after the hub's audit log broke with what was seen before", _reconcile)
    reconcile.add_argument("--yes", action="store_true", required=True, help="I have looked at the evidence")


def _add_enrol(subs: Any) -> None:
    enrol = _sub(subs, "enrol", "join a hub with a one-time code", _enrol)
    enrol.add_argument("url", metavar="URL", nargs="?")
    enrol.add_argument("code", metavar="CODE", nargs="?")
    enrol.add_argument("--file", type=Path, help="a TOML file with url, code and perhaps name, prepared by others")
    enrol.add_argument("--name")
    enrol.add_argument("--root", type=Path, help="root.key of another gateway of the same organisation")


def _sub(subs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subs.add_parser(name, help=text, description=text)
    state_folder(parser)
    parser.set_defaults(run=run)
    return parser


def state_folder(parser: argparse.ArgumentParser) -> None:
    """The option that names the state folder."""
    default = os.environ.get("COMMONWATCH_GATEWAY") or str(Path.home() / ".commonwatch-gateway")
    parser.add_argument("--state", type=Path, default=Path(default), metavar="DIR", help="state folder")


def _folder(args: argparse.Namespace) -> StateFolder:
    from commonwatch.gateway.state import StateFolder

    return StateFolder(args.state)


def _say(what: str) -> None:
    print(f"gateway: {what}", file=sys.stderr, flush=True)


def _enrol(args: argparse.Namespace) -> int:
    from commonwatch.gateway.enrol import enrol

    url, code, name = _to_enrol(args)
    if url.startswith("http://") and urlsplit(url).hostname not in _LOOPBACK:
        _say("warning: plain HTTP to another machine: what is sent is signed but can be read on the way; use https")
    identity = enrol(url, code, _folder(args), name=name, root=args.root)
    found = {"gateway": identity.gateway, "org": identity.org, "org_name": identity.org_name, "state": str(args.state)}
    print(json.dumps(found))
    return 0


def _to_enrol(args: argparse.Namespace) -> tuple[str, str, str]:
    """Address, code and name: from the command line, or from a file prepared for this gateway."""
    given = read_provision(args.file.read_text("utf-8")) if args.file else {}
    url, code = args.url or given.get("url"), args.code or given.get("code")
    if not url or not code:
        raise InvalidInput("address and code are needed", where="URL CODE", todo="name both, or a --file with both")
    return url, code, args.name or given.get("name") or socket.gethostname() or "gateway"


def read_provision(text: str) -> dict[str, str]:
    """A prepared file: `url`, `code`, and perhaps `name`. Raises InvalidInput."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"not TOML: {error}", where="--file", todo="ask for a new file") from None
    if extra := found.keys() - {"url", "code", "name"}:
        raise InvalidInput(f"unknown key {min(extra)!r}", where="--file", todo="only url, code and name are known")
    return {name: str(value) for name, value in found.items()}


def _run(args: argparse.Namespace) -> int:
    from commonwatch.gateway.runtime import Runtime

    for path in args.inputs:
        if str(path) != "-" and not path.exists():
            raise InvalidInput("no such file or folder", where=str(path), todo="name files or folders of logs")
    folder = _folder(args)
    _ = folder.identity
    if not args.inputs and not folder.settings().listen:
        todo = "name files or folders of logs, - for standard input, or listeners in settings.toml"
        raise InvalidInput("there is nothing to read", where="FILE_OR_DIR", todo=todo)
    with folder.locked():
        runtime = Runtime(folder, args.inputs, _say, once=args.once)
        summary = asyncio.run(_until_signalled(runtime, args.patience if args.once else None))
        runtime.journal.close()
    if args.once:
        print(json.dumps(summary))
        return 0 if summary["spool"]["batches"] == 0 and not summary["refused"] else 1
    return 0


async def _until_signalled(runtime: Runtime, patience: float | None) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError):
            loop.add_signal_handler(number, runtime.stop)
    return await runtime.run(patience)


def _status(args: argparse.Namespace) -> int:
    from commonwatch.gateway.report import status

    found = status(_folder(args), values=True)
    print(json.dumps(found, indent=2) if args.json else _words(found))
    return 0


def _words(found: dict[str, Any]) -> str:
    counts, spool = found["counts"], found["spool"]
    lines = [
        f"gateway {found['gateway']} of {found['org']} at {found['hub']}",
        f"read {counts['read']}, mapped {counts['mapped']}, not agreed {counts['not_agreed']}, "
        f"acknowledged {counts['acknowledged']}, stored {counts['stored']}",
        f"waiting to be sent: {spool['events']} events in {spool['batches']} batches",
        *(f"skipped {n}: {reason}" for reason, n in counts["skipped"].items()),
        *(f"quarantined {n}: {reason}" for reason, n in counts["quarantined"].items()),
        *(f"set aside {s['rows']} events: {s['reason']}" for s in found["set_aside"]),
        f"indicators held: {found['indicators']}, of which seen here: {found['matches']}",
        *(f"SEEN HERE {m['count']} times: {m['value']}" for m in found["seen_here"][:20]),
    ]
    if found["distrusts_hub"]:
        lines.append("THE HUB'S AUDIT LOG BROKE WITH WHAT WAS SEEN BEFORE: nothing is sent (gateway reconcile --yes)")
    return "\n".join(lines)


def _indicators(args: argparse.Namespace) -> int:
    from commonwatch.gateway.downlink.inbox import listing
    from commonwatch.gateway.journal import Journal

    folder = _folder(args)
    _ = folder.identity
    journal = Journal(folder.path / "gateway.db")
    try:
        found = listing(journal, folder)
    finally:
        journal.close()
    print(json.dumps(found, indent=2) if args.json else "\n".join(map(_indicator, found)))
    return 0


def _indicator(item: dict[str, Any]) -> str:
    seen = item.get("seen_here")
    return f"{item['type']}\t{item['value']}" + (f"\tseen here {seen['count']} times" if seen else "")


def _narrow(args: argparse.Namespace) -> int:
    from commonwatch.agreements.signing import SigningKey
    from commonwatch.cli.files import jwk
    from commonwatch.gateway.clock import Clock
    from commonwatch.gateway.downlink.policy import PolicyKeeper
    from commonwatch.gateway.edge import edge_keys
    from commonwatch.gateway.journal import Journal
    from commonwatch.gateway.narrowing import narrow

    folder = _folder(args)
    identity, journal = folder.identity, Journal(folder.path / "gateway.db")
    try:
        clock = Clock()
        keeper = PolicyKeeper(journal, identity, edge_keys(folder.root, identity.org), clock)
        keeper.restore()
        key = SigningKey.from_jwk(jwk(str(args.key)))
        signed = narrow(keeper, journal, clock, kind=args.verb, agreement=args.agreement, key=key, reason=args.reason)
    finally:
        journal.close()
    print(json.dumps({"statement": signed.digest, "agreement": args.agreement, "what": args.verb, "holds_here": True}))
    return 0


def _reconcile(args: argparse.Namespace) -> int:
    from commonwatch.gateway.downlink.witness import reconcile
    from commonwatch.gateway.journal import Journal

    folder = _folder(args)
    _ = folder.identity
    with folder.locked():
        journal = Journal(folder.path / "gateway.db")
        reconcile(journal)
        journal.close()
    print("the next head of the audit log is trusted again; the evidence is kept")
    return 0
