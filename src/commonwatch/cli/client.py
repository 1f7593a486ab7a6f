"""A hub over HTTP for the command line: one address, one API token, and the hub's problems as our own errors.

Rules: the token comes from COMMONWATCH_TOKEN or a file, never from the command line, where others could read it; it is
sent to the one hub that was named, and redirects are not followed; what the hub refuses is raised with its words.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from commonwatch import __version__
from commonwatch import errors as ours
from commonwatch.errors import CommonwatchError, InvalidInput, Unavailable

URL, TOKEN = "COMMONWATCH_URL", "COMMONWATCH_TOKEN"
TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_ERRORS: dict[str, type[CommonwatchError]] = {
    error.code: error
    for error in vars(ours).values()
    if isinstance(error, type) and issubclass(error, CommonwatchError) and error is not CommonwatchError
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--url` and `--token-file`, for every command that talks to a hub."""
    parser.add_argument("--url", default=os.environ.get(URL), help=f"the hub's address (or set {URL})")
    parser.add_argument("--token-file", metavar="FILE", help=f"a file that holds an API token (or set {TOKEN})")


class Client:
    """One hub. Use as a context manager; JSON in, JSON out."""

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"User-Agent": f"commonwatch-cli/{__version__}", "Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url.rstrip("/") + "/", headers=headers, timeout=TIMEOUT, transport=transport)

    @classmethod
    def of(cls, args: argparse.Namespace) -> Client:
        """The hub that the options of `add_options` name. Raises InvalidInput."""
        if not args.url:
            raise InvalidInput("no hub is named", where="--url", todo=f"give --url, or set {URL}")
        return cls(args.url, _token(args.token_file))

    def get(self, path: str, **params: Any) -> Any:
        """What is there, decoded."""
        return self.send("GET", path, params=params).json()

    def post(self, path: str, body: Any = None) -> Any:
        """What came of it, decoded; None when there is nothing to say."""
        return _decoded(self.send("POST", path, json={} if body is None else body))

    def put(self, path: str, body: Any, **headers: str) -> Any:
        """The same for PUT; headers by their names with `_` for `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return _decoded(self.send("PUT", path, json=body, headers=sent))

    def delete(self, path: str) -> None:
        """Remove it."""
        self.send("DELETE", path)

    def events(self, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Server-sent events (name, JSON) until the hub ends the stream. Raises as `send` does."""
        try:
            with self._http.stream("GET", path.lstrip("/")) as answer:
                if not answer.is_success:
                    answer.read()
                    raise _problem(answer)
                name = ""
                for line in answer.iter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        yield name, json.loads(value)
        except httpx.HTTPError as error:
            what = f"the stream broke off ({type(error).__name__})"
            raise Unavailable(
                what, where=str(self._http.base_url), todo="check the network, then begin again"
            ) from None

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Any request. Raises the hub's problem as the error it is, Unavailable when the hub does not answer."""
        try:
            answer = self._http.request(method, path.lstrip("/"), **more)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            what = f"the hub does not answer ({type(error).__name__})"
            raise Unavailable(what, where=str(self._http.base_url), todo="check the address and the network") from None
        if not answer.is_success:
            raise _problem(answer)
        return answer

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()


def _decoded(answer: httpx.Response) -> Any:
    return answer.json() if answer.content else None


def _token(file: str | None) -> str:
    if file is None:
        if token := os.environ.get(TOKEN, "").strip():
            return token
        raise InvalidInput("no API token is given", where=TOKEN, todo=f"set {TOKEN}, or give --token-file")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise InvalidInput("the token file cannot be read", where=file, todo="check the path") from None


def _problem(answer: httpx.Response) -> CommonwatchError:
    """RFC 9457 back into the error it was."""
    try:
        told = answer.json()
        code = str(told["type"]).rpartition(":")[2]
        what, where, todo = str(told["detail"]), str(told.get("where", "")), str(told.get("todo", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        todo = "check the address: is it a hub?"
        return Unavailable(f"the answer was {answer.status_code}, not a hub's", where="--url", todo=todo)
    return _ERRORS.get(code, CommonwatchError)(what, where=where, todo=todo)
