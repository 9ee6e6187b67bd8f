"""Recorded messages played again: what is published, under which name, and that it is the same each time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from onetape.bus.memory import MemoryBus
from onetape.domain.market import Book, Candle, MarketEvent, Print, RawFrame
from onetape.domain.units import SECOND, Timeframe
from onetape.marketdata.replay import Played, Wish, replay
from onetape.ports import Message

NOON = 1_772_366_400_000_000  # 2026-03-01T12:00
TEN = Timeframe(10, "s")


class Recorded:
    """A raw store of a list, in pages of two."""

    def __init__(self, frames: Sequence[RawFrame]) -> None:
        self.frames = frames

    async def append(self, frames: Sequence[RawFrame]) -> int:
        raise AssertionError("a replay writes nothing")

    async def last_ts(self, exchange: str, symbol: str, channel: str) -> int:
        raise AssertionError("a replay reads in order")

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        raise AssertionError("a replay reads in order")

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: int, end_ts: int
    ) -> AsyncIterator[list[RawFrame]]:
        chosen = [f for f in self.frames if f.channel in channels and start_ts <= f.ts < end_ts]
        for at in range(0, len(chosen), 2):
            yield chosen[at : at + 2]


def frame(seconds: float, channel: str = "trades", data: bytes = b"100") -> RawFrame:
    ts = NOON + round(seconds * SECOND)
    return RawFrame("okx", "BTC-USDT", channel, ts, ts + 5_000, round(seconds * 1000), data)


def decode(raw: RawFrame) -> tuple[MarketEvent, ...]:
    """A trade of one coin at the price that is the message; a book with that bid."""
    price = float(raw.data)
    if raw.channel == "book":
        return (Book("okx", "BTC-USDT", raw.ts, [(price, 1.0)], [], True, raw.recv_ts),)
    return (Print("okx", "BTC-USDT", str(raw.seq), raw.ts, price, 1.0, 1, raw.recv_ts),)


async def played(frames: Sequence[RawFrame], wish: Wish) -> tuple[Played, list[Message]]:
    bus = MemoryBus()
    heard: list[Message] = []

    async def listen() -> None:
        heard.extend([message async for message in bus.subscribe("*") if isinstance(message, Message)])

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0)
    done = await replay(Recorded(frames), decode, bus, wish, lambda _: None)
    await bus.close()
    await listener
    return done, heard


WISH = Wish("okx", "BTC-USDT", ("trades", "book"), NOON, NOON + 60 * SECOND)


async def test_prints_and_built_candles_bear_the_name_of_the_replay() -> None:
    frames = [frame(1, data=b"100"), frame(4, data=b"103"), frame(12, data=b"101"), frame(59.5, data=b"99")]
    done, heard = await played(frames, WISH._replace(build=(TEN,)))
    assert [message.topic for message in heard if message.topic.startswith("prints")] == [
        "prints:replay-okx:BTC-USDT"
    ] * 4
    candles = [message.body for message in heard if isinstance(message.body, Candle)]
    assert [(c.exchange, (c.open_ts - NOON) // SECOND, c.open, c.high, c.close, c.volume) for c in candles] == [
        ("replay-okx", 0, 100.0, 103.0, 103.0, 2.0),
        ("replay-okx", 10, 101.0, 101.0, 101.0, 1.0),
    ]
    assert (done.frames, done.events) == (4, {"print": 4, "built": 2})
    assert (done.first_ts, done.last_ts) == (frames[0].recv_ts, frames[-1].recv_ts)


async def test_of_a_book_only_the_newest_of_twenty_recorded_milliseconds_is_told() -> None:
    frames = [frame(at / 1000, "book", str(at).encode()) for at in (1, 5, 20, 22, 43)]
    _, heard = await played(frames, WISH)
    assert [message.body.bids[0][0] for message in heard] == [20.0, 22.0, 43.0]


async def test_the_same_span_says_the_same_at_any_speed() -> None:
    frames = [frame(i / 50, "trades" if i % 2 else "book", str(100 + i).encode()) for i in range(40)]
    fast, heard = await played(frames, WISH._replace(build=(TEN,)))
    slow, again = await played(frames, WISH._replace(build=(TEN,), speed=40.0))
    assert (fast.digest, fast.events) == (slow.digest, slow.events)
    assert heard == again
    other, _ = await played([*frames[:-1], frame(0.78, data=b"1")], WISH._replace(build=(TEN,)))
    assert other.digest != fast.digest


async def test_speed_is_kept() -> None:
    began = time.monotonic()
    await played([frame(0), frame(1), frame(2)], WISH._replace(speed=20.0))
    assert time.monotonic() - began >= 0.098  # two recorded seconds at twenty times the speed


async def test_prints_come_from_the_better_of_two_channels_of_trades() -> None:
    frames = [frame(1), frame(1.1, "trades_all")]
    done, _ = await played(frames, WISH._replace(channels=("trades", "trades_all")))
    assert done.events == {"print": 1}


async def test_an_hour_is_not_played_on_until_the_day_is_over() -> None:
    """A message of a candle bears its open time: that of the day lies in the span whenever it was received."""
    minute = [frame(30 + i / 4, data=b"1") for i in range(118)]  # to 59.25 s
    about = [
        (30, "candles:1h"),
        (59.5, "candles:1h"),
        (60.5, "candles:1m"),
        (60.6, "candles:1h"),
        (3_000, "candles:1h"),
    ]
    candles = [
        RawFrame("okx", "BTC-USDT", channel, NOON, NOON + round(at * SECOND) + 5_000, round(at * 1000) + 1, b"2")
        for at, channel in about
    ]
    frames = sorted([*minute, *candles], key=lambda each: each.recv_ts)
    done, _ = await played(frames, WISH._replace(channels=("trades", "candles:1m", "candles:1h")))
    assert done.frames == 118 + 3  # the minute that ends with the span is told by what comes right after it
    assert done.last_ts == NOON + 60_505_000


async def test_a_span_without_messages_says_nothing() -> None:
    done, heard = await played([], WISH)
    assert (done.frames, done.times, heard) == (0, 0.0, [])
