"""`commonwatch privacy budget` and `cost`: what my budget was spent on, and what a release costs before it is spent."""

from __future__ import annotations

import argparse
import json
from typing import Any

from commonwatch.cli.client import Client, add_options

BUDGET = "what my organisation's privacy budget was spent on, by whom, what is left and when it renews"
COST = "what my release of a community costs its owners in these eight weeks, and how exact it is; spends nothing"


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Both subcommands."""
    one = subparsers.add_parser("budget", help=BUDGET, description=BUDGET)
    one.set_defaults(run=_budget)
    other = subparsers.add_parser("cost", help=COST, description=COST)
    other.add_argument("community")
    other.add_argument("--tier", choices=("community", "vetted"), help="(default: the highest there is for me)")
    other.set_defaults(run=_cost)
    for parser in (one, other):
        add_options(parser)
        parser.add_argument("--json", action="store_true")


def _budget(args: argparse.Namespace) -> int:
    with Client.of(args) as client:
        found = client.get("/api/budget")
    print(json.dumps(found) if args.json else "\n".join(budget_lines(found)))
    return 0


def budget_lines(found: dict[str, Any]) -> list[str]:
    """An account for people."""
    lines = [found["words"], "", f"{'reader':<28}{'allowed':>14}{'spent':>14}{'left':>14}  renews"]
    lines += [
        f"{r['reader']:<28}{r['allowed']:>14}{r['spent']:>14}{r['left']:>14}  {r['renews'][:10]}"
        for r in found["readers"]
    ]
    lines += ["", f"all readers together, if they pooled: {found['pooled']} (epsilon {found['pooled_epsilon']:g})", ""]
    return lines + [f"{s['at']}  {s['rho']:>8}  {s['reader']}: {s['what']}" for s in found["spent"]]


def _cost(args: argparse.Namespace) -> int:
    asked = {"community": args.community} | ({"tier": args.tier} if args.tier else {})
    with Client.of(args) as client:
        found = client.post("/api/releases/plan-cost", asked)
    print(json.dumps(found) if args.json else "\n".join(cost_lines(found)))
    return 0


def cost_lines(found: dict[str, Any]) -> list[str]:
    """A cost for people."""
    lines = [found["words"], f"{found['owners']} of {found['members']} members take part; {found['needed']} are needed"]
    lines += [f"left out, {reason}: {n}" for reason, n in found["left_out"].items()]
    return lines + [f"{e['view']:<20} within {e['half']:g} of the bounded count, 95 %" for e in found["expected"]]
