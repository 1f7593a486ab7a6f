"""How events lie on disk: physical columns, the stored rung columns, and the tables around them.

Rules held here (`engine.md` 2): no unsigned and no enum types, addresses as two signed 64-bit halves, times as UTC
microseconds. A rung that is not plain masking or flooring is a stored column `<column>__<rung>`, computed at ingest by
the pure functions of `events.rungs`; ports at `range` are the codes -1, -2, -3 so that one integer column shows both.
Identities and mailboxes also carry `<column>__folded`, the form that tokens are made of, so that grouping by it is
grouping by token. `arrival` numbers batches in the order they were stored and is never shown.
"""

from __future__ import annotations

from typing import NamedTuple

from commonwatch.events.columns import COLUMNS, Kind

SCHEMA_VERSION = 1
#: Tables that hold events. Both have the same columns; `settled` is sorted by (day, owner, time).
EVENT_TABLES = ("settled", "tail")
_TYPES: dict[Kind, str] = {
    "u8": "INTEGER", "u16": "INTEGER", "u32": "BIGINT", "u64": "BIGINT", "bool": "BOOLEAN", "ts": "TIMESTAMP",
    "txt": "VARCHAR", "dict": "VARCHAR", "list": "VARCHAR[]", "bytes": "BLOB",
}  # fmt: skip
#: Codes of the port ranges, and their text.
PORT_CODES: dict[int, str] = {-1: "0-1023", -2: "1024-49151", -3: "49152-65535"}
_TEXT_FAMILY = (
    "user_agent", "file_name", "file_path", "process_name", "process_cmd", "mail_subject", "message",
)  # fmt: skip
_FOLDED = ("sensor_uid", "src_host", "dst_host", "src_user", "dst_user", "mail_from", "mail_to")
#: Columns the dictionary of handling numbers stands for; they are not stored per row a second time.
_IN_HANDLING = frozenset({"org_uid", "site_uid", "tlp"})


class Rung(NamedTuple):
    """A stored rung column: `<column>__<rung>`."""

    column: str
    rung: str

    @property
    def name(self) -> str:
        """The physical name."""
        return f"{self.column}__{self.rung}"


RUNGS: tuple[Rung, ...] = (
    Rung("count", "magnitude"),
    Rung("bytes_in", "magnitude"),
    Rung("bytes_out", "magnitude"),
    Rung("cve_uids", "family"),
    Rung("src_port", "range"),
    Rung("dst_port", "range"),
    Rung("domain", "registered"),
    Rung("url", "site"),
    Rung("url", "path"),
    *(Rung(c, "redacted") for c in _TEXT_FAMILY),
    Rung("mail_from", "domain"),
    Rung("mail_to", "domain"),
    *(Rung(c, "folded") for c in _FOLDED),
)
NETWORKS = ("src_net", "dst_net")


def _physical() -> dict[str, str]:
    columns = {"handling": "INTEGER", "arrival": "BIGINT", "shuffle": "BIGINT"}
    for column in COLUMNS.values():
        if column.kind == "addr":
            columns |= {f"{column.name}_hi": "BIGINT", f"{column.name}_lo": "BIGINT"}
        elif column.name not in _IN_HANDLING and column.name not in columns:
            columns[column.name] = _TYPES[column.kind]
    for name in NETWORKS:
        columns |= {f"{name}_hi": "BIGINT", f"{name}_lo": "BIGINT"}
    for rung in RUNGS:
        columns[rung.name] = columns[rung.column]
    return columns


#: Physical column -> engine type, in table order.
PHYSICAL: dict[str, str] = _physical()


def _events(table: str) -> str:
    body = ", ".join(f'"{name}" {kind}' for name, kind in PHYSICAL.items())
    return f"CREATE TABLE IF NOT EXISTS store.main.{table} ({body})"


#: Statements that make an empty store. All are idempotent.
DDL: tuple[str, ...] = (
    "CREATE TABLE IF NOT EXISTS store.main.schema_version (version INTEGER)",
    *(_events(table) for table in EVENT_TABLES),
    "CREATE TABLE IF NOT EXISTS store.main.batch (batch_uid BIGINT PRIMARY KEY, gateway VARCHAR, org VARCHAR,"
    " seq BIGINT, digest BLOB, n BIGINT, arrival BIGINT, received BIGINT)",
    "CREATE TABLE IF NOT EXISTS store.main.held (no INTEGER PRIMARY KEY, profile VARCHAR UNIQUE)",
    "CREATE TABLE IF NOT EXISTS store.main.handling (no INTEGER PRIMARY KEY, owner VARCHAR, event_class INTEGER,"
    " tlp INTEGER, severity INTEGER, site VARCHAR, held INTEGER)",
)
