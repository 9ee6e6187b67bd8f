"""Longer candles kept ready in PostgreSQL equal a fresh aggregation, whatever was appended, and in whatever order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onetape.domain.frame import COLUMNS, CandleFrame, resample
from onetape.domain.market import Origin
from onetape.domain.units import DAY, MINUTE, Timeframe, parse_time
from onetape.marketdata import reading
from onetape.storage import rollups
from onetape.storage.candles import PgCandleStore

START = parse_time("2023-12-30T22:17")  # not at a border, and a year ends inside
M1 = Timeframe(1, "m")
MARKET = ("okx", "BTC-USDT")


def minutes(rng: np.random.Generator, which: np.ndarray[Any, Any], origin: Origin = Origin.VENUE) -> CandleFrame:
    close = rng.uniform(90, 110, len(which))
    columns: dict[str, object] = {
        "ts": START + which * MINUTE,
        "open": close,
        "high": close + rng.uniform(0, 1, len(which)),
        "low": close - rng.uniform(0, 1, len(which)),
        "close": close,
        "volume": rng.uniform(0, 3, len(which)),
        "turnover": rng.uniform(0, 300, len(which)),
        "origin": np.full(len(which), origin),
    }
    return CandleFrame.of(*MARKET, M1, columns)


async def assert_fresh(store: PgCandleStore) -> None:
    """Every ready-made length is what a fresh aggregation of the stored minutes gives."""
    source = await store.load(*MARKET, M1, None, None)
    end = int(source.close_ts[-1])
    for timeframe in rollups.TARGETS:
        fresh = reading.closed(resample(source, timeframe), end)
        ready = await store.rolled(MARKET, timeframe, None, None)
        assert ready is not None
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(ready, name), getattr(fresh, name), err_msg=f"{timeframe} {name}")


@pytest.mark.parametrize("seed", range(6))
async def test_ready_made_candles_equal_fresh_ones_after_appends_in_any_order(pool: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = PgCandleStore(pool)
    for step in range(14):
        start = int(rng.integers(0, 6_000))
        length = int(rng.choice([1, 1, 2, 30, 400, 1_500]))
        which = np.arange(start, start + length)
        if rng.random() < 0.4:
            which = which[rng.random(len(which)) < 0.7]  # with holes
        if len(which):
            origin = Origin.SYNTHETIC if rng.random() < 0.2 else Origin.VENUE
            await store.append(minutes(rng, which, origin))
        if step in (3, 8, 13) and len(await store.load(*MARKET, M1, None, None)):
            await assert_fresh(store)


async def test_minute_by_minute_an_hour_is_there_when_its_last_minute_is(pool: Any) -> None:
    store, rng = PgCandleStore(pool), np.random.default_rng(1)
    hour = Timeframe(1, "h")
    for i in range(43):  # 22:17 to 22:59
        ready = await store.rolled(MARKET, hour, None, None)
        assert not ready or not len(ready)
        await store.append(minutes(rng, np.array([i])))
    assert len(await store.rolled(MARKET, hour, None, None) or ()) == 1
    await assert_fresh(store)


async def test_a_minute_after_a_hole_finishes_the_hour_before_it(pool: Any) -> None:
    store, rng = PgCandleStore(pool), np.random.default_rng(1)
    await store.append(minutes(rng, np.arange(10)))
    await store.append(minutes(rng, np.array([5 * 1_440])))  # days later
    await assert_fresh(store)


async def test_candles_stored_before_there_were_rollups_are_rolled_up_once(pool: Any) -> None:
    store, rng = PgCandleStore(pool), np.random.default_rng(3)
    await store.append(minutes(rng, np.arange(4_000)))
    await pool.execute("DELETE FROM rolled_series; DELETE FROM candle_rollups")
    assert await store.rolled(MARKET, Timeframe(1, "h"), None, None) is None
    await store.append(minutes(rng, np.arange(4_000, 4_300)))
    assert await rollups.roll_up(pool) == 1
    assert await rollups.roll_up(pool) == 0
    await assert_fresh(store)


async def test_a_reader_gets_the_same_whether_it_is_kept_ready_or_not(pool: Any) -> None:
    store, rng = PgCandleStore(pool), np.random.default_rng(4)
    which = np.arange(5_000)
    await store.append(minutes(rng, which[rng.random(5_000) < 0.97]))
    spans = [(None, None), (START + DAY, None), (None, START + 2 * DAY), (START + 777 * MINUTE, START + 2_111 * MINUTE)]
    asked = [(Timeframe.parse(text), span) for text in ("15m", "1h", "4h", "1d") for span in spans]
    ready = [await reading.load(store, (*MARKET, each), *span) for each, span in asked]
    tails = [await reading.tail(store, (*MARKET, each), 7, span[1]) for each, span in asked]
    await pool.execute("DELETE FROM rolled_series")
    for (each, span), one, end in zip(asked, ready, tails, strict=True):
        fresh = await reading.load(store, (*MARKET, each), *span)
        last = await reading.tail(store, (*MARKET, each), 7, span[1])
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(one, name), getattr(fresh, name))
            np.testing.assert_array_equal(getattr(end, name), getattr(last, name))
