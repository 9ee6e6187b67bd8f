"""One series on a fake feed whose REST is late, away or unwilling, and a store in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import NONE_THERE, Candle, Gap
from onetape.domain.units import MINUTE, Timeframe
from onetape.marketdata import keeper
from onetape.marketdata.absence import STOPPED
from onetape.marketdata.keeper import MISSED, REFUSED, SeriesKeeper
from onetape.storage.memory import MemoryCandleStore

M1 = Timeframe.parse("1m")
SYMBOL = "BTC-USD"


class Store(MemoryCandleStore):
    """Its gaps can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        if self.away:
            raise Transient("the database is away.")
        return await super().add_gaps(gaps)


class Desk:
    """A keeper with `stored` minutes, on a venue that has `minutes` and whose clock stands at `now`."""

    def __init__(self, feed: Any, depth: int = 20) -> None:
        self.feed, self.store = feed, Store()
        self.told: list[int] = []
        self.keeper = SeriesKeeper(feed, self.store, SYMBOL, M1, depth)

    async def put(self, *candles: Candle) -> None:
        await self.store.append(CandleFrame.from_candles(candles))

    async def _forward(self, candle: Candle, told: bool) -> None:
        await self.put(candle)
        if told:
            self._announce(candle)

    def _announce(self, candle: Candle) -> None:
        self.told.append(candle.open_ts // MINUTE)

    async def _settled(self) -> None:
        await asyncio.sleep(0)

    async def say(self, *candles: Candle) -> None:
        for candle in candles:
            await self.keeper.arrived(candle, self._forward)

    async def minutes(self) -> list[int]:
        return ((await self.store.load("okx", SYMBOL, M1, None, None)).ts // MINUTE).tolist()

    async def gaps(self) -> list[tuple[int, int, str]]:
        found = await self.store.gaps("okx", SYMBOL, "candles:1m")
        return [(g.start_ts // MINUTE, g.end_ts // MINUTE, g.cause) for g in found]

    async def absent(self) -> list[tuple[int, int]]:
        found = await self.store.absent("okx", SYMBOL, "candles:1m")
        return [(g.start_ts // MINUTE, g.end_ts // MINUTE) for g in found]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.keeper.run(self._forward, self._settled, self._announce))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while True:
            held = holds()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_HOLD_SECONDS", 0.05)
    monkeypatch.setattr(keeper, "_RETRY_SECONDS", 0.02)


async def test_candle_that_rest_shows_later_than_the_stream_is_not_declared_absent(make_feed: Any, candle: Any) -> None:
    feed = make_feed(range(101), 101)
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [100])
        feed.now_minute = 102.005  # a third of a second after minute 101 closed, which REST has not yet
        desk.keeper.doubt()
        await until(lambda: feed.asked[-1] == (101, 102))
        await desk.say(candle(101), candle(102))
    assert (await desk.minutes())[-3:] == [100, 101, 102]
    assert desk.told == [100, 101, 102]
    assert await desk.absent() == []


async def test_first_load_waits_for_the_newest_candle_that_rest_has_not_yet(make_feed: Any, candle: Any) -> None:
    feed = make_feed(range(100), 101.005)
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [99])
        await desk.say(candle(100))
    assert desk.told == [99, 100]
    assert await desk.absent() == []


async def test_what_is_lacking_for_longer_than_the_settling_time_is_absent(make_feed: Any, candle: Any) -> None:
    feed = make_feed(range(101), 101)
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [100])
        feed.now_minute = 103  # 101 closed a minute ago
        await desk.say(candle(102))
        await until(lambda: desk.told[-1] == 102)
    assert await desk.absent() == [(101, 102)]


async def test_late_candle_is_stored_but_not_told_and_ends_its_absence(make_feed: Any, candle: Any) -> None:
    feed = make_feed(range(101), 101)
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [100])
        feed.now_minute = 103
        await desk.say(candle(102))
        await until(lambda: desk.told == [100, 102])
        await desk.say(candle(101))
    assert (await desk.minutes())[-3:] == [100, 101, 102]
    assert desk.told == [100, 102]
    assert await desk.absent() == []


async def test_candle_that_comes_again_with_other_numbers_is_stored_with_a_correction(
    make_feed: Any, candle: Any
) -> None:
    feed = make_feed(range(101), 101)
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [100])
        await desk.say(candle(101), msgspec.structs.replace(candle(101), volume=3.0))
    (one,) = await desk.store.corrections("okx", SYMBOL, M1, 0, 10**15)
    assert (one.open_ts // MINUTE, one.before[4], one.after[4]) == (101, 1.0, 3.0)
    assert desk.told == [100, 101]


async def test_rest_that_is_away_at_the_start_is_owed_and_recorded(make_feed: Any, candle: Any) -> None:
    feed = make_feed(range(101), 101)
    feed.broken = True
    desk = Desk(feed)
    await desk.put(*(candle(m) for m in range(80, 95)))
    async with desk.running():
        await desk.say(candle(100))
        await until(lambda: desk.told == [100])
        assert (95, 100, STOPPED) in await desk.gaps()
        feed.broken = False

        async def whole() -> bool:
            return await desk.minutes() == list(range(80, 101))

        await until(whole)
    assert await desk.gaps() == []
    assert desk.told == [100]


async def test_start_that_is_tried_again_while_time_passes_leaves_one_gap(make_feed: Any, candle: Any) -> None:
    feed = Unwilling(make_feed(range(110), 100), Transient("the venue is away."))
    desk = Desk(feed, depth=5)
    await desk.put(*(candle(m) for m in range(90, 95)))
    async with desk.running():
        await until(lambda: feed.tries == 1)
        feed._feed.now_minute = 105
        await until(lambda: feed.tries == 3)
        assert await desk.gaps() == [(95, 100, STOPPED)]
        feed.refusing = False
        await until(lambda: bool(desk.told))
    assert await desk.minutes() == list(range(90, 100))


async def test_hole_is_recorded_later_when_the_database_was_away_too(make_feed: Any, candle: Any) -> None:
    feed = make_feed(range(101), 101)
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [100])
        feed.broken = desk.store.away = True
        await desk.say(candle(103))
        await until(lambda: desk.told == [100, 103])
        desk.store.away = False

        async def noted() -> bool:
            return await desk.gaps() == [(101, 103, MISSED)]

        await until(noted)


class Unwilling:
    """A feed whose past cannot be had while `refusing`."""

    def __init__(self, feed: Any, error: Exception | None = None) -> None:
        self._feed, self.refusing, self.tries = feed, True, 0
        self._error = error or Refused("not for you.")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    async def history(self, *what: Any) -> AsyncIterator[CandleFrame]:
        self.tries += 1
        if self.refusing:
            raise self._error
        async for page in self._feed.history(*what):
            yield page


async def test_hole_whose_history_is_refused_stays_as_a_gap_that_says_so(make_feed: Any, candle: Any) -> None:
    feed = Unwilling(make_feed(range(101), 101))
    feed.refusing = False
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [100])
        feed.refusing = True
        await desk.say(candle(103))
        await until(lambda: desk.told == [100, 103])
        assert await desk.gaps() == [(101, 103, f"{REFUSED}: not for you.")]


