"""The gateway's side of the protocol without I/O: events in, actions out. No socket, no file, no clock, no randomness.

Rules held here: at least once (a batch leaves the spool only for its own receipt); a batch the hub refuses as malformed
is set aside with the reason and the others go on, but several refused in a row speak against the hub, not the batches,
and stop that; errors are answered with back-off and jitter; a wrong clock is corrected from the hub's answers; nothing
is sent without a fresh snapshot; a stream silent for 15 s is lost.

Times: `now` is monotonic seconds, `hub_time` and `wall` microseconds since 1970.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from commonwatch.errors import InvalidInput
from commonwatch.wire.messages import MAX_LINE, BatchReceipt, Downlink, Hello, Ping, decode_line

SILENCE = 15.0
HEARTBEAT = 10.0
IN_FLIGHT = 4
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
#: Refused batches in a row after which no more are set aside.
REFUSALS = 5
#: The clock is corrected when it is this far off, microseconds.
CLOCK_STEP = 2_000_000
_MALFORMED = frozenset({400, 413, 415, 422})


# Events: what happened.
class Tick(msgspec.Struct, frozen=True):
    """Time has passed; `fresh`: whether a fresh verified snapshot is held."""

    now: float
    fresh: bool


class Queued(msgspec.Struct, frozen=True):
    """Batches in the spool, oldest first (again and again is harmless)."""

    now: float
    batches: tuple[int, ...]


class Answered(msgspec.Struct, frozen=True):
    """The hub answered a batch. `reason` is the problem's text, `retry_after` seconds or 0."""

    now: float
    batch_uid: int
    status: int
    body: bytes
    wall: int
    hub_time: int | None = None
    retry_after: float = 0.0
    reason: str = ""


class Failed(msgspec.Struct, frozen=True):
    """A batch could not be delivered, or no answer came."""

    now: float
    batch_uid: int


class Dropped(msgspec.Struct, frozen=True):
    """A batch is no longer to be sent: the owner's agreements do not allow it any more."""

    now: float
    batch_uid: int


class StreamAnswered(msgspec.Struct, frozen=True):
    """The hub answered the request for the stream."""

    now: float
    status: int
    wall: int
    hub_time: int | None = None


class StreamBytes(msgspec.Struct, frozen=True):
    """Bytes of the stream."""

    now: float
    data: bytes
    wall: int


class StreamEnded(msgspec.Struct, frozen=True):
    """The stream broke, ended, or never came."""

    now: float


Event = Tick | Queued | Answered | Failed | Dropped | StreamAnswered | StreamBytes | StreamEnded


# Actions: what to do.
class SendBatch(msgspec.Struct, frozen=True):
    """POST this batch of the spool."""

    batch_uid: int


class Acknowledge(msgspec.Struct, frozen=True):
    """Remove the batch from the spool: the hub has it durably."""

    receipt: BatchReceipt


class SetAside(msgspec.Struct, frozen=True):
    """Keep the batch apart: the hub will never take it."""

    batch_uid: int
    reason: str


class OpenStream(msgspec.Struct, frozen=True):
    """GET the stream."""


class CloseStream(msgspec.Struct, frozen=True):
    """Give the stream up."""


class Deliver(msgspec.Struct, frozen=True):
    """A message of the stream to act on."""

    message: Downlink


class Compare(msgspec.Struct, frozen=True):
    """The hub says the last of our batches it has is this one: offer again what it lost."""

    last: int


class SendHeartbeat(msgspec.Struct, frozen=True):
    """POST a heartbeat."""


class AdjustClock(msgspec.Struct, frozen=True):
    """Add this to the wall clock, microseconds."""

    offset: int


class Report(msgspec.Struct, frozen=True):
    """Say this to the operator."""

    what: str


Action = (
    SendBatch | Acknowledge | SetAside | OpenStream | CloseStream | Deliver | Compare | SendHeartbeat | AdjustClock
    | Report
)  # fmt: skip


class BackOff:
    """Waits that double up to a minute, each drawn between half and whole; `jitter()` gives 0..1."""

    def __init__(self, jitter: Callable[[], float]) -> None:
        self._jitter = jitter
        self._failures = 0
        self.until = 0.0

    def fail(self, now: float, least: float = 0.0) -> None:
        """One more failure; several at once are one."""
        if now < self.until:
            self.until = max(self.until, now + least)
            return
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self.until = max(self.until, now + max(least, wait * (0.5 + self._jitter() / 2)))

    def succeed(self) -> None:
        """It works again."""
        self._failures, self.until = 0, 0.0


