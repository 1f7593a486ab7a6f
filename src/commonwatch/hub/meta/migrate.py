"""Bring the metadata database to this version's schema. Forward only; a SQLite file is copied first.

Rules: a database newer than this program is refused, never touched; two processes that start together migrate once
(SQLite's write lock, PostgreSQL's advisory lock inside one transaction).
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from commonwatch.errors import Conflict
from commonwatch.hub.meta.database import Database, answering

SCRIPTS = Path(__file__).resolve().parents[1] / "migrations"
LOCK = 0x43_57_4D_45


def config() -> Config:
    """Alembic's configuration for the scripts inside the package."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    return made


def migrate(database: Database, backups: Path | None = None) -> str:
    """Upgrade to the newest schema; returns its revision. Copies a SQLite file into `backups` before any change."""
    if database.file is not None:
        database.file.parent.mkdir(parents=True, exist_ok=True)
    scripts = ScriptDirectory.from_config(config())
    head = scripts.get_current_head() or ""
    with answering(), database.writer.begin() as connection:
        if database.file is None:
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        known(scripts, current(connection))
        if (found := current(connection)) != head:
            if database.file is not None and found is not None and backups is not None:
                backup(database.file, backups, found)
            upgrade(connection)
    return head


def current(connection: Connection) -> str | None:
    """The revision the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def known(scripts: ScriptDirectory, revision: str | None) -> None:
    """Refuse a database that a newer version wrote."""
    if revision is not None and revision not in {script.revision for script in scripts.walk_revisions()}:
        todo = "run the version that wrote it, or restore the backup made before its migration"
        raise Conflict("the metadata database was written by a newer version", todo=todo)


def upgrade(connection: Connection) -> None:
    """Run the migrations on this connection, inside its transaction."""
    made = config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")


def backup(file: Path, folder: Path, revision: str) -> Path:
    """A consistent copy of a SQLite file that may be in use."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"meta-{revision}-{int(time.time())}.sqlite"
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    target.chmod(0o600)
    return target
