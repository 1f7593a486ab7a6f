"""`commonwatch gateway labels`: check labelling rules and sign them as their owner. Keys stay in their files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from commonwatch.agreements.signing import SigningKey
from commonwatch.cli.files import jwk
from commonwatch.errors import InvalidInput
from commonwatch.ingest.rules import Rules, read_rules
from commonwatch.ingest.signed_rules import is_signed, open_rules, sign_rules


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `labels` subcommand."""
    text = "check or sign the rules that label your events"
    verbs = subparsers.add_parser("labels", help=text, description=text).add_subparsers(
        dest="verb", required=True, metavar="VERB"
    )
    check = verbs.add_parser("check", help="find faults, and say what the rules are")
    check.add_argument("file", type=Path, help="rules in YAML or JSON, or signed")
    check.set_defaults(run=_check)
    sign = verbs.add_parser("sign", help="sign rules with your organisation's key")
    sign.add_argument("file", type=Path, help="rules in YAML or JSON")
    sign.add_argument("--key", required=True, type=Path, help="private key file made by `agreement keygen`")
    sign.add_argument("--out", required=True, type=Path, help="where to write the signed rules")
    sign.set_defaults(run=_sign)


def rules_in(data: bytes) -> Rules:
    """The rules of a file, signed by whoever or not at all: for looking at them, not for labelling what is sent."""
    return open_rules(data, None).rules if is_signed(data) else read_rules(data)


def _check(args: argparse.Namespace) -> int:
    data = _read(args.file)
    rules = rules_in(data)
    print(f"version {rules.version}, {len(rules.rules)} rules, {'signed' if is_signed(data) else 'not signed yet'}")
    if not any(rule.labels.tlp and not any(_conditions(rule.when)) for rule in rules.rules):
        print("note: events that no rule gives a TLP are TLP:RED, which only agreements naming organisations can share")
    return 0


def _conditions(when: object) -> list[object]:
    return [getattr(when, name) for name in when.__struct_fields__]  # type: ignore[attr-defined]


def _sign(args: argparse.Namespace) -> int:
    rules = read_rules(_read(args.file))
    key = SigningKey.from_jwk(jwk(str(args.key)))
    args.out.write_bytes(sign_rules(rules, key))
    print(json.dumps({"version": rules.version, "rules": len(rules.rules), "signed_by": key.thumbprint}))
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(path), todo="check the path") from None
