"""Playbooks of the protocol core: what happens, and what is to be done, without a socket, a file or a clock."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from commonwatch.gateway import protocol as p
from commonwatch.wire.messages import (
    BatchReceipt,
    Hello,
    IndicatorItem,
    Indicators,
    Ping,
    Withdraw,
    encode_line,
)

WALL = 1_764_000_000_000_000


def core(*, stream: bool = False, fresh: bool = True) -> p.Protocol:
    """A core that has ticked once; heartbeats are out of the way."""
    made = p.Protocol(lambda: 1.0, stream=stream)
    made.handle(p.Tick(100.0, fresh))
    return made


def receipt(uid: int, *, duplicate: bool = False) -> bytes:
    """The hub's receipt of a batch of ten rows."""
    return msgspec.json.encode(BatchReceipt(uid, 10, 0 if duplicate else 10, duplicate=duplicate))


def answered(now: float, uid: int, status: int = 200, **more: object) -> p.Answered:
    """An answer to a batch; 200 comes with its receipt."""
    body = receipt(uid) if status == 200 else b""
    return p.Answered(now, uid, status, more.pop("body", body), WALL, **more)  # type: ignore[arg-type]


def only(kind: type, actions: list[p.Action]) -> list[p.Action]:
    """The actions of one kind."""
    return [a for a in actions if isinstance(a, kind)]


def test_a_batch_is_sent_and_leaves_the_spool_only_for_its_receipt() -> None:
    c = core()
    assert c.handle(p.Queued(100.0, (7,))) == [p.SendBatch(7)]
    assert not c.idle
    assert c.handle(answered(100.1, 7)) == [p.Acknowledge(BatchReceipt(7, 10, 10))]
    assert c.idle


def test_hearing_of_a_batch_twice_sends_it_once() -> None:
    c = core()
    assert c.handle(p.Queued(100.0, (7,))) == [p.SendBatch(7)]
    assert c.handle(p.Queued(100.1, (7,))) == []


def test_a_receipt_for_another_batch_acknowledges_nothing_and_the_batch_is_sent_again() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    for body in (receipt(8), b"", b"{}", b"\xff"):
        actions = c.handle(answered(100.1, 7, body=body))
        assert only(p.Acknowledge, actions) == []
        assert not c.idle
        assert p.SendBatch(7) in c.handle(p.Tick(10_000.0, True))


def test_a_duplicate_receipt_is_a_receipt() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    actions = c.handle(answered(100.1, 7, body=receipt(7, duplicate=True)))
    assert actions == [p.Acknowledge(BatchReceipt(7, 10, 0, duplicate=True))]


def test_without_a_fresh_snapshot_nothing_is_sent() -> None:
    c = core(fresh=False)
    assert c.handle(p.Queued(100.0, (7,))) == []
    assert c.handle(p.Tick(100.2, True)) == [p.SendBatch(7)]


def test_at_most_a_few_batches_are_under_way() -> None:
    c = core()
    assert len(c.handle(p.Queued(100.0, tuple(range(20))))) == p.IN_FLIGHT
    assert c.handle(answered(100.1, 2))[-1] == p.SendBatch(p.IN_FLIGHT)


def test_a_lost_connection_is_answered_with_growing_waits() -> None:
    c = core()
    c.handle(p.Queued(0.0, (7,)))
    now, waits = 100.0, []
    for _ in range(9):
        assert c.handle(p.Failed(now, 7)) == []
        began = now
        while not only(p.SendBatch, c.handle(p.Tick(now, True))):
            now += 0.25
        waits.append(now - began)
    assert waits == sorted(waits)
    assert waits[0] <= 1.0
    assert waits[-1] == p.LONGEST_WAIT


def test_jitter_spreads_gateways_that_fail_together() -> None:
    waits = []
    for jitter in (0.0, 0.5, 1.0):
        back = p.BackOff(lambda jitter=jitter: jitter)
        back.fail(0.0)
        waits.append(back.until)
    assert waits == [0.25, 0.375, 0.5]


