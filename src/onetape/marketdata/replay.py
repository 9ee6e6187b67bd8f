"""Plays recorded messages again: read in the order of their receipt, decoded, built and published as when they came.

What is published bears the name `replay-okx` instead of `okx`, so that nobody takes the past for the present: topics,
events and built candles alike. The recorded moments alone decide what is published and in which order, never how fast
this machine is; so two replays of one span say the same, at any speed, and `digest` proves it.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from onetape.domain import topics
from onetape.domain.market import (
    Candle,
    Gap,
    InstrumentChange,
    MarketEvent,
    Print,
    Prints,
    RawFrame,
    candle_channel,
)
from onetape.domain.units import LATEST, Micros, Timeframe
from onetape.marketdata.building import LateBuilder
from onetape.marketdata.trades import CHANNELS
from onetape.ports import Bus

AS_FAST_AS_POSSIBLE: Final = math.inf
_REPLAY: Final = "replay-"
_STRIDE: Final = 1_000  # messages between two looks at the bus
_LOOK_SECONDS: Final = 0.5  # between two words about the progress

Decode = Callable[[RawFrame], tuple[MarketEvent, ...]]


class Messages(Protocol):
    """Where a replay reads: a RawStore, or one whose holes are mended (`missed`)."""

    def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[list[RawFrame]]: ...


class Wish(NamedTuple):
    """What is played. `speed` is recorded seconds per second of ours; `build` are candles to be made of the trades."""

    exchange: str
    symbol: str
    channels: tuple[str, ...]
    start_ts: Micros
    end_ts: Micros
    speed: float = AS_FAST_AS_POSSIBLE
    build: tuple[Timeframe, ...] = ()


class Played(msgspec.Struct, kw_only=True):
    """How far a replay is, or what it was: `events` by kind, `seconds` of ours, `digest` of all that was said."""

    frames: int = 0
    events: dict[str, int] = {}
    first_ts: Micros = 0  # receipt of the first and of the newest message
    last_ts: Micros = 0
    seconds: float = 0.0
    digest: str = ""

    @property
    def times(self) -> float:
        """Recorded seconds per second of ours."""
        return (self.last_ts - self.first_ts) / 1e6 / self.seconds if self.seconds > 0 else 0.0


def replay_name(exchange: str) -> str:
    return f"{_REPLAY}{exchange}"


def is_replay(exchange: str) -> bool:
    """Whether it is the name that a replay bears, and not an exchange that is received now."""
    return exchange.startswith(_REPLAY)


def trades_of(channels: Sequence[str]) -> str:
    """The channel that prints are taken from, as the recorder does; "" = none of them has any."""
    return next((str(channel) for channel in CHANNELS if channel in channels), "")


async def replay(raw: Messages, decode: Decode, bus: Bus, wish: Wish, told: Callable[[Played], None]) -> Played:
    """The whole span. `decode` is fresh: it remembers the books."""
    stage, pace, played, until = Stage(bus, wish), Pace(wish.speed), Played(), Until(wish)
    began = looked = time.monotonic()
    async for read in raw.read(wish.exchange, wish.symbol, wish.channels, wish.start_ts, wish.end_ts):
        page = until.of(read)
        for at in range(0, len(page), _STRIDE):
            for frame in page[at : at + _STRIDE]:
                if (early := pace.early(frame.recv_ts)) > 0:
                    stage.send_hints()
                    await asyncio.sleep(early)
                stage.take(frame, decode(frame))
            await bus.settled()
            played.frames += min(_STRIDE, len(page) - at)
            played.first_ts = played.first_ts or page[0].recv_ts
            played.last_ts = page[min(at + _STRIDE, len(page)) - 1].recv_ts
            played.seconds = time.monotonic() - began
            if time.monotonic() - looked >= _LOOK_SECONDS:
                looked = time.monotonic()
                told(played)
    stage.send_hints()
    await bus.settled()
    played.seconds = time.monotonic() - began
    played.events, played.digest = dict(stage.counts), stage.digest
    return played


class Until:
    """The end of a span. A message about a candle bears the time at which that opened, and comes again and again until
    it closes: of a candle that is open at the end of the span those are left out that were received after it, or an
    hour would be played for the sake of a day. The venue's clock is told by what was received soonest."""

    def __init__(self, wish: Wish) -> None:
        prefix = candle_channel("")
        self._lengths = {c: Timeframe.parse(c.removeprefix(prefix)) for c in wish.channels if c.startswith(prefix)}
        self._end_ts = wish.end_ts
        self._behind = LATEST  # our clock minus the venue's, and the way of a message

    def of(self, page: list[RawFrame]) -> list[RawFrame]:
        return [frame for frame in page if self._within(frame)] if self._lengths else page

    def _within(self, frame: RawFrame) -> bool:
        self._behind = min(self._behind, frame.recv_ts - frame.ts)
        if frame.recv_ts - self._behind < self._end_ts:
            return True
        length = self._lengths.get(frame.channel)
        return length is None or length.next(frame.ts) <= self._end_ts


