"""The formats by name: what each is for, which kinds of value it can hold, what it is served as."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from commonwatch.share.indicators import Indicator
from commonwatch.share.outputs import lists
from commonwatch.share.outputs.about import About
from commonwatch.share.outputs.rpz import rpz
from commonwatch.share.outputs.suricata import suricata

Render = Callable[[Sequence[Indicator], About], bytes]
_TEXT = "text/plain; charset=utf-8"


class Format(NamedTuple):
    """One format. `file` is the name a download gets."""

    about: str
    kinds: tuple[str, ...]
    media: str
    file: str
    render: Render


FORMATS: Mapping[str, Format] = {
    "ip": Format("addresses, one a line (firewalls' dynamic lists, ipset)", ("ip",), _TEXT, "ip.txt", lists.plain),
    "domain": Format("domains, one a line", ("domain",), _TEXT, "domain.txt", lists.plain),
    "url": Format("URLs without scheme, one a line", ("url",), _TEXT, "url.txt", lists.urls),
    "hash": Format("file hashes, one a line", ("sha256", "sha1", "md5"), _TEXT, "hash.txt", lists.plain),
    "rpz": Format("response policy zone for resolvers", ("ip", "domain"), _TEXT, "commonwatch.rpz", rpz),
    "suricata": Format(
        "rules and datasets, zipped", ("ip", "domain", "sha256", "sha1", "md5"), "application/zip",
        "commonwatch-suricata.zip", suricata,
    ),
    "wazuh": Format("CDB list", ("ip", "domain", "sha256", "sha1", "md5"), _TEXT, "commonwatch.cdb", lists.wazuh),
    "crowdsec": Format("decisions to import", ("ip",), "application/json", "decisions.json", lists.crowdsec),
}  # fmt: skip
