"""Malware names to families of a small public list; everything else is `other`.

Rules held here: the column `malware_family` holds only names of this list (or `other`), so that showing a family never
shows a name that only one member has seen. Spelling differences (case, blanks, `_`, `-`, `.`) do not matter. Aliases
are the common ones of public encyclopedias.
"""

from __future__ import annotations

import re
from functools import lru_cache

OTHER = "other"
_PUNCTUATION = re.compile(r"[^a-z0-9]+")

#: family -> further spellings, without punctuation
_ALIASES: dict[str, tuple[str, ...]] = {
    "agenttesla": ("agensla",),
    "akira": (),
    "amadey": (),
    "asyncrat": (),
    "avemaria": ("warzone", "warzonerat"),
    "azorult": (),
    "blackbasta": (),
    "blackcat": ("alphv",),
    "bumblebee": (),
    "cobaltstrike": ("cobaltstrikebeacon", "beacon"),
    "coinminer": ("xmrig", "cryptominer", "coinhive"),
    "conficker": ("downadup", "kido"),
    "cryptolocker": (),
    "danabot": (),
    "darkcomet": (),
    "darkgate": (),
    "dridex": ("bugat", "cridex"),
    "emotet": ("heodo", "geodo"),
    "eternalblue": (),
    "formbook": ("xloader",),
    "gafgyt": ("bashlite", "qbotiot"),
    "gootkit": ("gootloader",),
    "guloader": ("cloudeye",),
    "hive": (),
    "icedid": ("bokbot",),
    "kinsing": (),
    "latrodectus": (),
    "lockbit": ("lockbit30", "lockbitblack"),
    "lokibot": ("loki", "lokipws"),
    "lumma": ("lummac2", "lummastealer"),
    "mirai": (),
    "mozi": (),
    "nanocore": ("nanocorerat",),
    "necurs": (),
    "netsupport": ("netsupportrat",),
    "netwire": ("netwirerat",),
    "njrat": ("bladabindi",),
    "phorpiex": ("trik",),
    "pikabot": (),
    "play": ("playcrypt",),
    "plugx": ("korplug",),
    "qakbot": ("qbot", "quakbot", "pinkslipbot"),
    "raccoon": ("raccoonstealer", "recordbreaker"),
    "ramnit": (),
    "redline": ("redlinestealer",),
    "remcos": ("remcosrat",),
    "revil": ("sodinokibi",),
    "ryuk": (),
    "sality": (),
    "sliver": (),
    "smokeloader": ("dofoil",),
    "snakekeylogger": ("404keylogger",),
    "socgholish": ("fakeupdates",),
    "stealc": (),
    "systembc": ("coroxy",),
    "trickbot": ("trickster", "thetrick"),
    "tsunami": ("kaiten",),
    "ursnif": ("gozi", "isfb"),
    "vidar": (),
    "wannacry": ("wannacrypt", "wcry"),
    "xworm": (),
    "zeus": ("zbot",),
    "zloader": ("deloader", "terdot"),
}

FAMILIES: tuple[str, ...] = tuple(sorted(_ALIASES))
_BY_SPELLING = {spelling: family for family, more in _ALIASES.items() for spelling in (family, *more)}


@lru_cache(maxsize=10_000)
def family_of(name: str) -> str:
    """The family of a malware name: one of `FAMILIES`, or `other`."""
    return _BY_SPELLING.get(_PUNCTUATION.sub("", name.lower()), OTHER)
