"""`commonwatch privacy`: audit private releases, plan their budget, see what it was spent on.

Rules held here: audit and plan need no hub and no member's data; a failed audit exits 1; figures go to stdout, one JSON
object where asked.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from commonwatch.cli.privacy import budget, plan

if TYPE_CHECKING:
    from commonwatch.privacy.audit.loop import LoopFinding
    from commonwatch.privacy.audit.measure import Finding

RUNS, ALPHA, WORKERS = 12_000, 0.01, 2


def add(parser: argparse.ArgumentParser) -> None:
    """The subcommands."""
    subs = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    text = "run the release code on neighbouring communities and bound what one organisation's data reveals"
    audit = subs.add_parser("audit", help=text, description=text)
    audit.add_argument("--runs", type=int, default=RUNS, help=f"runs a side (default {RUNS})")
    audit.add_argument("--alpha", type=float, default=ALPHA, help=f"chance of a false alarm (default {ALPHA})")
    audit.add_argument("--faults", action="store_true", help="audit planted faults as well: each must be caught")
    audit.add_argument("--json", action="store_true")
    audit.set_defaults(run=_audit)
    plan.add(subs)
    budget.add(subs)


def _audit(args: argparse.Namespace) -> int:
    from commonwatch.privacy.audit.faults import faults
    from commonwatch.privacy.audit.loop import faulty_loops

    begun, planted = time.monotonic(), range(len(faults()) + len(faulty_loops())) if args.faults else range(0)
    with ProcessPoolExecutor(WORKERS) as pool:
        waiting = [pool.submit(_audited, at, args.alpha) for at in planted]
        shipped = (pool.submit(_audit_shipped, args.runs, args.alpha), pool.submit(_audit_loop, args.runs, args.alpha))
        real: list[Finding | LoopFinding] = [one.result() for one in shipped]
        found = [one.result() for one in waiting]
    good = all(f.kept for f in real) and not any(f.kept for f in found)
    if args.json:
        about = [f._asdict() | {"kept": f.kept} for f in (*real, *found)]
        print(json.dumps({"findings": about, "good": good, "seconds": round(time.monotonic() - begun, 1)}))
    else:
        print("\n".join([*(_words(f, planted=False) for f in real), *(_words(f, planted=True) for f in found)]))
        print(f"{'in order' if good else 'NOT IN ORDER'}, {time.monotonic() - begun:.0f} s")
    return 0 if good else 1


def _audit_shipped(runs: int, alpha: float) -> Finding:
    from commonwatch.privacy.audit.measure import audit, shipped

    return audit(shipped(), runs, alpha=alpha)


def _audit_loop(runs: int, alpha: float) -> LoopFinding:
    from commonwatch.privacy.audit.loop import audit_loop, shipped_loop

    return audit_loop(shipped_loop(), runs, alpha=alpha)


def _audited(at: int, alpha: float) -> Finding | LoopFinding:
    from commonwatch.privacy.audit.faults import faults
    from commonwatch.privacy.audit.loop import audit_loop, faulty_loops
    from commonwatch.privacy.audit.measure import audit

    known = faults()
    if at < len(known):
        subject, runs = known[at]
        return audit(subject, runs, alpha=alpha)
    loop, runs = faulty_loops()[at - len(known)]
    return audit_loop(loop, runs, alpha=alpha)


def _words(found: Finding | LoopFinding, *, planted: bool) -> str:
    from commonwatch.privacy.audit.measure import Finding

    verdict = ("NOT CAUGHT" if found.kept else "caught") if planted else ("kept" if found.kept else "BROKEN")
    if isinstance(found, Finding):
        unit, claimed, low = "mu", found.mu, found.mu_low
    else:
        unit, claimed, low = "epsilon", found.eps, found.eps_low
    return (
        f"{found.name:<18} claimed {unit} {claimed:.2f}, at least {low:.2f} is revealed "
        f"({found.confidence:.1%} sure, {found.runs:,} runs a side): {verdict}"
    )
