"""`commonwatch audit verify`: checkpoints, logs and proofs, checked offline with the standard library only."""

from __future__ import annotations

import argparse

from commonwatch.audit import verify


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `commonwatch audit`."""
    subs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    text = "check signatures, logs and proofs; exit 1 if one fails"
    sub = subs.add_parser("verify", help=text, description=text)
    verify.add(sub)
    parser.set_defaults(run=verify.verify)
