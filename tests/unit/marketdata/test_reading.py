"""Stored candles on any timeframe: built from the longest that fit, never a candle that is not over."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.domain.errors import NotFound
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.units import HOUR, MINUTE, Timeframe, parse_time
from onetape.marketdata import reading
from onetape.storage.memory import MemoryCandleStore

START = parse_time("2024-01-01")
MINUTES, FIVES, HOURS = Timeframe.parse("1m"), Timeframe.parse("5m"), Timeframe.parse("1h")


def frame(timeframe: str, n: int) -> CandleFrame:
    step = Timeframe.parse(timeframe).micros
    close = np.arange(n) + 100.0
    columns: dict[str, object] = {"ts": START + np.arange(n) * step, "volume": np.ones(n)}
    return CandleFrame.of("x", "A-B", timeframe, columns | dict.fromkeys(("open", "high", "low", "close"), close))


@pytest.fixture
async def store() -> MemoryCandleStore:
    made = MemoryCandleStore()
    await made.append(frame("1m", 143))  # two hours and 23 minutes
    return made


async def test_what_is_stored_is_given_as_it_is_and_shorter_candles_go_on_behind_it(store: MemoryCandleStore) -> None:
    stored = frame("5m", 10)
    await store.append(stored)
    found = await reading.load(store, ("x", "A-B", FIVES), None, None)
    assert found.close[:10].tolist() == stored.close.tolist()
    assert found.ts.tolist() == [START + m * 5 * MINUTE for m in range(28)]  # 143 minutes
    assert found.close[10] == 154.0  # of minute 54
    last = await reading.tail(store, ("x", "A-B", FIVES), 20)
    assert last.ts.tolist() == found.ts[8:].tolist()
    assert last.close.tolist() == found.close[8:].tolist()


async def test_a_year_of_minutes_is_not_hidden_by_a_week_of_hours(store: MemoryCandleStore) -> None:
    late = frame("5m", 28).rows(20, 28)
    await store.append(late)
    found = await reading.load(store, ("x", "A-B", FIVES), None, None)
    assert found.ts.tolist() == [START + m * 5 * MINUTE for m in range(28)]
    assert found.close[19] == 199.0  # built from minute 99
    assert found.close[20:].tolist() == late.close.tolist()
    some = await reading.load(store, ("x", "A-B", FIVES), START + 90 * MINUTE, START + 110 * MINUTE)
    assert some.close.tolist() == [194.0, 199.0, *late.close[:2].tolist()]
    last = await reading.tail(store, ("x", "A-B", FIVES), 10)
    assert last.close.tolist() == found.close[18:].tolist()
    early = await reading.tail(store, ("x", "A-B", FIVES), 3, START + 20 * MINUTE)
    assert early.close.tolist() == [109.0, 114.0, 119.0]


async def test_a_longer_timeframe_ends_with_the_last_candle_that_is_over(store: MemoryCandleStore) -> None:
    found = await reading.load(store, ("x", "A-B", HOURS), None, None)
    assert found.ts.tolist() == [START, START + HOUR]
    assert found.close.tolist() == [159.0, 219.0]
    assert found.volume.tolist() == [60.0, 60.0]


async def test_the_tail_begins_with_a_whole_candle(store: MemoryCandleStore) -> None:
    found = await reading.tail(store, ("x", "A-B", FIVES), 3)
    # the last minute opens at 2:22, so the last whole five minutes open at 2:15
    assert found.ts.tolist() == [START + 2 * HOUR + m * MINUTE for m in (5, 10, 15)]
    assert found.open.tolist() == [225.0, 230.0, 235.0]


async def test_a_start_inside_a_candle_begins_with_the_next_one(store: MemoryCandleStore) -> None:
    found = await reading.load(store, ("x", "A-B", FIVES), START + MINUTE, START + 16 * MINUTE)
    assert found.ts.tolist() == [START + m * MINUTE for m in (5, 10, 15)]


async def test_what_cannot_be_built_is_not_found(store: MemoryCandleStore) -> None:
    with pytest.raises(NotFound, match="no candles"):
        await reading.load(store, ("x", "NO-SUCH", MINUTES), None, None)
    with pytest.raises(NotFound, match="cannot be built"):
        await reading.load(store, ("x", "A-B", Timeframe.parse("30s")), None, None)


async def test_months_are_built_of_days_even_where_two_days_are_stored(store: MemoryCandleStore) -> None:
    """Two days are the longer ones, but one of them lies in both January and February."""
    for length, n in (("1d", 60), ("2d", 30)):
        step = Timeframe.parse(length)
        ts = step.floor(START) + np.arange(n) * step.micros
        columns: dict[str, object] = {"ts": ts, "volume": np.ones(n)}
        prices = dict.fromkeys(("open", "high", "low", "close"), np.ones(n))
        await store.append(CandleFrame.of("x", "C-D", length, columns | prices))
    found = await reading.load(store, ("x", "C-D", Timeframe.parse("1M")), START, None)
    assert found.volume.tolist() == [31.0, 29.0]


async def test_the_tail_of_long_months_is_as_long_as_asked(store: MemoryCandleStore) -> None:
    n = 20 * 366
    columns: dict[str, object] = {"ts": parse_time("2000-01-01") + np.arange(n) * 24 * HOUR, "volume": np.ones(n)}
    prices = dict.fromkeys(("open", "high", "low", "close"), np.ones(n))
    await store.append(CandleFrame.of("x", "C-D", "1d", columns | prices))
    found = await reading.tail(store, ("x", "C-D", Timeframe.parse("1M")), 230)
    assert len(found) == 230


@pytest.mark.parametrize("rolled", [False, True])
async def test_a_series_that_begins_inside_an_hour_begins_with_the_next_one(rolled: bool) -> None:
    """Of 00:20 to 03:00 the first hour would have the open, the extremes and the volume of forty minutes."""
    minutes = frame("1m", 180).rows(20, 180)

    class Store(MemoryCandleStore):
        async def rolled(
            self, market: object, timeframe: Timeframe, start: int | None, end: int | None, last: int | None = None
        ) -> CandleFrame | None:
            return resample(minutes, timeframe).between(start, end) if rolled else None

    store = Store()
    await store.append(minutes)
    for found in (
        await reading.load(store, ("x", "A-B", HOURS), None, None),
        await reading.load(store, ("x", "A-B", HOURS), START, None),
        await reading.tail(store, ("x", "A-B", HOURS), 10),
    ):
        assert found.ts.tolist() == [START + HOUR, START + 2 * HOUR]
    ahead = await reading.load(store, ("x", "A-B", HOURS), START + 2 * HOUR, None)
    assert ahead.ts.tolist() == [START + 2 * HOUR]
