"""The UI's built files, from package data: hashed assets for ever, everything else checked each time.

Rules held here: only files that were in the folder when it was read are served, by exact name; `index.html` carries the
`<base href>` of this hub, so deep links work behind any prefix; without a build there is a 503 that says what to do.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from commonwatch.errors import NotFound, Unavailable

FOLDER = Path(__file__).with_name("_ui")
MISSING = Unavailable(
    "this hub was installed without its user interface",
    todo="install a released wheel, or build the UI with ui/run build; the API under /api works",
)
_TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/wasm")


class File(NamedTuple):
    """One file: bytes as they are and gzipped (where that helps), its type and its ETag."""

    body: bytes
    packed: bytes | None
    media_type: str
    etag: str
    lasting: bool


class UiFiles:
    """The files of one build; read again when the build changes."""

    def __init__(self, folder: Path = FOLDER, base: str = "/") -> None:
        self._folder, self._base = folder, base
        self._files: dict[str, File] = {}
        self._built = -1

    def file(self, name: str) -> File:
        """A file by its path in the build. Raises NotFound, or Unavailable where there is no build."""
        self._read_again()
        if (found := self._files.get(name)) is None:
            raise NotFound("no such file", todo="reload the page")
        return found

    def index(self) -> File:
        """The page; the same for every deep link."""
        return self.file("index.html")

    def _read_again(self) -> None:
        try:
            built = (self._folder / "index.html").stat().st_mtime_ns
        except OSError:
            raise MISSING from None
        if built != self._built:
            self._files = {
                n: f for p in sorted(self._folder.rglob("*")) if (n := self._name(p)) and (f := self._load(n, p))
            }
            self._built = built

    def _name(self, path: Path) -> str:
        name = path.relative_to(self._folder).as_posix()
        return name if path.is_file() and not any(part.startswith(".") for part in name.split("/")) else ""

    def _load(self, name: str, path: Path) -> File:
        body = path.read_bytes()
        if name == "index.html":
            body = body.replace(b'<base href="/">', f'<base href="{self._base}">'.encode())
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        packed = gzip.compress(body, 9, mtime=0) if kind.startswith(_TEXT) and len(body) > 500 else None
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        return File(body, packed, kind, etag, lasting=name.startswith("assets/"))
