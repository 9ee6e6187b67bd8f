"""The collector between the simulated venue and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import numpy as np
import pytest

from onetape.bus.memory import MemoryBus
from onetape.clock import RealClock
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Received, Want
from onetape.domain.units import MINUTE, Timeframe
from onetape.exchanges.connection import Habits
from onetape.exchanges.okx.feed import OkxFeed
from onetape.marketdata.collector import Collector, wants_for
from onetape.ports import Message
from onetape.storage.candles import PgCandleStore
from onetape.storage.raw import PgRawStore
from onetape.venue.server import Venue

SYMBOL = "BTC-USD"
M1 = Timeframe.parse("1m")
START = 1_560_000_000_000_000
QUICK = Habits(ping_after=1.0, silence=2.0, backoff=0.05, backoff_limit=0.2, connects=1_000)


def tape(n: int = 3_000) -> CandleFrame:
    rng = np.random.default_rng(7)
    close = np.round(8_000 + np.cumsum(rng.normal(0, 5, n)), 1)
    opens = np.concatenate(([8_000.0], close[:-1]))
    prices = {"open": opens, "high": np.maximum(opens, close) + 2, "low": np.minimum(opens, close) - 2, "close": close}
    volume = np.round(rng.uniform(1, 5, n), 4)
    return CandleFrame.of("okx", SYMBOL, "1m", {"ts": START + np.arange(n) * MINUTE, **prices, "volume": volume})


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Four minutes of the market in every second."""
    venue = Venue([tape()], speed=240.0, start_ts=START + 1_500 * MINUTE, limits=False)
    await venue.start()
    yield venue
    await venue.stop()


class Listening(OkxFeed):
    """The feed, remembering what it gave."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue.rest_url, venue.ws_url, habits=QUICK)
        self.gave: list[Received] = []

    async def stream(self, wants: Any) -> AsyncIterator[Received]:
        async with aclosing(super().stream(wants)) as stream:  # type: ignore[type-var]
            async for received in stream:
                self.gave.append(received)
                yield received


class Desk:
    def __init__(self, venue: Venue, pool: Any, wants: list[Want]) -> None:
        self.feed = Listening(venue)
        self.candles, self.raw, self.bus = PgCandleStore(pool), PgRawStore(pool), MemoryBus()
        self.collector = Collector(
            self.feed, self.candles, self.raw, self.bus, RealClock(), wants, depth=lambda _: 500
        )  # fmt: skip

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.collector.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.feed.close()

    async def told(self, n: int) -> list[Candle]:
        """The next n closed 1m candles from the bus; each one is in the database already."""
        found: list[Candle] = []
        async with asyncio.timeout(15), aclosing(self.bus.subscribe("candle:okx:*:1m")) as messages:  # type: ignore[type-var]
            async for message in messages:
                if isinstance(message, Message):
                    found.append(message.body)
                    stored = await self.candles.load("okx", SYMBOL, M1, message.body.open_ts, message.body.close_ts)
                    assert len(stored) == 1
                    if len(found) == n:
                        break
        return found


async def whole(candles: PgCandleStore, timeframe: Timeframe = M1) -> CandleFrame:
    """What is stored, which must be without a hole and equal to what the venue plays."""
    frame = await candles.load("okx", SYMBOL, timeframe, None, None)
    assert frame.gaps() == []
    if timeframe == M1:
        expected = tape().between(int(frame.ts[0]), int(frame.ts[-1]) + 1)
        for name in ("ts", "open", "high", "low", "close", "volume"):
            assert np.array_equal(getattr(frame, name), getattr(expected, name)), name
    return frame


async def test_candles_of_the_past_and_the_present_are_stored_once_and_whole(venue: Venue, pool: Any) -> None:
    desk = Desk(venue, pool, wants_for([SYMBOL], ["5m"]))
    async with desk.running():
        last = (await desk.told(5))[-1]
    frame = await whole(desk.candles)
    assert len(frame) >= 504
    assert int(frame.ts[-1]) >= last.open_ts
    assert len(await whole(desk.candles, Timeframe.parse("5m"))) >= 300  # all that the venue has
    (coverage, _) = await desk.candles.coverage("okx", SYMBOL)
    assert coverage.rows == len(frame)


async def test_raw_frames_are_kept_exactly(venue: Venue, pool: Any) -> None:
    desk = Desk(venue, pool, wants_for([SYMBOL], []))
    async with desk.running():
        await desk.told(3)
    gave = [r.raw for r in desk.feed.gave if r.raw]
    assert len(gave) > 20
    for channel in ("trades", "book", "ticker", "candles:1m"):
        expected = [f.data for f in gave if f.channel == channel]
        kept = await desk.raw.tail("okx", SYMBOL, channel, 100_000)
        assert [f.data for f in kept][-len(expected) :] == expected[: len(kept)]
        assert all(json.loads(f.data)["arg"]["instId"] == SYMBOL for f in kept)


async def test_cut_lines_leave_no_hole(venue: Venue, pool: Any) -> None:
    desk = Desk(venue, pool, wants_for([SYMBOL], []))
    async with desk.running():
        for _ in range(4):
            await desk.told(2)
            venue.drop_connections()
        await desk.told(3)
    await whole(desk.candles)
    assert await desk.candles.gaps("okx", SYMBOL, "candles:1m") == []


async def test_stopped_and_started_again_it_fetches_what_it_missed(venue: Venue, pool: Any) -> None:
    first = Desk(venue, pool, wants_for([SYMBOL], []))
    async with first.running():
        await first.told(2)
    await asyncio.sleep(1.0)  # four candles close meanwhile
    second = Desk(venue, pool, wants_for([SYMBOL], []))
    async with second.running():
        await second.told(3)
    await whole(second.candles)


async def test_killed_at_any_moment_it_leaves_no_hole(venue: Venue, pool: Any, database_url: str) -> None:
    """A collector in a process of its own is killed without warning, several times; the last one ends in peace."""
    desk = Desk(venue, pool, wants_for([SYMBOL], []))
    for seconds in (0.9, 0.35, 1.1):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CHILD, venue.rest_url, venue.ws_url, database_url, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"ready")
        await asyncio.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
    async with desk.running():
        await desk.told(3)
    frame = await whole(desk.candles)
    assert len(frame) >= 500


async def test_latency_is_measured_on_every_stage(venue: Venue, pool: Any) -> None:
    desk = Desk(venue, pool, wants_for([SYMBOL], []))
    begun = time.monotonic()
    async with desk.running(), asyncio.timeout(15):
        while (
            not (stats := desk.collector.stats())["candle_committed"]["count"] or not stats["hint_published"]["count"]
        ):
            await asyncio.sleep(0.05)
    for stage in ("frame_committed", "candle_committed", "hint_published"):
        assert stats[stage]["count"] > 0
        assert 0 < stats[stage]["p99_ms"] < (time.monotonic() - begun) * 1e3


_CHILD = """
import asyncio, sys
from onetape.bus.memory import MemoryBus
from onetape.clock import RealClock
from onetape.exchanges.okx.feed import OkxFeed
from onetape.marketdata.collector import Collector, wants_for
from onetape.storage.candles import PgCandleStore
from onetape.storage.pool import open_pool
from onetape.storage.raw import PgRawStore

async def main():
    rest, ws, database = sys.argv[1:]
    pool = await open_pool(database)
    collector = Collector(OkxFeed(rest, ws), PgCandleStore(pool), PgRawStore(pool), MemoryBus(), RealClock(),
                          wants_for(["BTC-USD"], []), depth=lambda _: 500)
    print("ready", flush=True)
    await collector.run()

asyncio.run(main())
"""
