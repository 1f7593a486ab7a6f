"""Suricata: rules over datasets, one set of files in a ZIP, so that a list of any length costs a few rules.

Rules held here: strings are base64 in the files, as `type string` wants them; numbers of rules are fixed by kind
(9,900,000 and up, of the range for local use); a list to block with drops where Suricata is inline, a watchlist alerts.
Source: Suricata user guide, Datasets (7.0); file hash keywords take lists of hexadecimal digests.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from commonwatch.share.indicators import Indicator
from commonwatch.share.outputs.about import About

_SID = 9_900_000


class _Set(NamedTuple):
    """A dataset file and the rules that read it; `{file}` and the action stand open."""

    file: str
    rules: tuple[str, ...]
    line: Callable[[str], str]


def _encoded(value: str) -> str:
    return base64.b64encode(value.lower().encode()).decode()


_SETS: Mapping[str, _Set] = {
    "ip": _Set(
        "commonwatch-ip.lst",
        (
            'ip any any -> any any (msg:"Commonwatch address, out"; ip.dst; dataset:isset,cw-ip,type ip,load {file};',
            'ip any any -> any any (msg:"Commonwatch address, in"; ip.src; dataset:isset,cw-ip,type ip,load {file};',
        ),
        str,
    ),
    "domain": _Set(
        "commonwatch-domain.lst",
        (
            'dns any any -> any any (msg:"Commonwatch domain, DNS"; dns.query; to_lowercase; '
            "dataset:isset,cw-domain,type string,load {file};",
            'tls any any -> any any (msg:"Commonwatch domain, TLS"; tls.sni; to_lowercase; '
            "dataset:isset,cw-domain,type string,load {file};",
            'http any any -> any any (msg:"Commonwatch domain, HTTP"; http.host; '
            "dataset:isset,cw-domain,type string,load {file};",
        ),
        _encoded,
    ),
    "sha256": _Set(
        "commonwatch-sha256.lst", ('http any any -> any any (msg:"Commonwatch file, SHA-256"; filesha256:{file};',), str
    ),
    "sha1": _Set(
        "commonwatch-sha1.lst", ('http any any -> any any (msg:"Commonwatch file, SHA-1"; filesha1:{file};',), str
    ),
    "md5": _Set("commonwatch-md5.lst", ('http any any -> any any (msg:"Commonwatch file, MD5"; filemd5:{file};',), str),
}


def suricata(items: Sequence[Indicator], about: About) -> bytes:
    """A ZIP of `commonwatch.rules` and the files it reads. Equal lists give equal bytes."""
    files = {}
    rules = [f"# {line}" for line in about.lines(items)]
    action = "drop" if about.product == "block" else "alert"
    for n, (kind, known) in enumerate(_SETS.items()):
        if values := [known.line(item.value) for item in items if item.kind == kind]:
            files[known.file] = "\n".join(values) + "\n"
            for m, rule in enumerate(known.rules):
                body = rule.replace("{file}", known.file)
                rules.append(f"{action} {body} classtype:trojan-activity; sid:{_SID + 10 * n + m}; rev:1;)")
    return _zipped({"commonwatch.rules": "\n".join(rules) + "\n", **files})


def _zipped(files: Mapping[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)
    return made.getvalue()
