"""`commonwatch agreement` against a hub: list, show, offer, sign, decline, withdraw, suspend, resume, revoke, accept.

Rules: a private key is read from its file, used here and never sent; before anything is signed its English is made here
from the very bytes that will be signed, shown, and agreed to (`--yes` says it in advance).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from commonwatch.agreements.decode import from_yaml
from commonwatch.cli import files
from commonwatch.cli.client import Client, add_options
from commonwatch.cli.life import showing
from commonwatch.cli.life.showing import is_record, verify
from commonwatch.cli.life.signing import change_key, sign_offer, sign_step

Actions = Any
STEPS = {
    "suspend": "nothing is read under an agreement until its owner resumes it",
    "resume": "an agreement is in force again",
    "revoke": "an agreement is over, for good",
    "accept": "accept the duties of an agreement that reaches your organisation as no party",
}
__all__ = ["add", "add_consent", "is_record", "sign", "verify"]


def add(actions: Actions) -> None:
    """The subcommands."""
    _at_hub(actions, "list", "agreements and open offers of my organisation", _list, name=False)
    _at_hub(actions, "show", "one agreement: its text, versions, who signed, what is awaited", _show)
    _at_hub(actions, "history", "what happened to an agreement, from the hub's audit log", _history)
    one = _at_hub(actions, "export", "the record of all that was signed, for `agreement verify`", _export)
    one.add_argument("--out", default="-", help="where to write it (default: standard output)")
    one = _at_hub(actions, "offer", "offer a document for signature", _offer, name=False)
    one.add_argument("file", help="document (YAML or JSON); - is standard input; with --draft the name of a draft")
    one.add_argument("--draft", action="store_true", help="a draft kept at the hub")
    for verb, text in (("decline", "will not sign an offer: it ends"), ("withdraw", "take back an offer of mine")):
        one = _at_hub(actions, verb, text, _end)
        one.add_argument("--reason", default="")
    for verb, text in STEPS.items():
        one = _at_hub(actions, verb, text, _step)
        one.add_argument("--key", required=True, help="private key file made by `keygen`")
        one.add_argument("--reason", default="")
        one.add_argument("--yes", action="store_true", help="do not ask")
    _at_hub(actions, "keys", "signing keys of my organisation", _keys, name=False)
    one = _at_hub(actions, "change-key", "introduce a new signing key with the one in force", _change_key, name=False)
    one.add_argument("--key", required=True, help="private key file of the key in force")
    one.add_argument("--new", required=True, metavar="FILE", help="private key file of the new key")


def add_consent(parser: argparse.ArgumentParser) -> None:
    """Where the hub is, and whether to ask."""
    add_options(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _at_hub(
    actions: Actions, action: str, text: str, run: Callable[[argparse.Namespace], int | None], *, name: bool = True
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = actions.add_parser(action, help=text, description=text)
    made.set_defaults(run=run)
    if name:
        made.add_argument("name", help="the agreement's name, or an offer's hash")
    made.add_argument("--json", action="store_true", help="the hub's answer as JSON")
    add_options(made)
    return made


def _list(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        found = {"agreements": hub.get("api/agreements"), "offers": hub.get("api/offers")}
    _print(args, found, showing.listed)


def _show(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        life = hub.get(f"api/agreements/{args.name}/life")
        whole = [hub.get(f"api/offers/{offer['hash']}") for offer in life["offers"] if offer["awaiting"]]
    _print(args, {**life, "open": whole}, showing.life)


def _history(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        _print(args, hub.get(f"api/agreements/{args.name}/history"), showing.history)


def _export(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        text = json.dumps(hub.get(f"api/agreements/{args.name}/export"), indent=1) + "\n"
    if args.out == "-":
        print(text, end="")
    else:
        files.write(args.out, text.encode())


def _offer(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        body = {"draft": args.file} if args.draft else {"document": _document(args.file)}
        _print(args, hub.post("api/agreements/offer", body), showing.offer)


def _document(file: str) -> Any:
    """The document as the person wrote it: the hub fills in names, keys and version."""
    text = files.text(file)
    return json.loads(text) if text.lstrip().startswith("{") else from_yaml(text)


def sign(args: argparse.Namespace) -> int:
    """Sign an offer: its text is made from the bytes, shown, agreed to; the signature is sent."""
    with Client.of(args) as hub:
        done = sign_offer(hub, args.file, files.jwk(args.key), ask=not args.yes)
    showing.offer(done)
    return 0


def _end(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        done = hub.post(f"api/agreements/{args.name}/{args.action}", {"reason": args.reason})
    _print(args, done, showing.offer)


def _step(args: argparse.Namespace) -> None:
    kind = "accept-duties" if args.action == "accept" else args.action
    with Client.of(args) as hub:
        done = sign_step(hub, args.name, kind, args.reason, files.jwk(args.key), ask=not args.yes)
    _print(args, done, lambda made: print(f"{args.name}: {kind} stated; policy epoch {made['epoch']}"))


def _keys(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        _print(args, hub.get("api/keys"), showing.keys)


def _change_key(args: argparse.Namespace) -> None:
    with Client.of(args) as hub:
        made = change_key(hub, files.jwk(args.key), files.jwk(args.new))
    _print(args, [made], showing.keys)


def _print(args: argparse.Namespace, found: Any, show: Callable[[Any], None]) -> None:
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        show(found)