def test_four_failures_at_once_count_as_one() -> None:
    c = core()
    c.handle(p.Queued(100.0, (1, 2, 3, 4)))
    for uid in (1, 2, 3, 4):
        c.handle(p.Failed(100.0, uid))
    assert len(only(p.SendBatch, c.handle(p.Tick(100.6, True)))) == 4


def test_a_full_hub_is_given_the_time_it_asks_for() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    c.handle(answered(100.0, 7, 429, retry_after=30.0))
    assert only(p.SendBatch, c.handle(p.Tick(129.0, True))) == []
    assert only(p.SendBatch, c.handle(p.Tick(130.1, True))) == [p.SendBatch(7)]


def test_a_refused_batch_is_set_aside_with_the_reason_and_the_others_go_on() -> None:
    c = core()
    c.handle(p.Queued(100.0, (1, 2)))
    actions = c.handle(answered(100.1, 1, 400, reason="a cell is out of range at columns.src_port[3]"))
    assert only(p.SetAside, actions) == [p.SetAside(1, "a cell is out of range at columns.src_port[3]")]
    assert c.handle(answered(100.2, 2)) == [p.Acknowledge(BatchReceipt(2, 10, 10))]


def test_a_hub_that_refuses_everything_is_not_allowed_to_empty_the_spool() -> None:
    c = core()
    actions, aside, now, sent = c.handle(p.Queued(100.0, tuple(range(50)))), 0, 100.0, 0
    while now < 500.0:
        aside += len(only(p.SetAside, actions))
        flying = only(p.SendBatch, actions)
        sent += len(flying)
        now += 0.5
        actions = [a for send in flying for a in c.handle(answered(now, send.batch_uid, 400))]  # type: ignore[union-attr]
        actions += c.handle(p.Tick(now, True))
    assert aside == p.REFUSALS
    assert sent < 25
    while not only(p.SendBatch, actions):
        now += 1.0
        actions = c.handle(p.Tick(now, True))
    (send,) = only(p.SendBatch, actions)
    uid = send.batch_uid  # type: ignore[union-attr]
    assert p.Acknowledge(BatchReceipt(uid, 10, 10)) in c.handle(answered(now, uid))


def test_a_wrong_clock_is_corrected_from_the_answer_and_the_batch_sent_again_at_once() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    year = 365 * 86_400_000_000
    actions = c.handle(answered(100.1, 7, 401, hub_time=WALL + year))
    assert actions == [p.AdjustClock(year), p.SendBatch(7)]
    assert c.offset == year
    again = c.handle(answered(100.2, 7, 401, hub_time=WALL + year))
    assert only(p.SendBatch, again) == []
    assert only(p.Report, again)


def test_a_clock_that_is_nearly_right_is_left_alone() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    assert c.handle(answered(100.1, 7, hub_time=WALL + 900_000)) == [p.Acknowledge(BatchReceipt(7, 10, 10))]


def test_a_removed_gateway_keeps_its_spool_and_asks_rarely() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    assert only(p.SetAside, c.handle(answered(100.0, 7, 403))) == []
    assert only(p.SendBatch, c.handle(p.Tick(125.0, True))) == []
    assert only(p.SendBatch, c.handle(p.Tick(131.0, True))) == [p.SendBatch(7)]


def test_a_batch_that_may_not_leave_any_more_is_forgotten() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    assert c.handle(p.Dropped(100.1, 7)) == []
    assert c.idle


def test_an_answer_nobody_waits_for_changes_nothing() -> None:
    c = core()
    assert c.handle(answered(100.0, 99)) == []


def test_a_heartbeat_goes_out_every_ten_seconds() -> None:
    c = core()
    beats = [t for t in range(101, 141) if only(p.SendHeartbeat, c.handle(p.Tick(float(t), True)))]
    assert beats == [110, 120, 130, 140]


def streaming() -> p.Protocol:
    """A core whose stream is open."""
    c = p.Protocol(lambda: 1.0)
    assert p.OpenStream() in c.handle(p.Tick(100.0, True))
    assert c.handle(p.StreamAnswered(100.1, 200, WALL)) == []
    return c


