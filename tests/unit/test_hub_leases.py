"""Leases: one watcher for all streams. Each published fault of the usage-control engine of this lineage is a test here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from contextlib import ExitStack

from commonwatch.agreements.reader import Reader
from commonwatch.errors import Unavailable
from commonwatch.govern.changes import Scope
from commonwatch.hub.live.leases import CHANGED, ENDED, UNAVAILABLE, Leases
from commonwatch.hub.push import Listener
from commonwatch.web.ports import Principal


class World:
    """A policy's pulse and a source of credentials that a test moves."""

    def __init__(self) -> None:
        self.beating, self.number, self.generation = True, 1, 0
        self.gone: set[str] = set()
        self.down, self.asked = False, 0

    def alive(self) -> bool:
        return self.beating

    def confirm(self) -> bool:
        return self.beating

    def epoch(self) -> int:
        return self.number

    def standing(self, principals: Collection[Principal]) -> set[Principal]:
        self.asked += 1
        if self.down:
            raise Unavailable("the metadata database does not answer")
        return {p for p in principals if p.id not in self.gone}


def principal(number: int) -> Principal:
    return Principal("person", f"p{number}", "P", Reader(f"org-{number % 100}", ("cert",), ("ring",), "detect"))


def hold(stack: ExitStack, leases: Leases, count: int) -> list[Listener]:
    made = [Listener(f"org-{n % 100}", asyncio.get_running_loop()) for n in range(count)]
    for number, listener in enumerate(made):
        stack.enter_context(leases.hold(principal(number), listener))
    return made


async def until(happened) -> float:
    begun = time.monotonic()
    while not happened():
        assert time.monotonic() - begun < 5
        await asyncio.sleep(0.01)
    return time.monotonic() - begun


def test_ten_thousand_streams_are_ended_together_and_asked_for_once() -> None:
    async def run() -> None:
        world = World()
        leases = Leases(world, world)
        with ExitStack() as stack:
            made = hold(stack, leases, 10_000)
            await until(lambda: world.asked)
            asked = world.asked
            world.number = 2
            leases.changed(Scope(epoch=2, organisations=frozenset({"org-7"})))
            assert await until(lambda: made[7].ended) < 1
            assert sum(listener.ended == CHANGED for listener in made) == 100
            await asyncio.sleep(0.5)
            assert world.asked - asked <= 2, "one question for all, not one each"
            leases.changed(Scope(epoch=3, communities=frozenset({"ring"})))
            assert await until(lambda: all(listener.ended for listener in made)) < 1

    asyncio.run(run())


def test_anything_but_a_yes_ends_a_stream_and_it_never_goes_on() -> None:
    async def run() -> None:
        world = World()
        leases = Leases(world, world)
        with ExitStack() as stack:
            made = hold(stack, leases, 3)
            world.beating = False
            assert await until(lambda: all(listener.ended for listener in made)) < 1
            assert {listener.ended for listener in made} == {UNAVAILABLE}
            world.beating = True
            await asyncio.sleep(0.3)
            assert await made[0].next(0.01) is None
            made[0].end(CHANGED)
            assert made[0].ended == UNAVAILABLE, "a reason once given stands"

    asyncio.run(run())


def test_one_session_that_ends_ends_alone_and_a_source_that_fails_ends_all() -> None:
    async def run() -> None:
        world = World()
        leases = Leases(world, world)
        with ExitStack() as stack:
            made = hold(stack, leases, 5)
            await until(lambda: world.asked)
            world.gone, world.generation = {"p3"}, 1
            assert await until(lambda: made[3].ended) < 1
            assert [listener.ended for listener in made] == [None, None, None, ENDED, None]
            world.down, world.generation = True, 2
            assert await until(lambda: all(listener.ended for listener in made)) < 1

    asyncio.run(run())


def test_a_stream_opened_after_a_change_is_not_ended_by_it() -> None:
    async def run() -> None:
        world = World()
        world.number = 5
        leases = Leases(world, world)
        with ExitStack() as stack:
            (listener,) = hold(stack, leases, 1)
            leases.changed(Scope(epoch=5, communities=frozenset({"ring"})))
            await asyncio.sleep(0.1)
            assert listener.ended is None
        assert leases.count() == 0

    asyncio.run(run())