async def test_start_whose_history_is_refused_records_the_hole(make_feed: Any, candle: Any) -> None:
    desk = Desk(Unwilling(make_feed(range(101), 101)), depth=5)
    await desk.put(*(candle(m) for m in range(90, 95)))
    async with desk.running():
        await desk.say(candle(100))
        await until(lambda: desk.told == [100])
        assert (95, 100, STOPPED) in await desk.gaps()


async def test_debt_that_is_refused_stays_as_a_gap(make_feed: Any, candle: Any) -> None:
    inner = make_feed(range(101), 101)
    feed = Unwilling(inner)
    feed.refusing = False
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: desk.told == [100])
        inner.broken = True
        await desk.say(candle(103))
        await until(lambda: desk.told == [100, 103])
        feed.refusing, inner.broken = True, False
        await until(lambda: not desk.keeper._owed)
        assert [gap[:2] for gap in await desk.gaps()] == [(101, 103)]


async def test_absence_that_was_filled_says_by_what(make_feed: Any, candle: Any) -> None:
    store = MemoryCandleStore()
    gap = Gap("okx", SYMBOL, "candles:1m", 5 * MINUTE, 7 * MINUTE, "x")
    await store.close_gaps([gap], NONE_THERE)
    await store.append(CandleFrame.from_candles([candle(5)]))
    assert await store.absent("okx", SYMBOL, "candles:1m") == [
        Gap("okx", SYMBOL, "candles:1m", 6 * MINUTE, 7 * MINUTE, "x")
    ]
    await store.append(CandleFrame.from_candles([candle(6)]))
    assert await store.absent("okx", SYMBOL, "candles:1m") == []
