"""The `commonwatch` command: one module per subcommand, each with `add(subparsers)`; imported only when named.

Errors of ours print as one clear line on stderr and exit 2; a failed check exits 1; Ctrl-C exits 130.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from commonwatch import __version__
from commonwatch.errors import CommonwatchError

#: subcommand -> one-line help; the module is `commonwatch.cli.<name>` and offers `add(parser)`, setting `run=`.
COMMANDS: dict[str, str] = {
    "gateway": "try a log file, enrol with a hub, run, show status",
    "hub": "make and serve a hub; organisations, persons, tokens, gateways",
    "agreement": "check, read aloud, sign and compare agreements",
    "intelligence": "take in partners' intelligence; where it comes from",
    "doctor": "check a gateway: what is in order, what is not, what to do",
    "audit": "verify checkpoints and proofs offline",
    "privacy": "audit private releases, plan their budget, see what it was spent on",
    "releases": "list, fetch and ask exact, thresholded and private releases",
    "simulate": "write a community's native log files, reproducible by seed",
    "demo": "run a whole community on this machine and watch an outbreak",
}


def parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """The argument parser; only the subcommand that is named is imported."""
    top = argparse.ArgumentParser(prog="commonwatch", description="Many small organisations, one watch.")
    top.add_argument("--version", action="version", version=f"commonwatch {__version__}")
    subs = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    named = next((a for a in argv if not a.startswith("-")), None)
    for name, help_text in COMMANDS.items():
        sub = subs.add_parser(name, help=help_text, description=help_text)
        if name == named:
            importlib.import_module(f"commonwatch.cli.{name}").add(sub)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args_in = list(sys.argv[1:] if argv is None else argv)
    args = parser(args_in).parse_args(args_in)
    try:
        return int(args.run(args) or 0)
    except CommonwatchError as error:
        print(f"commonwatch {args.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


if __name__ == "__main__":
    sys.exit(main())