class Pace:
    """Recorded time against ours."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._first: Micros = -1
        self._began = 0.0

    def early(self, recv_ts: Micros) -> float:
        """Seconds until a message is due; what is less than a millisecond away is due."""
        if self._speed == AS_FAST_AS_POSSIBLE:
            return 0.0
        now = time.monotonic()
        if self._first < 0:
            self._first, self._began = recv_ts, now
        left = self._began + (recv_ts - self._first) / 1e6 / self._speed - now
        return left if left > 0.001 else 0.0


class Stage:
    """Messages and what they say go in, hints come out, as the recorder would have sent them."""

    def __init__(self, bus: Bus, wish: Wish) -> None:
        self._bus, self._name, self._trades = bus, replay_name(wish.exchange), trades_of(wish.channels)
        self._builders = [LateBuilder(self._name, wish.symbol, each) for each in wish.build]
        self._hints: dict[str, MarketEvent] = {}
        self._hints_due: Micros = 0
        self._hash = hashlib.sha256()
        self._encode = msgspec.msgpack.Encoder().encode
        self.counts: Counter[str] = Counter()

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def take(self, frame: RawFrame, events: tuple[MarketEvent, ...]) -> None:
        if frame.recv_ts >= self._hints_due:
            self.send_hints()
            self._hints_due = frame.recv_ts + topics.HINT  # of recorded time
        self._hash.update(self._encode(events))
        trades = []
        for event in events:
            if type(event) is not Print:
                self._other(event)
            elif frame.channel == self._trades:
                trades.append(event)
        if trades:
            self._print(frame.symbol, trades)

    def _print(self, symbol: str, trades: list[Print]) -> None:
        """Those of one message."""
        self.counts["print"] += len(trades)
        named = tuple([msgspec.structs.replace(trade, exchange=self._name) for trade in trades])
        self._bus.publish(topics.prints(self._name, symbol), Prints(self._name, symbol, named))
        for trade in trades:
            for builder in self._builders:
                for candle in builder.add(trade):
                    self.counts["built"] += 1
                    self._hash.update(self._encode(candle))
                    self._publish(topics.candle(self._name, candle.symbol, candle.timeframe), candle)

    def _other(self, event: MarketEvent) -> None:
        self.counts[str(event.__struct_config__.tag)] += 1
        if isinstance(event, Candle):
            self._publish(topics.candle(self._name, event.symbol, event.timeframe), event)
        elif not isinstance(event, Print | Gap | InstrumentChange):
            self._hints[topics.fleeting(self._name, event)] = event

    def send_hints(self) -> None:
        hints, self._hints = self._hints, {}
        for topic, event in hints.items():
            self._publish(topic, event)

    def _publish(self, topic: str, event: MarketEvent) -> None:
        self._bus.publish(topic, msgspec.structs.replace(event, exchange=self._name))
