"""`commonwatch agreement templates --publish|--withdraw|--older`: a community's templates on its hub.

The token is one of an administrator of the steward (publish, withdraw) with the scope `sign`, or of a party (older).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from commonwatch.agreements.decode import convert, to_yaml
from commonwatch.cli.client import Client
from commonwatch.cli.files import text, write_folder


def run(args: argparse.Namespace) -> int:
    """Do what was asked on the hub."""
    with Client.of(args) as hub:
        if args.publish:
            made = hub.post("api/templates", {"document": text(args.publish)})
            print(f"{made['id']} version {made['version']} is on the shelf of {made['community']}")
        elif args.withdraw:
            hub.delete(f"api/templates/{args.withdraw}")
            print(f"{args.withdraw} is off the shelf; what was signed from it stays")
        else:
            _older(hub.get(f"api/templates/{args.older}/renewals"), args.out)
    return 0


def _older(found: list[dict[str, Any]], out: str | None) -> None:
    """List who is on an older version, and write a draft of the next version of each."""
    for one in found:
        by_hand = f"; rewritten by hand: {', '.join(one['by_hand'])}" if one["by_hand"] else ""
        where = f"template version {one['from_version']}, level {one['level']}"
        print(f"{one['agreement']} of {one['owner']}: {where}{by_hand}")
        for problem in one["problems"]:
            print(f"  no draft: {problem['path']}: {problem['message']} ({problem['todo']})")
    if out:
        drafts = {f"{one['agreement']}.yaml": to_yaml(convert(one["document"])) for one in found if one["document"]}
        write_folder(Path(out), drafts)
        print(f"{len(drafts)} drafts in {out}; who does not sign stays as it is")
