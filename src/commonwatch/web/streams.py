"""Streams that stay open: items as they come, a beat when silent, an end when the hub closes or anything fails.

Rules held here: a failure before the first item is a problem like any other; later ones end the stream without a word
(its items say `bye` where the protocol has one) and never reach the server's log with their text. A stream is two
tasks, one that waits for its items and one that waits for the client to leave: thousands are ended at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Generic, NamedTuple, TypeVar

from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from commonwatch.web.problems import trail
from commonwatch.web.rooms import Closing

T = TypeVar("T")
log = logging.getLogger("commonwatch.web")
#: Seconds after its last words until a stream lets go of its source: where thousands end, all have said them by then.
LINGER = 1.2


class Begun(NamedTuple, Generic[T]):
    """A source whose first item has come (None: it has none)."""

    first: T | None
    source: AsyncIterator[T]


class Wording(NamedTuple, Generic[T]):
    """How items are written. `last`: whether nothing follows; `closing`: the last words where the source has none.

    `beat` is written after each `seconds` of silence, where it is not empty.
    """

    say: Callable[[T], bytes]
    last: Callable[[T], bool] = lambda _item: False
    closing: bytes = b""
    beat: bytes = b""
    seconds: float = 10.0


async def begin(source: AsyncIterator[T]) -> Begun[T]:
    """The same items; what is wrong with the first one is raised here, before an answer has begun."""
    try:
        return Begun(await anext(source), source)
    except StopAsyncIteration:
        return Begun(None, source)


class Held(Response[bytes]):
    """An answer that stays open until its source, the hub or the client ends it."""

    def __init__(
        self, begun: Begun[T], wording: Wording[T], closing: Closing, *, media_type: str, headers: dict[str, str]
    ) -> None:
        super().__init__(b"", media_type=media_type, headers=headers)
        self._stream = _Stream(begun, wording, closing)

    def to_asgi_response(self, *args: Any, **kwargs: Any) -> ASGIResponse:
        """The answer as the server runs it: the same head, the stream as its body."""
        made = super().to_asgi_response(*args, **kwargs)
        body = _HeldBody(self._stream, status_code=made.status_code)
        body.headers = made.headers
        del body.headers["content-length"]
        return body


class _HeldBody(ASGIResponse):
    _should_set_content_length = False

    def __init__(self, stream: _Stream[Any], **about: Any) -> None:
        super().__init__(**about)
        self._stream = stream

    async def send_body(self, send: Send, receive: Receive) -> None:
        await self._stream.run(send, receive)


class _Stream(Generic[T]):
    """One open stream: `_items` says what comes, `run` waits for the client to leave."""

    def __init__(self, begun: Begun[T], wording: Wording[T], closing: Closing) -> None:
        self._begun, self._wording, self._closing = begun, wording, closing
        self._said = time.monotonic()
        self._started = self._saying = self._stopped = self._over = False
        self._timer: asyncio.TimerHandle | None = None
        self._beating: asyncio.Task[None] | None = None

    async def run(self, send: Send, receive: Receive) -> None:
        """Until the source has ended and everything was said, or the client left."""
        self._send = send
        self._items = asyncio.create_task(self._pump())
        self._closing.add(self._stop)
        self._rest()
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._closing.drop(self._stop)
            if not self._over:
                self._items.cancel()
            with suppress(asyncio.CancelledError):
                await self._items
                if self._over and not self._stopped:
                    await asyncio.sleep(LINGER)
            await _close(self._begun.source)

    def _stop(self) -> None:
        """The hub closes."""
        if not self._over:
            self._stopped = True
            if self._started:
                self._items.cancel()

    async def _pump(self) -> None:
        self._started = True
        try:
            last = await self._say_all()
            self._over = True
            await self._write(last, more=False)
        finally:
            self._over = True
            if self._timer is not None:
                self._timer.cancel()

    async def _say_all(self) -> bytes:
        """Everything but the last words, which are returned."""
        say, last = self._wording.say, self._wording.last
        if self._stopped:
            return self._wording.closing
        try:
            if self._begun.first is not None:
                await self._write(say(self._begun.first))
            async for item in self._begun.source:
                if last(item):
                    return say(item)
                await self._write(say(item))
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        except Exception as error:
            log.warning("a stream ended: %s in %s", type(error).__name__, trail(error))
        return self._wording.closing

    async def _write(self, body: bytes, *, more: bool = True) -> None:
        self._saying = True
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._saying, self._said = False, time.monotonic()

    def _rest(self) -> None:
        """Wake after a silence, where there is a beat."""
        if self._wording.beat and not self._over:
            left = self._said + self._wording.seconds - time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(max(left, 0.0), self._beat)

    def _beat(self) -> None:
        silent = time.monotonic() - self._said >= self._wording.seconds
        if silent and not self._saying and not self._over:
            self._said = time.monotonic()
            self._beating = asyncio.get_running_loop().create_task(self._say_beat())
        self._rest()

    async def _say_beat(self) -> None:
        if not self._saying and not self._over:
            await self._write(self._wording.beat)


async def _close(source: AsyncIterator[T]) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
