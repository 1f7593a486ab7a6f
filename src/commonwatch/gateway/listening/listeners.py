"""All listeners of a gateway, as its settings name them.

Rules held here: nothing listens unless it is named; beyond loopback HTTP needs a token, because anybody could post; a
port that cannot be opened stops the gateway with a clear word, for a silent listener would lose everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from commonwatch.errors import InvalidInput, Unavailable
from commonwatch.gateway.keeping.room import Room
from commonwatch.gateway.listening.intake import Intake
from commonwatch.gateway.listening.segments import Segments
from commonwatch.gateway.listening.syslog import listen_tcp, listen_udp
from commonwatch.gateway.state import Listen

FOLDER = "received"


class Listeners:
    """Opens what the settings name while `running()`."""

    def __init__(
        self, folder: Path, listen: Sequence[Listen], most: int, say: Callable[[str], None], room: Room, *,
        stdin: bool = False,
    ) -> None:  # fmt: skip
        self.path = folder / FOLDER
        self.segments = Segments(self.path, most)
        self._room = room
        self._folder, self._listen, self._say, self._stdin = folder, listen, say, stdin
        #: whether everything from standard input was taken in (also true where it is no input)
        self.read_in = not stdin
        self.intake: Intake | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen until the block ends; what was taken in is then on disk."""
        self.intake = intake = Intake(self.segments, self._say, self._room)
        async with AsyncExitStack() as stack:
            stack.callback(self.segments.close)
            await _task(stack, intake.sync_always())
            for one in self._listen:
                await self._open(stack, one, intake)
            if self._stdin:
                await _task(stack, self._read_stdin(intake))
            yield

    async def _open(self, stack: AsyncExitStack, one: Listen, intake: Intake) -> None:
        host, port = address_of(one.address)
        name = f"{one.kind} {one.address}"
        try:
            if one.kind == "http":
                await self._open_http(stack, name, one, intake)
            elif one.kind == "syslog-udp":
                stack.callback((await listen_udp(name, host, port, intake)).close)
            else:
                tls = self._tls(one) if one.kind == "syslog-tls" else None
                server = await listen_tcp(name, host, port, intake, tls=tls)
                stack.callback(server.close)
        except OSError as error:
            raise Unavailable(
                f"cannot listen: {error.strerror}", where=name, todo="free the port or change it"
            ) from None
        self._say(f"listening: {name}")

    async def _open_http(self, stack: AsyncExitStack, name: str, one: Listen, intake: Intake) -> None:
        from commonwatch.gateway.listening.http import Sink, serve

        host, port = address_of(one.address)
        files = (self._folder / one.cert, self._folder / one.key) if one.cert else None
        server = serve(Sink(name, intake, self._token(one, host)), socket.create_server((host, port)), files)
        stack.push_async_callback(server.end)

    def _token(self, one: Listen, host: str) -> str:
        if one.token_file:
            return (self._folder / one.token_file).read_text("utf-8").strip()
        if not ipaddress.ip_address(host).is_loopback:
            todo = "name a file with a secret as `token_file`, or listen on 127.0.0.1"
            raise InvalidInput("an HTTP listener that others reach needs a token", where="listen", todo=todo)
        return ""

    def _tls(self, one: Listen) -> ssl.SSLContext:
        if not one.cert or not one.key:
            raise InvalidInput("a TLS listener needs `cert` and `key`", where="listen", todo="name both PEM files")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._folder / one.cert, self._folder / one.key)
        return context

    async def _read_stdin(self, intake: Intake) -> None:
        """Lines of standard input until its end."""
        while lines := await asyncio.to_thread(_some_lines):
            await intake.take_surely("stdin", lines)
        self.read_in = True


def _some_lines() -> list[bytes]:
    """The next lines of standard input: at least one unless it has ended."""
    return [line.rstrip(b"\r\n") for line in sys.stdin.buffer.readlines(1)]


def address_of(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`. Raises InvalidInput."""
    host, _, port = address.rpartition(":")
    try:
        ipaddress.ip_address(host.strip("[]"))
        number = int(port)
    except ValueError:
        todo = "write it like 127.0.0.1:5514 or [::]:5514"
        raise InvalidInput("not an address to listen on", where=address, todo=todo) from None
    return host.strip("[]"), number


async def _task(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Run beside until the stack unwinds."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)
