"""Streams that stay open: items as they come, a beat when silent, an end when the hub closes or anything fails.

Rules held here: a failure before the first item is a problem like any other; later ones end the stream without a word
(its items say `bye` where the protocol has one) and never reach the server's log with their text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, TypeVar

from commonwatch.web.problems import trail
from commonwatch.web.rooms import Closing

T = TypeVar("T")
log = logging.getLogger("commonwatch.web")


async def begin(source: AsyncIterator[T]) -> AsyncIterator[T]:
    """The same items; what is wrong with the first one is raised here, before an answer has begun."""
    try:
        first = await anext(source)
    except StopAsyncIteration:
        return _none()
    return _again(first, source)


async def held(source: AsyncIterator[T], closing: Closing, beat: float) -> AsyncIterator[T | None]:
    """Items as they come and None after each `beat` seconds of silence, until the source or the hub ends."""
    stop = closing.event()
    stopped = asyncio.create_task(stop.wait())
    coming = asyncio.create_task(_next(source))
    try:
        while True:
            both: set[asyncio.Future[Any]] = {coming, stopped}
            await asyncio.wait(both, timeout=beat, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done():
                return
            if not coming.done():
                yield None
                continue
            yield coming.result()
            coming = asyncio.create_task(_next(source))
    except StopAsyncIteration:
        return
    except Exception as error:
        log.warning("a stream ended: %s in %s", type(error).__name__, trail(error))
    finally:
        closing.drop(stop)
        stopped.cancel()
        await _end(coming, source)


async def _next(source: AsyncIterator[T]) -> T:
    return await anext(source)


async def _end(coming: asyncio.Future[T], source: AsyncIterator[T]) -> None:
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()


async def _again(first: T, source: AsyncIterator[T]) -> AsyncIterator[T]:
    try:
        yield first
        async for item in source:
            yield item
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            await close()


async def _none() -> AsyncIterator[T]:
    return
    yield  # an empty generator
