"""Dimensions: what readers filter, rank and cube by. Each knows its group columns, its texts, and the way back.

Rules held here: group keys are the shown cells; a held value stands for its token together with the token's number;
`(withheld)` and `(none)` are the texts of "not shown to you" and "shown, and empty", and can be filtered on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from sqlglot import exp

from commonwatch.agreements.lattice import WITHHELD
from commonwatch.events.address import Address, Scope, network_text
from commonwatch.events.fields import FieldName
from commonwatch.events.labels import EventClass, Severity
from commonwatch.govern.answer.tokens import Vault
from commonwatch.govern.decide.shown import BITS_OF, COUNTRY, FIELD_NO, NETWORK, SCOPE, WORD_BITS, Levels
from commonwatch.govern.decide.table import KEY_NAMES, WORD_NAMES, Table
from commonwatch.govern.relation import number
from commonwatch.store import typed
from commonwatch.store.layout import PORT_CODES

WITHHELD_TEXT, ABSENT_TEXT = "(withheld)", "(none)"
Shape = Literal["code", "enum", "text", "port", "list", "address", "name", "hash"]
Kind = Literal["nominal", "ordinal", "org", "region", "country", "technique"]
ACTIONS = {1: "allowed", 2: "denied", 3: "observed", 4: "modified"}
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmpv6", 132: "sctp"}
CLASSES = {int(c): c.word for c in EventClass}
SEVERITIES = {int(s): s.word for s in Severity}
DIRECTIONS = {1: "inbound", 2: "outbound", 3: "lateral"}


class Dim(NamedTuple):
    """A dimension: relation columns behind it, the clause field that shows it (None: shown with every row)."""

    key: str
    label: str
    shape: Shape
    columns: tuple[str, ...]
    field: FieldName | None
    kind: Kind = "nominal"
    words: Mapping[int, str] = {}

    @property
    def many(self) -> bool:
        """Whether one event can have several values."""
        return self.shape == "list" or (self.shape == "name" and len(self.columns) > 1)

    @property
    def keyed(self) -> str | None:
        """The relation's column with the token number, if values can be tokens."""
        return KEY_NAMES[self.field] if self.field and self.shape in {"address", "name"} else None

    @property
    def needs(self) -> tuple[str, ...]:
        """Relation columns that grouping or filtering needs."""
        if self.shape == "address":
            side = self.key[:3]
            return (*self.columns, f"{side}_rung", f"{side}_country", f"{side}_scope", f"k_{side}_ip")
        return (*self.columns, *([self.keyed] if self.keyed else []))

    @property
    def flags(self) -> dict[str, int]:
        """Parameter -> mask: the dimension is shown in a row where any masked bit is set."""
        if self.shape in {"code", "address"} and self.field:
            return {"fields": 1 << FIELD_NO[self.field]}
        found: dict[str, int] = {}
        for name in self.columns if self.field else ():
            for bit in BITS_OF[name]:
                word = WORD_NAMES[bit.no // WORD_BITS]
                found[word] = found.get(word, 0) | 1 << (bit.no % WORD_BITS)
        return found


def _address(side: str, label: str) -> Dim:
    columns = tuple(f"{side}_{part}_{half}" for part in ("ip", "net") for half in ("hi", "lo"))
    return Dim(f"{side}_ip", label, "address", columns, "src_ip" if side == "src" else "dst_ip")


DIMS: dict[str, Dim] = {
    d.key: d
    for d in (
        Dim("org", "contributor", "code", ("org",), "owner", "org"),
        Dim("sector", "sector", "code", ("sector",), "owner_sector"),
        Dim("region", "region", "code", ("region",), "owner_region", "region"),
        Dim("size", "size", "code", ("size",), "owner_size", "ordinal"),
        Dim("class", "event class", "enum", ("event_class",), None, words=CLASSES),
        Dim("severity", "severity", "enum", ("severity_id",), "severity", "ordinal", SEVERITIES),
        Dim("family", "malware family", "text", ("malware_family",), "malware"),
        Dim("rule", "signature", "text", ("rule_name", "rule_uid"), "signature"),
        Dim("category", "signature category", "text", ("rule_category",), "signature"),
        Dim("technique", "attack technique", "list", ("attack_techniques",), "attack", "technique"),
        Dim("tactic", "attack tactic", "list", ("attack_tactics",), "attack", "technique"),
        _address("src", "source address"),
        _address("dst", "destination address"),
        Dim("src_country", "source country", "text", ("src_country",), "src_ip", "country"),
        Dim("dst_country", "destination country", "text", ("dst_country",), "dst_ip", "country"),
        Dim("src_port", "source port", "port", ("src_port",), "src_port"),
        Dim("dst_port", "destination port", "port", ("dst_port",), "dst_port"),
        Dim("proto", "protocol", "enum", ("proto",), "protocol", words=PROTOCOLS),
        Dim("app", "application protocol", "text", ("app_proto",), "protocol"),
        Dim("domain", "domain name", "text", ("domain",), "domain"),
        Dim("url", "web address", "text", ("url",), "url"),
        Dim("hash", "file hash", "hash", ("file_sha256", "file_sha1", "file_md5"), "file_hash"),
        Dim("host", "host name", "name", ("src_host", "dst_host"), "host"),
        Dim("user", "user name", "name", ("src_user", "dst_user"), "user"),
        Dim("action", "action taken", "enum", ("action_id",), "action", words=ACTIONS),
        Dim("sensor", "sensor", "name", ("sensor_uid",), "sensor"),
        Dim("cve", "vulnerability", "list", ("cve_uids",), "vulnerability"),
    )
}


#: Canonical column names that stand for a dimension.
ALIASES = {
    "org_uid": "org", "owner": "org", "event_class": "class", "severity_id": "severity", "malware_family": "family",
    "rule_name": "rule", "rule_category": "category", "attack_techniques": "technique", "attack_tactics": "tactic",
    "app_proto": "app", "file_sha256": "hash", "action_id": "action", "sensor_uid": "sensor", "cve_uids": "cve",
}  # fmt: skip


def column(name: str) -> exp.Column:
    """A column of the relation."""
    return exp.column(name, table="v", quoted=True)


def granted(dim: Dim) -> exp.Expr:
    """Whether the dimension is shown in a row at any level, be there a value or not."""
    tests: list[exp.Expr] = []
    for name, mask in dim.flags.items():
        bits = exp.BitwiseAnd(this=column(name), expression=exp.Literal.number(mask))
        tests.append(exp.NEQ(this=exp.paren(bits), expression=number(0)))
    return exp.or_(*tests) if tests else exp.true()


def shown_at(dim: Dim, levels: Levels) -> bool:
    """The same in Python, for one decision."""
    if dim.field is None:
        return True
    if dim.shape in {"code", "address"}:
        return levels[FIELD_NO[dim.field]] != WITHHELD
    return any(bit.picks(levels) for name in dim.columns for bit in BITS_OF[name])


def group(dim: Dim, table: Table | None = None) -> list[exp.Expr]:
    """The expressions that are this dimension's group key. All are null where nothing is shown.

    With the decision table of the question, parts that no decision shows are constants: cheaper, not different.
    """
    if dim.shape in {"text", "hash"}:
        return [_coalesce([column(c) for c in dim.columns])]
    if dim.shape == "list":
        return [exp.Explode(this=column(dim.columns[0]))]
    if dim.shape == "name":
        return [column(dim.keyed or ""), _names(dim)]
    if dim.shape == "address":
        return _address_group(dim, table)
    return [column(dim.columns[0])]


def _address_group(dim: Dim, table: Table | None) -> list[exp.Expr]:
    """Token number, address halves, network halves, country and scope: the last four only where a rung shows them."""
    side, hi, lo, net_hi, net_lo = dim.key[:3], *dim.columns
    rungs = table.present[f"{side}_rung"] if table else {SCOPE, COUNTRY, NETWORK}
    keyed = table is None or bool(table.present[dim.keyed or ""] - {None})
    shown = [column(dim.keyed or "") if keyed else typed(exp.null(), "INTEGER"), column(hi), column(lo)]
    shown += [column(c) if NETWORK in rungs else typed(exp.null(), "BIGINT") for c in (net_hi, net_lo)]
    for rung, name, kind in ((COUNTRY, f"{side}_country", "VARCHAR"), (SCOPE, f"{side}_scope", "INTEGER")):
        at = exp.EQ(this=column(f"{side}_rung"), expression=number(rung))
        shown.append(exp.Case().when(at, column(name)) if rung in rungs else typed(exp.null(), kind))
    return shown


def _coalesce(found: Sequence[exp.Expr]) -> exp.Expr:
    return found[0] if len(found) == 1 else exp.Coalesce(this=found[0], expressions=list(found[1:]))


def _names(dim: Dim) -> exp.Expr:
    first = column(dim.columns[0])
    if len(dim.columns) == 1:
        return first
    second = column(dim.columns[1])
    other = exp.Case().when(exp.NullSafeNEQ(this=second, expression=first.copy()), second.copy())
    return exp.Explode(this=exp.Array(expressions=[first, other]))


def has_value(dim: Dim, names: Sequence[str]) -> exp.Expr:
    """Over a subquery `g` whose group columns are called `names`: whether the group shows a value."""
    shown = names[1:] if dim.keyed else names
    tests = [exp.Not(this=exp.Is(this=exp.column(n, table="g", quoted=True), expression=exp.null())) for n in shown]
    return exp.or_(*tests)


def texts(dim: Dim, table: Table, vault: Vault, cells: Sequence[Sequence[Any]]) -> list[str | None]:
    """The shown text of each group, from its group columns (one sequence per column)."""
    first = cells[0]
    if dim.shape == "code":
        shown = [vault.text(t) for t in table.texts[dim.key]]
        return [None if c is None else shown[c] for c in first]
    if dim.shape == "enum":
        return [None if c is None else dim.words.get(c, str(c)) for c in first]
    if dim.shape == "port":
        return [None if c is None else PORT_CODES.get(c, str(c)) for c in first]
    if dim.shape == "hash":
        return [None if c is None else bytes(c).hex() for c in first]
    if dim.shape == "name":
        return name_texts(vault, first, cells[1])
    if dim.shape == "address":
        return address_texts(vault, cells)
    return list(first)


def name_texts(vault: Vault, keys: Sequence[int | None], values: Sequence[str | None]) -> list[str | None]:
    """Names as shown: as held, or as the token of their number."""
    return _by_key(keys, values, list(values), vault.names)


def address_texts(vault: Vault, cells: Sequence[Sequence[Any]]) -> list[str | None]:
    """Addresses as shown: address, network, country, scope, or a token with what is true beside it.

    `cells` in the order of `group`: token number, address halves, network halves, country, scope.
    """
    keys, hi, lo, net_hi, net_lo, country, scope = cells
    held = [None if h is None or w is None else Address(h, w) for h, w in zip(hi, lo, strict=True)]
    plain = [None if a is None else str(a) for a in held]
    shown = _by_key(keys, held, plain, vault.addresses)
    beside = [
        (None if a is None or b is None else network_text(Address(a, b))) or c
        for a, b, c in zip(net_hi, net_lo, country, strict=True)
    ]
    return [_joined(k, v, b, s) for k, v, b, s in zip(keys, shown, beside, scope, strict=True)]


def _joined(key: int | None, shown: str | None, beside: str | None, scope: int | None) -> str | None:
    word = None if scope is None else Scope(scope).word
    if key is None:
        return shown or beside or word
    if shown is None:
        return None
    if beside:
        return f"{shown} in {beside}"
    return f"{shown} ({word})" if word else shown


def _by_key(
    keys: Sequence[int | None], held: Sequence[Any], plain: list[str | None],
    make: Callable[[int, Any], list[str | None]],
) -> list[str | None]:  # fmt: skip
    """`plain` where there is no token number; else tokens, made once per number."""
    out, places = plain, dict[int, list[int]]()
    for at, key in enumerate(keys):
        if key is not None and held[at] is not None:
            places.setdefault(key, []).append(at)
    for key, found in places.items():
        for at, text in zip(found, make(key, [held[i] for i in found]), strict=True):
            out[at] = text
    return out
