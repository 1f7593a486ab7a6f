"""Schema, keys, clock, settings, outbox: what the hub's metadata stands on."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from commonwatch.audit.log import Entry
from commonwatch.errors import Conflict, InvalidInput, NotFound, Unavailable
from commonwatch.hub import settings as settings_file
from commonwatch.hub.meta import epoch
from commonwatch.hub.meta.clock import Clock
from commonwatch.hub.meta.database import Database
from commonwatch.hub.meta.keys import KeyFile
from commonwatch.hub.meta.migrate import migrate
from commonwatch.hub.meta.models import Community, Outbox, Table
from commonwatch.hub.meta.outbox import Drain, record
from commonwatch.hub.settings import Settings
from hub_house import NOW, Wall, clock


def test_the_migrated_schema_is_the_models_schema(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.reader.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
    migrate(database)
    database.close()


def test_a_database_of_a_newer_version_is_refused_untouched(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.writer.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    with pytest.raises(Conflict, match="newer version"):
        migrate(database)
    database.close()


def test_a_sqlite_file_is_copied_before_a_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(f"sqlite:///{tmp_path}/meta.sqlite")
    migrate(database, tmp_path / "backups")
    assert not (tmp_path / "backups").exists()
    from alembic.script import ScriptDirectory

    monkeypatch.setattr(ScriptDirectory, "get_current_head", lambda _: "next")
    migrate(database, tmp_path / "backups")
    (copy,) = (tmp_path / "backups").iterdir()
    assert copy.read_bytes()[:6] == b"SQLite"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    database.close()


def test_what_the_database_refuses_is_a_conflict_and_foreign_keys_hold(url: str) -> None:
    database = Database(url)
    migrate(database)
    with pytest.raises(Conflict), database.write() as session:
        session.add(Community(id="shield", name="Shield", steward="nobody", created=0))
    database.close()


def test_a_postgres_that_is_stopped_is_unavailable_and_comes_back(postgres) -> None:
    database = Database(postgres.fresh())
    migrate(database)
    with database.write() as session:
        epoch.found(session)
    postgres.stop()
    try:
        with pytest.raises(Unavailable), database.read() as session:
            epoch.peek(session)
    finally:
        postgres.start()
    with database.read() as session:
        assert epoch.peek(session)[0] == 1
    database.close()


def test_keys_are_wrapped_private_and_survive_a_restart(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path)
    made = keys.ensure("pseudonym", "acme")
    keys.close()
    again = KeyFile(tmp_path)
    assert again.pseudonym_key("acme") == made == again.ensure("pseudonym", "acme")
    assert again.pseudonym_key("other") is None
    for name in ("kek", "keys.sqlite"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert made not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(NotFound):
        again.need("signing", "acme")
    again.close()


def test_destroying_a_key_kills_old_copies_of_the_file_and_spares_the_others(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "a") if (tmp_path / "a").mkdir() is None else None
    assert keys is not None
    keys.ensure("pseudonym", "acme")
    other = keys.ensure("pseudonym", "other")
    keys.close()
    old = (tmp_path / "a" / "keys.sqlite").read_bytes()
    keys = KeyFile(tmp_path / "a")
    keys.destroy("acme")
    assert keys.pseudonym_key("acme") is None
    assert keys.pseudonym_key("other") == other
    keys.close()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "keys.sqlite").write_bytes(old)
    (tmp_path / "b" / "kek").write_bytes((tmp_path / "a" / "kek").read_bytes())
    stolen = KeyFile(tmp_path / "b")
    with pytest.raises(Unavailable, match="unwrap"):
        stolen.pseudonym_key("acme")
    stolen.close()


@pytest.mark.parametrize("committed", [True, False])
def test_a_crash_while_destroying_leaves_the_surviving_keys_readable(tmp_path: Path, committed: bool) -> None:
    keys = KeyFile(tmp_path)
    other = keys.ensure("pseudonym", "other")
    before = (tmp_path / "kek").read_bytes()
    if committed:
        keys.destroy("acme")
        (tmp_path / "kek.new").write_bytes((tmp_path / "kek").read_bytes())
        (tmp_path / "kek").write_bytes(before)
    else:
        (tmp_path / "kek.new").write_bytes(b"n" * 32)
    keys.close()
    again = KeyFile(tmp_path)
    assert again.pseudonym_key("other") == other
    assert not (tmp_path / "kek.new").exists()
    again.close()


def test_a_key_file_without_its_wrapping_key_is_refused(tmp_path: Path) -> None:
    KeyFile(tmp_path).close()
    (tmp_path / "kek").unlink()
    with pytest.raises(Unavailable, match="wrapping key"):
        KeyFile(tmp_path)


def test_the_clock_goes_on_when_the_wall_is_set_back() -> None:
    wall, steady = Wall(), [0.0]
    made = Clock(wall, lambda: steady[0])
    assert made.now() == NOW
    wall.at -= 3_600_000_000
    steady[0] += 5
    assert made.now() == NOW + 5_000_000
    made.raise_to(NOW + 60_000_000)
    assert made.now() == NOW + 60_000_000
    wall.at = NOW + 90_000_000
    assert made.now() == NOW + 90_000_000


def test_outbox_entries_reach_the_log_in_order_and_leave_only_when_it_has_them(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.write() as session:
        for number in range(450):
            record(session, number, "operator", "note", org="acme", concerns=["acme", "msp"], number=number)
    taken: list[Entry] = []
    broken = Drain(database, lambda entries: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        broken.run()
    assert Drain(database, taken.extend).run() == 450
    assert [entry.detail["number"] for entry in taken] == list(range(450))
    assert (taken[0].org, taken[0].concerns) == ("acme", ("msp",))
    assert Drain(database, taken.extend).run() == 0
    with database.read() as session:
        assert session.query(Outbox).count() == 0
    database.close()


def test_settings_are_written_and_read_back(tmp_path: Path) -> None:
    made = Settings(data=tmp_path / "hub", name="Nörd hub", url="https://hub.example", port=9000)
    settings_file.save(made)
    assert settings_file.load(tmp_path / "hub") == made
    assert stat.S_IMODE((tmp_path / "hub").stat().st_mode) == 0o700
    assert made.database_url.startswith("sqlite:///")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = 70000", "port"),
        ('port = "x"', "$.port"),
        ("ports = 1", "ports"),
        ('database = "mysql://x"', "database"),
        ('url = "hub.example"', "url"),
        ("session_days = 0", "session_days"),
        ("port = = 1", "hub.toml"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        settings_file.decode(text, tmp_path)
    assert named in str(caught.value)
    assert caught.value.todo


def test_a_folder_without_a_hub_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="hub init"):
        settings_file.load(tmp_path / "nothing")
    assert clock(Wall()).now() == NOW
