"""What every list says of itself: who made it for whom, when, until when it holds, under which markings."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from commonwatch.events.labels import Tlp
from commonwatch.share.indicators import Indicator
from commonwatch.share.outputs.choosing import Product
from commonwatch.share.stix import stamp


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A list's origin. Times in microseconds; `epoch` is the policy epoch it obeys."""

    publisher: str
    reader: str
    product: Product
    made: int
    epoch: int

    def lines(self, items: Sequence[Indicator]) -> list[str]:
        """What a person should read before using it, a sentence a line."""
        use = "may be blocked" if self.product == "block" else "to watch for, not to block"
        strictest = Tlp(max((item.tlp for item in items), default=Tlp.CLEAR)).word.upper()
        agreements = sorted({str(clause).partition("#")[0] for item in items for clause in item.clauses})
        found = [
            f"Commonwatch {self.product}list of {self.publisher} for {self.reader}: {len(items)} values, {use}.",
            f"Made {stamp(self.made)} under policy epoch {self.epoch}. Strictest marking: TLP:{strictest}.",
            "Fetch it anew at least once an hour: values are withdrawn when agreements end.",
        ]
        return found + ([f"Received under: {', '.join(agreements)}."] if agreements else [])


def label(item: Indicator) -> str:
    """A few words for a log line: what it is and how sure."""
    what = item.malware or item.kind
    members = "" if item.sources is None else f", {item.sources} members"
    sure = "" if item.confidence is None else f", confidence {item.confidence}"
    return f"{what}{members}{sure}"
