"""The fan-out: who hears what, in which order, and that a slow listener harms nobody else."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import AsyncExitStack

from commonwatch.hub.push import MOST_WAITING, SLICE, Broadcaster, Epoch, Watermark
from commonwatch.wire.messages import AlertMessage, IndicatorItem, Indicators, Withdraw


def item(number: int) -> IndicatorItem:
    return IndicatorItem(id=f"indicator--{number}", type="ipv4-addr", value="203.0.113.9", pattern="[]", valid_from=0)


def test_a_message_reaches_only_its_organisation() -> None:
    async def run() -> None:
        push = Broadcaster()
        async with push.listen("acme") as acme, push.listen("other") as other:
            push.publish_indicators("acme", [item(1)])
            push.alert("other", AlertMessage("a", "Outbreak", 1))
            assert await acme.next(1) == Indicators([item(1)])
            assert await other.next(1) == AlertMessage("a", "Outbreak", 1)
            assert await acme.next(0.05) is None
            assert await other.next(0.05) is None
        assert push.count() == 0

    asyncio.run(run())


def test_everybody_hears_of_a_new_epoch_and_watermark_from_any_thread() -> None:
    async def run() -> None:
        push = Broadcaster()
        async with push.listen("acme") as one, push.listen("other") as two:
            thread = threading.Thread(target=lambda: (push.epoch(7), push.watermark("2026-11-19T06:00:00Z")))
            thread.start()
            for listener in (one, two):
                assert await listener.next(1) == Epoch(7)
                assert await listener.next(1) == Watermark("2026-11-19T06:00:00Z")
            thread.join()

    asyncio.run(run())


def test_a_returning_gateway_hears_what_holds_now_and_what_was_withdrawn() -> None:
    push = Broadcaster()
    push.publish_indicators("acme", [item(n) for n in range(1200)])
    push.withdraw("acme", ["indicator--3"])
    push.publish_indicators("acme", [item(4)])
    first, *rest = push.backlog("acme")
    assert first == Withdraw(["indicator--3"])
    ids = [i.id for message in rest if isinstance(message, Indicators) for i in message.items]
    assert len(ids) == len(set(ids)) == 1199
    assert ids[-1] == "indicator--4"
    push.publish_indicators("acme", [item(3)])
    assert not [m for m in push.backlog("acme") if isinstance(m, Withdraw)]
    assert push.backlog("other") == []


def test_a_listener_that_does_not_keep_up_is_cut_off_and_the_others_are_not() -> None:
    async def run() -> None:
        push = Broadcaster()
        async with push.listen("slow") as slow, push.listen("quick") as quick:
            for number in range(MOST_WAITING + 1):
                push.epoch(number)
                assert await quick.next(1) == Epoch(number)
            assert slow.cut
            assert not quick.cut

    asyncio.run(run())


def test_a_thousand_gateways_hear_an_indicator_within_a_second() -> None:
    async def run() -> None:
        push = Broadcaster()

        async def gateway(number: int) -> float:
            async with push.listen(f"org-{number % 250}") as listener:
                assert isinstance(await listener.next(30), Indicators)
                return time.monotonic()

        waiting = [asyncio.create_task(gateway(number)) for number in range(1000)]
        while push.count() < 1000:
            await asyncio.sleep(0.01)
        start = time.monotonic()
        for number in range(250):
            push.publish_indicators(f"org-{number}", [item(number)])
        assert max(await asyncio.gather(*waiting)) - start < 1.0

    asyncio.run(run())


def test_owners_whose_documents_changed_hear_of_it_before_ten_thousand_others() -> None:
    async def run() -> None:
        push = Broadcaster()
        async with AsyncExitStack() as stack:
            mine = await stack.enter_async_context(push.listen("acme"))
            others = [await stack.enter_async_context(push.listen(f"org-{n % 7}")) for n in range(SLICE + 50)]
            push.epoch(7, frozenset({"acme"}))
            assert await mine.next(1) == Epoch(7, frozenset({"acme"}))
            assert not any(one._waiting for one in others), "whoever is not concerned does not hold up who is"
            assert [await one.next(3) for one in others] == [Epoch(7, frozenset({"acme"}))] * len(others)

    asyncio.run(run())


def test_a_listener_that_is_shut_gets_nothing_more_even_before_it_is_woken() -> None:
    async def run() -> None:
        push = Broadcaster()
        async with push.listen("acme") as listener:
            push.watermark("2026-11-19T06:00:00Z")
            await asyncio.sleep(0)
            listener.shut("policy-changed")
            push.watermark("2026-11-19T06:01:00Z")
            await asyncio.sleep(0)
            listener.wake()
            assert (await listener.next(1), listener.ended) == (None, "policy-changed")

    asyncio.run(run())
