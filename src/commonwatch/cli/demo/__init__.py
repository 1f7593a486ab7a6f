"""`commonwatch demo`: a whole community on this machine. Watch an outbreak as the MSSP, the CERT, the ISP or an SME.

`--check` walks the same path without a browser and exits 0 only if every step held; `--json` prints one object.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from commonwatch.errors import CommonwatchError, Unavailable

if TYPE_CHECKING:
    from commonwatch.cli.demo.stage import Stage
    from commonwatch.simulate.members import Member


def add(parser: argparse.ArgumentParser) -> None:
    """The options of the demo."""
    parser.add_argument("--check", action="store_true", help="walk the whole path without a browser, then stop")
    parser.add_argument("--json", action="store_true", help="print one JSON object (with --check)")
    parser.add_argument("--members", type=int, default=12, help="how many SMEs (default 12)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--port", type=int, default=0, help="the hub's port (default: a free one)")
    parser.add_argument("--seconds", type=float, help="how long the outbreak takes (default 120, with --check 30)")
    parser.add_argument("--keep", metavar="DIR", help="keep everything in DIR (default: a temporary folder)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Set the stage, replay the outbreak, then wait or check."""
    from commonwatch.cli.demo.check import check
    from commonwatch.cli.demo.stage import Scale, Stage

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    live = args.seconds or (30.0 if args.check else 120.0)
    with _folder(args.keep) as folder:
        stage = Stage(folder, Scale(members=args.members, seed=args.seed, live=live), args.port)
        try:
            set_up(stage)
            if args.check:
                report = check(stage, say)
                print(json.dumps(report, indent=None if args.json else 2))
                return 0 if report["ok"] else 1
            show(stage)
        except CommonwatchError:
            _logs(folder)
            raise
        finally:
            stage.stop()
    return 0


def set_up(stage: Stage) -> None:
    """Found, write history, serve, enrol."""
    organisations, smes = len(stage.community.members), len(stage.smes())
    say(f"founding a hub with {organisations} organisations; {smes} SMEs sign agreements of differing strictness")
    stage.found()
    say(f"writing sensor logs of the days before: {stage.write_history():,} records")
    say("starting the hub")
    stage.serve()
    say(f"enrolling {organisations} gateways")
    stage.enrol()


def show(stage: Stage) -> None:
    """Print one URL per role, replay the outbreak, then wait to be stopped."""
    from commonwatch.cli.demo.replay import replay

    print(f"\n  The hub is at {stage.url}. Open one of these (each works for 50 visits):\n")
    assert stage.founded
    for role, member, hint in cast(stage):
        print(f"  {role:<5} {member.name:<22} {stage.founded.links[member.id + '-analyst']}\n        {hint}")
    print(flush=True)
    hours = f"{stage.scale.hours:.0f} hours in {stage.scale.live:.0f} seconds"
    say(f"an outbreak of {stage.community.truth()['outbreak']['spelling']} begins: {hours}")
    count = replay(stage, lambda part, n: print(f"\r  {part:6.0%}  {n:,} records", end="", file=sys.stderr, flush=True))
    print(file=sys.stderr)
    say(f"the outbreak has run: {count:,} records. Press Ctrl-C to stop everything")
    signal.pause()


#: What more to try, under what was said.
STEWARD = """
        as steward of the community, under Agreements: Our templates, Ceiling of SME Shield"""
WALK = """. Under Agreements:
          New agreement       choose a level, refine its sentences, look at what each reader would see, sign
          Early warning by …  Amend: show less; What changes says to whom; once signed, the others' pictures change
                              Suspend or Revoke: rows are gone at once; a certificate says what was taken back
          Who can see what?   exact answers, with the clauses that give them
          My ceiling          what no agreement may ever exceed
        Who saw what: each access, the clause that allowed it, and its proof against the audit log"""


def cast(stage: Stage) -> Iterator[tuple[str, Member, str]]:
    """Who is worth looking at: (role, member, what to look for)."""
    yield "MSSP", stage.one("mssp"), "sees its customers as one enterprise, each row at its owner's level"
    yield "CERT", stage.one("cert"), "sees less: incidents, members as pseudonyms, hours instead of seconds" + STEWARD
    yield "ISP", stage.one("isp"), "sees days, sectors, families and networks"
    yield "SME", stage.smes()[0], "sees only its own, and decides what the others see" + WALK


def say(text: str) -> None:
    """One line of progress on stderr."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


@contextmanager
def _folder(keep: str | None) -> Iterator[Path]:
    """The demo's folder: the one named, or a temporary one that goes with the demo."""
    if keep:
        path = Path(keep).absolute()
        if path.exists() and any(path.iterdir()):
            raise Unavailable("the folder is not empty", where=str(path), todo="name an empty or new folder")
        path.mkdir(parents=True, exist_ok=True)
        yield path
        return
    made = Path(tempfile.mkdtemp(prefix="commonwatch-demo-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _logs(folder: Path) -> None:
    """The last lines of every process's log, so that a failed start explains itself."""
    for path in sorted(folder.glob("*.log")):
        if tail := path.read_text(errors="replace").splitlines()[-6:]:
            print(f"-- {path.name}", *tail, sep="\n   ", file=sys.stderr)
