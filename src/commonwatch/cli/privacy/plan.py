"""`commonwatch privacy plan`: what must be seen and its budget, or a budget and what it shows. Spends nothing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from commonwatch.errors import InvalidInput

if TYPE_CHECKING:
    from commonwatch.privacy.planner.asking import AskPlan, Planned

EPILOG = """examples:
  commonwatch privacy plan --members 1000 --budget 1/10
  commonwatch privacy plan --members 1000 --outbreak 30 --within-days 2 --exact week=10%
  commonwatch privacy plan --members 5000 --exact window,region,family=30%
"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `plan` subcommand."""
    text = "plan a private release: what must be seen, and the budget it takes; or a budget, and what it shows"
    form = argparse.RawDescriptionHelpFormatter
    parser = subparsers.add_parser("plan", help=text, description=text, epilog=EPILOG, formatter_class=form)
    parser.add_argument("--members", type=int, required=True, help="members of the community")
    for name, usual in (("regions", 8), ("sectors", 10), ("families", 12), ("rare", 7)):
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"on the public list (default {usual})")
    ways = parser.add_argument_group("what must be seen")
    ways.add_argument("--outbreak", type=int, metavar="N", help="notice an outbreak among so many members")
    ways.add_argument("--within-days", type=int, metavar="D", help="which it reaches within so many days")
    ways.add_argument("--where", choices=("region", "everywhere"), default="region", help="(default region)")
    ways.add_argument("--chance", default="95%", help="how likely it is noticed (default 95%%)")
    text = "a view and its mean error, such as week=10%% or window,region,family=30%%; repeat for more"
    ways.add_argument("--exact", action="append", default=[], metavar="VIEW=PERCENT", help=text)
    ways = parser.add_argument_group("or what may be spent")
    ways.add_argument("--budget", metavar="RHO", help="in 8 weeks, as a fraction or decimal: 1/10, 0.1")
    ways.add_argument("--alerts", type=float, default=0.5, help="the part of it for the alert table (default 0.5)")
    parser.add_argument("--profile", choices=("total", "small", "live", "closing"), help="(default: what fits best)")
    parser.add_argument("--delta", type=float, default=1e-6, help="(default 1e-6)")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=_plan)


def _plan(args: argparse.Namespace) -> int:
    from commonwatch.privacy.planner.planning import plan

    found = plan(_asked(args))
    print(msgspec.json.encode(found).decode() if args.json else _told(found))
    return 1 if found.refused else 0


def _asked(args: argparse.Namespace) -> AskPlan:
    """The question, checked as strictly as the API checks it. Raises InvalidInput."""
    from commonwatch.privacy.planner.asking import AskPlan

    sizes = {name: getattr(args, name) for name in ("members", "regions", "sectors", "families", "rare")}
    wanted: list[object] = [_view(text) for text in args.exact]
    if args.outbreak is not None:
        about = {"members": args.outbreak, "days": args.within_days, "where": args.where}
        wanted.append({"kind": "outbreak", "chance": _part(args.chance, "--chance"), **about})
    asked = {"community": sizes, "wanted": wanted, "budget": args.budget, "alerts": args.alerts}
    try:
        return msgspec.convert(asked | {"profile": args.profile, "delta": args.delta}, AskPlan)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error), where="plan", todo="see commonwatch privacy plan --help") from None


def _view(text: str) -> object:
    """`window,region,family=30%`."""
    view, _, part = text.partition("=")
    step, *by = view.split(",")
    return {"kind": "view", "step": step, "by": by, "within": _part(part, "--exact")}


def _part(text: str, where: str) -> float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise InvalidInput(f"{text[:40]!r} is no percentage", where=where, todo="write it as 30% or 0.3") from None


def _told(found: Planned) -> str:
    lines = [f"- {words}" for words in found.words]
    if found.tables:
        lines += ["", f"Tables of the profile {found.profile} (part of the counts' budget, spread of the noise):"]
        lines += [f"  {t.view:<44}{t.share:>10}{t.sd:>9.1f}" for t in found.tables]
    for no in found.refused:
        lines += ["", f"Not promised: {no.what}: {no.why}.", f"  What to do: {no.todo}."]
    return "\n".join(lines).strip()
