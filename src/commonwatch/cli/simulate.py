"""`commonwatch simulate OUT`: write a community's native log files, the same bytes for the same seed."""

from __future__ import annotations

import argparse
from pathlib import Path

from commonwatch.errors import InvalidInput
from commonwatch.ingest.values.times import Times
from commonwatch.simulate import Outbreak, Params, community
from commonwatch.simulate.params import UNTIL


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    known = Outbreak()
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write to")
    parser.add_argument("--members", type=int, default=12, metavar="N", help="number of SMEs (default 12)")
    parser.add_argument("--mssps", type=int, default=1, metavar="N", help="number of MSSPs (default 1)")
    parser.add_argument("--certs", type=int, default=1, metavar="N", help="number of CERTs (default 1)")
    parser.add_argument("--isps", type=int, default=1, metavar="N", help="number of ISPs (default 1)")
    parser.add_argument("--days", type=float, default=7, metavar="D", help="days before the end (default 7)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="everything follows from it (default 1)")
    parser.add_argument("--until", metavar="TIME", help="end of the simulated time, RFC 3339 (default 2026-11-20)")
    parser.add_argument(
        "--events-per-day", type=int, default=1_500, metavar="N", help="of a middling SME (default 1500)"
    )
    parser.add_argument("--no-outbreak", action="store_true", help="background only")
    parser.add_argument("--outbreak-family", metavar="NAME", help="malware family of the outbreak")
    parser.add_argument("--outbreak-before", type=float, default=known.starts_before, metavar="HOURS",
                        help="hours before the end at which it begins (default 36)")  # fmt: skip
    parser.add_argument("--outbreak-spread", type=float, default=known.spread, metavar="HOURS",
                        help="hours over which it spreads (default 24)")  # fmt: skip
    parser.add_argument(
        "--outbreak-seeds", type=int, default=known.seeds, metavar="N", help="first members (default 2)"
    )
    parser.add_argument("--outbreak-share", type=float, default=known.share, metavar="F",
                        help="share of the SMEs hit in the end (default 0.6)")  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files and say what they hold."""
    made = community(_params(args))
    counts = made.write(args.out)
    for member in made.members:
        print(f"{counts[member.id]:>9}  {member.id}  {member.sector}  {member.region}  {member.size}")
    print(f"{sum(counts.values()):>9}  records in {args.out}, truth in {args.out / 'community.json'}")
    return 0


def _params(args: argparse.Namespace) -> Params:
    outbreak = Outbreak(
        family=args.outbreak_family, starts_before=args.outbreak_before, spread=args.outbreak_spread,
        seeds=args.outbreak_seeds, share=args.outbreak_share,
    )  # fmt: skip
    return Params(
        members=args.members, mssps=args.mssps, certs=args.certs, isps=args.isps, days=args.days, seed=args.seed,
        until=_until(args.until), events_per_day=args.events_per_day, outbreak=None if args.no_outbreak else outbreak,
    )  # fmt: skip


def _until(text: str | None) -> int:
    if text is None:
        return UNTIL
    when = Times().read(text if "T" in text else f"{text}T00:00:00Z")
    if when is None:
        raise InvalidInput("not a time", where="--until", todo="write it like 2026-11-20T00:00:00Z")
    return when[0]