class Protocol:
    """The state machine. `handle` one event at a time; do its actions in order."""

    def __init__(self, jitter: Callable[[], float], *, stream: bool = True) -> None:
        self.offset = 0
        self.attempted = 0
        self._stream_wanted = stream
        self._waiting: deque[int] = deque()
        self._flying: set[int] = set()
        self._known: set[int] = set()
        self._fresh = False
        self._refused = 0
        self._clock_retry: set[int] = set()
        self._up = BackOff(jitter)
        self._down = BackOff(jitter)
        self._stream: Literal["closed", "asked", "open"] = "closed"
        self._heard = 0.0
        self._beat = 0.0
        self._line = bytearray()

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting and nothing is under way."""
        return not self._waiting and not self._flying

    def handle(self, event: Event) -> list[Action]:
        """What to do now that this has happened."""
        return list(self._handle(event))

    def _handle(self, event: Event) -> Iterable[Action]:
        match event:
            case Tick():
                self._fresh = event.fresh
                yield from self._tick(event.now)
            case Queued():
                self._queue(event.batches)
            case Answered():
                yield from self._answered(event)
            case Failed():
                self._again(event.batch_uid)
                self._up.fail(event.now)
            case Dropped():
                self._forget(event.batch_uid)
            case StreamAnswered():
                yield from self._stream_answered(event)
            case StreamBytes():
                yield from self._stream_bytes(event)
            case StreamEnded():
                self._lose_stream(event.now)
        yield from self._send(event.now)

    # Uplink ---------------------------------------------------------------------------------------------------------

    def _queue(self, batches: Iterable[int]) -> None:
        for batch in batches:
            if batch not in self._known:
                self._known.add(batch)
                self._waiting.append(batch)

    def _send(self, now: float) -> Iterable[Action]:
        while self._fresh and self._waiting and now >= self._up.until and len(self._flying) < self._room():
            batch = self._waiting.popleft()
            self._flying.add(batch)
            self.attempted += 1
            yield SendBatch(batch)

    def _room(self) -> int:
        """One batch at a time until the hub takes one."""
        return 1 if self._refused else IN_FLIGHT

    def _again(self, batch: int) -> None:
        if batch in self._flying:
            self._flying.discard(batch)
            self._waiting.appendleft(batch)

    def _forget(self, batch: int) -> None:
        self._flying.discard(batch)
        self._known.discard(batch)
        self._clock_retry.discard(batch)

    def _answered(self, event: Answered) -> Iterable[Action]:
        corrected = list(self._correct(event.wall, event.hub_time))
        yield from corrected
        batch = event.batch_uid
        if batch not in self._flying:
            return
        if event.status in {200, 201, 202}:
            yield from self._receipt(event)
        elif event.status in _MALFORMED and corrected and batch not in self._clock_retry:
            self._clock_retry.add(batch)  # it may have been our clock that the hub minded
            self._again(batch)
        elif event.status in _MALFORMED and self._refused < REFUSALS:
            self._refused += 1
            self._forget(batch)
            yield SetAside(batch, event.reason or f"the hub answered {event.status}")
            if self._refused == REFUSALS:
                yield Report(f"the hub refused {REFUSALS} batches in a row; the next are kept and tried slowly")
        elif event.status == 401 and batch not in self._clock_retry:
            self._clock_retry.add(batch)
            self._again(batch)
        else:
            self._again(batch)
            self._up.fail(event.now, self._least_wait(event))
            yield Report(f"the hub answered {event.status} to a batch: {event.reason or 'trying again later'}")

    def _least_wait(self, event: Answered) -> float:
        if event.status in {401, 403} or event.status in _MALFORMED:
            return LONGEST_WAIT / 2
        return min(event.retry_after, 3600.0)

    def _receipt(self, event: Answered) -> Iterable[Action]:
        try:
            receipt = msgspec.json.decode(event.body, type=BatchReceipt)
        except (msgspec.DecodeError, UnicodeDecodeError):
            receipt = None
        if receipt is None or receipt.batch_uid != event.batch_uid:
            self._again(event.batch_uid)
            self._up.fail(event.now)
            yield Report("the hub's receipt is not for the batch that was sent; sending it again")
            return
        self._forget(event.batch_uid)
        self._refused = 0
        self._up.succeed()
        yield Acknowledge(receipt)

    def _correct(self, wall: int, hub_time: int | None) -> Iterable[Action]:
        """Follow the hub's clock when ours is off."""
        if hub_time is not None and abs(hub_time - wall - self.offset) > CLOCK_STEP:
            self.offset = hub_time - wall
            yield AdjustClock(self.offset)

    # Downlink -------------------------------------------------------------------------------------------------------

    def _tick(self, now: float) -> Iterable[Action]:
        if self._stream != "closed" and now - self._heard > SILENCE:
            yield CloseStream()
            self._lose_stream(now)
        if self._stream_wanted and self._stream == "closed" and now >= self._down.until:
            self._stream, self._heard = "asked", now
            self._line.clear()
            yield OpenStream()
        if now - self._beat >= HEARTBEAT:
            self._beat = now
            yield SendHeartbeat()

    def _lose_stream(self, now: float) -> None:
        if self._stream != "closed":
            self._stream = "closed"
            self._down.fail(now)

    def _stream_answered(self, event: StreamAnswered) -> Iterable[Action]:
        yield from self._correct(event.wall, event.hub_time)
        self._heard = event.now
        if event.status == 200:
            self._stream = "open"
            return
        self._lose_stream(event.now)
        yield Report(f"the hub answered {event.status} to the request for its stream")

    def _stream_bytes(self, event: StreamBytes) -> Iterable[Action]:
        if self._stream != "open":
            return
        self._heard = event.now
        self._line += event.data
        lines = self._lines() if b"\n" in event.data or len(self._line) > MAX_LINE else ()
        try:
            for line in lines:
                if line.strip():
                    yield from self._message(decode_line(line), event.wall)
        except InvalidInput as error:
            yield Report(str(error))
            yield CloseStream()
            self._lose_stream(event.now)

    def _lines(self) -> list[bytes]:
        """Whole lines; an over-long half one is given out too, to be refused."""
        *lines, rest = bytes(self._line).split(b"\n")
        self._line = bytearray(rest)
        return [*lines, rest] if len(rest) > MAX_LINE else lines

    def _message(self, message: Downlink | None, wall: int) -> Iterable[Action]:
        self._down.succeed()
        if isinstance(message, Hello | Ping):
            yield from self._correct(wall, message.hub_time)
            if isinstance(message, Hello) and message.last_batch >= 0:
                yield Compare(message.last_batch)
        elif message is not None:
            yield Deliver(message)
