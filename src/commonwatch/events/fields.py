"""Clause fields and their families: what a clause can disclose, and how precisely.

One table prefixes every other table in the project (`agreements.md` 2): family -> precision chain (lowest first) and
whether the family has tokens (a linkage chain below `true`). A field belongs to one family; a column of the event
(`columns.py`) belongs to one field. Order of FIELDS is the catalogue order of the controlled English.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

FamilyName = Literal[
    "address", "identity", "mailbox", "time", "term", "text", "link", "domain", "port", "number", "sector", "place",
    "code", "hash",
]  # fmt: skip


class Family(NamedTuple):
    """Precision chain, lowest first, and whether values can be replaced by linkable tokens."""

    name: FamilyName
    precisions: tuple[str, ...]
    tokens: bool


FAMILIES: dict[FamilyName, Family] = {
    f.name: f
    for f in (
        Family("address", ("withheld", "scope", "subnet", "country", "network", "exact"), True),
        Family("identity", ("withheld", "exact"), True),
        Family("mailbox", ("withheld", "domain", "exact"), True),
        Family("time", ("withheld", "window", "week", "day", "hour", "minute", "exact"), False),
        Family("term", ("withheld", "family", "exact"), False),
        Family("text", ("withheld", "redacted", "exact"), False),
        Family("link", ("withheld", "site", "path", "exact"), False),
        Family("domain", ("withheld", "registered", "exact"), False),
        Family("port", ("withheld", "range", "exact"), False),
        Family("number", ("withheld", "magnitude", "exact"), False),
        Family("sector", ("withheld", "section", "exact"), False),
        Family("place", ("withheld", "country", "exact"), False),
        Family("code", ("withheld", "exact"), False),
        Family("hash", ("withheld", "exact"), False),
    )
}

#: Linkage chain, lowest first; families without tokens use only `none` and `true`.
LINKAGES = ("none", "release", "reader", "community", "true")

FieldName = Literal[
    "time", "owner", "sensor", "owner_sector", "owner_region", "owner_size", "severity", "action", "signature",
    "attack", "malware", "vulnerability", "src_ip", "src_port", "dst_ip", "dst_port", "host", "user", "protocol",
    "volume", "domain", "url", "user_agent", "file_hash", "file_name", "file_path", "command", "fingerprint",
    "mail_from", "mail_to", "mail_subject", "message",
]  # fmt: skip


class Field(NamedTuple):
    """A clause field: its name, its family and the words people read."""

    name: FieldName
    family: FamilyName
    label: str


FIELDS: dict[FieldName, Field] = {
    f.name: f
    for f in (
        Field("time", "time", "time"),
        Field("owner", "identity", "contributor"),
        Field("sensor", "identity", "sensor"),
        Field("owner_sector", "sector", "contributor sector"),
        Field("owner_region", "place", "contributor region"),
        Field("owner_size", "code", "contributor size"),
        Field("severity", "code", "severity"),
        Field("action", "code", "action taken"),
        Field("signature", "term", "signature"),
        Field("attack", "term", "attack technique"),
        Field("malware", "term", "malware name"),
        Field("vulnerability", "term", "vulnerability"),
        Field("src_ip", "address", "source address"),
        Field("src_port", "port", "source port"),
        Field("dst_ip", "address", "destination address"),
        Field("dst_port", "port", "destination port"),
        Field("host", "identity", "host name"),
        Field("user", "identity", "user name"),
        Field("protocol", "code", "protocol"),
        Field("volume", "number", "traffic volume"),
        Field("domain", "domain", "domain name"),
        Field("url", "link", "web address"),
        Field("user_agent", "text", "user agent"),
        Field("file_hash", "hash", "file hash"),
        Field("file_name", "text", "file name"),
        Field("file_path", "text", "file path"),
        Field("command", "text", "command line"),
        Field("fingerprint", "code", "client fingerprint"),
        Field("mail_from", "mailbox", "mail sender"),
        Field("mail_to", "mailbox", "mail recipient"),
        Field("mail_subject", "text", "mail subject"),
        Field("message", "text", "message text"),
    )
}


def family_of(field: FieldName) -> Family:
    """The family a clause field belongs to."""
    return FAMILIES[FIELDS[field].family]
