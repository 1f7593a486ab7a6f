"""The hub's settings: one folder, one optional `hub.toml` in it, typed, with errors that name the setting.

Layout of the folder: `hub.toml`, `meta.sqlite` (unless a PostgreSQL URL is set), `keys.sqlite` and `kek` (both 0600,
kept out of ordinary backups), `store/` (events), `audit/` (the log), `backups/` (before every migration).
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from commonwatch.errors import InvalidInput, NotFound

FILE = "hub.toml"
DATABASES = ("sqlite:///", "postgresql+pg8000://")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an operator may set. `data` is where everything lies and never stands in the file."""

    data: Path = Path("hub-data")
    name: str = "commonwatch"
    url: str = "http://127.0.0.1:8440"
    host: str = "127.0.0.1"
    port: int = 8440
    database: str = ""
    session_idle_minutes: int = 720
    session_days: int = 7
    store_memory: str = "1GB"
    store_threads: int = 2

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the metadata database; a SQLite file in the folder unless one is set."""
        return self.database or f"sqlite:///{self.data / 'meta.sqlite'}"

    @property
    def store(self) -> Path:
        """The folder of the event store."""
        return self.data / "store"

    @property
    def audit(self) -> Path:
        """The folder of the audit log."""
        return self.data / "audit"

    @property
    def backups(self) -> Path:
        """Where the metadata database is copied before a migration."""
        return self.data / "backups"


def load(data: Path | str) -> Settings:
    """The settings of the hub in `data`. Raises NotFound without a folder, InvalidInput for a bad file."""
    folder = Path(data).absolute()
    if not folder.is_dir():
        todo = "make one with: commonwatch hub init --data DIR"
        raise NotFound(f"no hub in {folder}", where="--data", todo=todo)
    path = folder / FILE
    text = path.read_text("utf-8") if path.exists() else ""
    return decode(text, folder, where=str(path))


def decode(text: str, data: Path, *, where: str = FILE) -> Settings:
    """Settings from TOML text; everything wrong is InvalidInput naming the setting."""
    try:
        settings = msgspec.toml.decode(text, type=Settings)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"the settings cannot be read: {error}", where=where, todo="correct the file") from error
    return check(msgspec.structs.replace(settings, data=data), where)


def check(settings: Settings, where: str = FILE) -> Settings:
    """The same settings, or InvalidInput naming the first that cannot be."""
    if not settings.database_url.startswith(DATABASES):
        todo = "use sqlite:///PATH or postgresql+pg8000://USER@HOST/NAME, or leave it out"
        raise InvalidInput("the database URL is of no known kind", where=f"{where}: database", todo=todo)
    if not settings.url.startswith(("http://", "https://")):
        raise InvalidInput("the public URL needs http:// or https://", where=f"{where}: url", todo="give it in full")
    for name, lowest, highest in (("port", 0, 65535), ("session_idle_minutes", 1, 10_080), ("session_days", 1, 90)):
        if not lowest <= getattr(settings, name) <= highest:
            raise InvalidInput(f"{name} must be {lowest} to {highest}", where=f"{where}: {name}", todo="correct it")
    return settings


def save(settings: Settings) -> None:
    """Write `hub.toml` (only what differs from the defaults) into the folder, which is made 0700."""
    settings.data.mkdir(parents=True, exist_ok=True)
    os.chmod(settings.data, 0o700)
    default = Settings()
    plain = msgspec.structs.asdict(settings)
    lines = [
        f"{name} = {msgspec.json.encode(value).decode()}\n"
        for name, value in plain.items()
        if name != "data" and value != getattr(default, name)
    ]
    (settings.data / FILE).write_text("".join(lines), "utf-8")
