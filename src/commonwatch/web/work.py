"""Threads for work that blocks, bounded, and the end of work nobody waits for any more.

Rules held here: no port is called on the event loop; a full pool answers `Overloaded`, it never queues without end;
one organisation takes at most its share of a pool; when the client goes, `cancel` is set so that the engine stops.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from litestar import Request

from commonwatch.errors import Overloaded

P = ParamSpec("P")
T = TypeVar("T")
#: Longest a question may take, seconds.
PATIENCE = 60.0


class Pool:
    """`threads` at work and at most `waiting` more in line; `share` of both together for one `key`."""

    def __init__(self, name: str, threads: int, waiting: int, share: int | None = None) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._share = threads + waiting, share or threads + waiting
        self._busy: Counter[str] = Counter()

    def submit(self, key: str, call: Callable[[], T]) -> asyncio.Future[T]:
        """Start a call for `key`, or raise `Overloaded`. Event loop only."""
        if self._busy.total() >= self._most or self._busy[key] >= self._share:
            raise Overloaded("too many requests are being answered", retry_after=2, todo="try again in a moment")
        self._busy[key] += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        future.add_done_callback(lambda done: self._over(key, done))
        return future

    def close(self) -> None:
        """Take no more; what runs is left to end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _over(self, key: str, done: asyncio.Future[T]) -> None:
        self._busy[key] -= 1
        if self._busy[key] <= 0:
            del self._busy[key]
        if not done.cancelled():
            done.exception()  # nobody may be left to take it


class Workers:
    """Three pools: brief look-ups, the engine's questions, and batches that come in."""

    def __init__(self, *, engine: int = 4, intake: int = 32) -> None:
        self._brief = Pool("brief", 8, 2048)
        self._engine = Pool("engine", engine, 64, share=engine + 12)
        self._intake = Pool("intake", intake, 224)

    async def brief(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that looks something up or writes one row."""
        return await asyncio.shield(self._brief.submit("", lambda: call(*args, **kwargs)))

    async def take_in(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that stores a batch; it is finished even when the sender goes."""
        return await asyncio.shield(self._intake.submit("", lambda: call(*args, **kwargs)))

    async def ask(self, request: Request[Any, Any, Any], org: str, call: Callable[[threading.Event], T]) -> T:
        """A question to the engine for `org`; its event is set when the client goes or patience ends."""
        cancel = threading.Event()
        answer = self._engine.submit(org, lambda: call(cancel))
        gone = asyncio.create_task(_disconnected(request))
        try:
            both: set[asyncio.Future[Any]] = {answer, gone}
            await asyncio.wait(both, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise Overloaded(
                "the question took too long", retry_after=30, todo="ask for less: a shorter time, fewer rows"
            )
        finally:
            if not answer.done():
                cancel.set()
            gone.cancel()

    def close(self) -> None:
        """Take no more work."""
        for pool in (self._brief, self._engine, self._intake):
            pool.close()


async def _disconnected(request: Request[Any, Any, Any]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