def test_lines_are_whole_however_the_bytes_come() -> None:
    item = IndicatorItem(id="i", type="ipv4-addr", value="203.0.113.9", pattern="[x]", valid_from=WALL)
    messages = [Indicators([item]), Withdraw(["j"])]
    data = encode_line(Hello(WALL, 1)) + b"".join(encode_line(m) for m in messages) + encode_line(Ping(WALL))
    for size in (1, 7, 64, len(data)):
        c, got = streaming(), []
        for at in range(0, len(data), size):
            got += c.handle(p.StreamBytes(100.2, data[at : at + size], WALL))
        assert got == [p.Deliver(m) for m in messages]


def test_a_silent_stream_is_given_up_after_fifteen_seconds_and_opened_again() -> None:
    c = streaming()
    c.handle(p.StreamBytes(101.0, encode_line(Ping(WALL)), WALL))
    assert p.CloseStream() not in c.handle(p.Tick(115.9, True))
    assert p.CloseStream() in c.handle(p.Tick(116.1, True))
    assert p.OpenStream() in c.handle(p.Tick(117.0, True))


def test_a_hub_that_never_answers_the_stream_is_asked_again() -> None:
    c = p.Protocol(lambda: 1.0)
    assert p.OpenStream() in c.handle(p.Tick(100.0, True))
    assert p.CloseStream() in c.handle(p.Tick(115.1, True))
    assert p.OpenStream() in c.handle(p.Tick(117.0, True))


def test_a_refused_stream_is_asked_for_with_growing_waits() -> None:
    c = p.Protocol(lambda: 1.0)
    now, opened = 100.0, []
    while now < 200.0:
        if p.OpenStream() in c.handle(p.Tick(now, True)):
            opened.append(now)
            assert only(p.Report, c.handle(p.StreamAnswered(now, 403, WALL)))
        now += 0.25
    gaps = [b - a for a, b in pairwise(opened)]
    assert gaps == sorted(gaps)
    assert len(opened) < 10


def test_a_malformed_line_ends_the_stream_and_it_is_opened_again() -> None:
    c = streaming()
    actions = c.handle(p.StreamBytes(101.0, b'{"kind":"ping"}\n', WALL))
    assert only(p.Report, actions)
    assert p.CloseStream() in actions
    assert p.OpenStream() in c.handle(p.Tick(103.0, True))


def test_a_line_without_end_does_not_fill_the_memory() -> None:
    c = streaming()
    closed = False
    for n in range(40):
        closed = closed or p.CloseStream() in c.handle(p.StreamBytes(101.0 + n, b"x" * 1_048_576, WALL))
    assert closed


def test_bytes_after_the_stream_was_given_up_are_ignored() -> None:
    c = streaming()
    c.handle(p.StreamEnded(101.0))
    assert c.handle(p.StreamBytes(101.0, encode_line(Withdraw(["i"])), WALL)) == []


def test_the_hub_s_pings_correct_the_clock() -> None:
    c = streaming()
    assert c.handle(p.StreamBytes(101.0, encode_line(Ping(WALL - 5_000_000)), WALL)) == [p.AdjustClock(-5_000_000)]


def test_a_batch_refused_by_the_answer_that_corrects_the_clock_is_tried_once_more() -> None:
    c = core()
    c.handle(p.Queued(100.0, (7,)))
    actions = c.handle(answered(100.1, 7, 422, hub_time=WALL - 3 * 86_400_000_000))
    assert only(p.SetAside, actions) == []
    assert only(p.SendBatch, actions) == [p.SendBatch(7)]
    assert only(p.SetAside, c.handle(answered(100.2, 7, 422))) != []


def test_the_hub_says_up_to_where_it_has_our_batches() -> None:
    c = core(stream=True)
    c.handle(p.StreamAnswered(100.0, 200, WALL))
    said = c.handle(p.StreamBytes(100.1, encode_line(Hello(WALL, 1, 5)), WALL))
    assert only(p.Compare, said) == [p.Compare(5)]
    assert only(p.Compare, c.handle(p.StreamBytes(100.2, encode_line(Hello(WALL, 1)), WALL))) == []
