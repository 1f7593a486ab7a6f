"""500 drafts from a CSV, and the answer an editor gets on each pause, beside the least that would have to be done.

Baselines: decoding 500 agreements that are there already (batch), decoding and checking one (editor). Aims: a fleet in
seconds, an answer in 20 ms.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

from commonwatch.agreements.check import check
from commonwatch.agreements.decode import decode
from commonwatch.agreements.diagnose import diagnose
from commonwatch.agreements.templates.fleet import batch
from commonwatch.hub.templates.shipped import shipped

MEMBERS, AIM_BATCH, AIM_MS = 500, 10.0, 20.0
COMMON = {"operator": "harbour", "community": "shield", "starts": "2027-01-01", "ends": "2027-12-31"}


def members() -> str:
    """A CSV in which every third organisation wants something otherwise."""
    rows = ["owner,owner_name,level,without,withhold"]
    for n in range(MEMBERS):
        level, without = n % 5, "warn-peers" if n % 3 == 0 and n % 5 > 2 else ""
        rows.append(f"member-{n},Member {n} Ltd,{level},{without},{'host user' if n % 7 == 0 else ''}")
    return "\n".join(rows)


def seconds(call: Callable[[], object], times: int) -> float:
    """The median time of a call."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main() -> int:
    """Print the table; 1 when an aim is missed."""
    template, text = shipped()["sme-member"], members()
    begun = time.perf_counter()
    found = batch(template, text, None, COMMON)
    drafts = [one.draft.yaml for one in found.made]
    made = time.perf_counter() - begun
    if len(drafts) != MEMBERS or found.faults:
        raise AssertionError("every row gives a draft")
    bare = seconds(lambda: [decode(draft) for draft in drafts], 3)
    print(f"{MEMBERS} organisations                                 seconds  of decoding")
    print(f"decoding their agreements (baseline)                {bare:8.2f}         1.0")
    print(f"drafts, with exceptions by effect, as YAML          {made:8.2f} {made / bare:11.1f}")
    widest = max(drafts, key=len)
    answer = seconds(lambda: diagnose(widest), 40) * 1000
    least = seconds(lambda: check(decode(widest), draft=True), 40) * 1000
    print("\nan answer to the editor                                  ms  of decoding")
    print(f"decode and check (baseline)                         {least:8.1f}         1.0")
    print(f"canonical form, YAML, English, digest, problems     {answer:8.1f} {answer / least:11.1f}")
    return int(made > AIM_BATCH or answer > AIM_MS)


if __name__ == "__main__":
    sys.exit(main())
