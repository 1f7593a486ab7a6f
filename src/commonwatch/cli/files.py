"""Files of the command line: texts, private keys, results. What cannot be read or written is said in one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from getpass import getpass
from pathlib import Path

from commonwatch.agreements.decode import from_json
from commonwatch.agreements.locked import is_locked, unlock
from commonwatch.errors import InvalidInput

#: Where programs put a passphrase that nobody can be asked for.
PASSPHRASE = "COMMONWATCH_PASSPHRASE"  # noqa: S105 # a name


def text(file: str) -> str:
    """The text of a file; `-` is standard input. Raises InvalidInput."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=file) from None
    except UnicodeDecodeError:
        raise InvalidInput("this is not UTF-8 text", where=file) from None


def jwk(file: str) -> dict[str, str]:
    """A private key as `agreement keygen` or a browser writes it; asks for the passphrase. Raises InvalidInput."""
    plain = from_json(text(file))
    if is_locked(plain):
        plain = unlock(plain, passphrase(file))
    if not isinstance(plain, dict) or not all(isinstance(v, str) for v in plain.values()):
        raise InvalidInput("this is not a key (JWK)", where=file)
    return plain


def passphrase(file: str, *, new: bool = False) -> str:
    """What a person types, unseen; twice alike for a new file. Raises InvalidInput where nobody can be asked."""
    if (given := os.environ.get(PASSPHRASE)) is not None:
        return given
    if not sys.stdin.isatty():
        raise InvalidInput("nobody can be asked for the passphrase here", where=file, todo=f"set {PASSPHRASE}")
    typed = getpass(f"Passphrase of {file}: ")
    if new and getpass("The same again: ") != typed:
        raise InvalidInput("the two passphrases are not the same", where=file, todo="try again")
    return typed


def is_envelope(source: str) -> bool:
    """Whether a text is a signed envelope, not a document itself. JSON that cannot be read is none."""
    try:
        plain = from_json(source) if source.lstrip()[:1] == "{" else None
    except InvalidInput:
        return False
    return isinstance(plain, dict) and "payload" in plain


def write(file: str, data: bytes) -> None:
    """Write beside and move in place, so that a failure leaves what was there."""
    path = Path(file)
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", where=file) from None


def write_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts by their names into a folder that is new or empty. Raises InvalidInput."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InvalidInput("the folder is not empty", where=str(folder), todo="name a new one")
        for name, content in texts.items():
            (folder / name).write_text(content, "utf-8")
    except OSError as error:
        raise InvalidInput(f"cannot be written: {error.strerror}", where=str(folder)) from None
