"""Candles written by several at once, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import asyncpg
import numpy as np
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE, Timeframe, parse_time
from onetape.ports import Appended
from onetape.storage import candles, rollups
from onetape.storage.candles import BULK, PgCandleStore

START = parse_time("2019-12-31T12:00")


def frame(n: int, first: int = 0) -> CandleFrame:
    minutes = np.arange(first, first + n)
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close", "volume"), 1.0 + minutes)
    return CandleFrame.of("okx", "BTC-USDT", "1m", columns | {"ts": START + minutes * MINUTE})


async def test_the_same_bulk_from_two_writers_is_stored_once(pool: Any) -> None:
    stores = [PgCandleStore(pool) for _ in range(3)]
    done = await asyncio.gather(*(store.append(frame(3 * BULK)) for store in stores))
    assert sum(each.new for each in done) == 3 * BULK
    assert sum(each.changed for each in done) == 0
    assert [c.rows for c in await stores[0].coverage()] == [3 * BULK]


async def test_live_candles_and_a_backfill_that_overlaps_them_agree(pool: Any) -> None:
    live, backfill = PgCandleStore(pool), PgCandleStore(pool)
    n = 2 * BULK

    async def follow() -> int:
        return sum([(await live.append(frame(1, n - 20 + i))).new for i in range(40)])

    followed, filled = await asyncio.gather(follow(), backfill.append(frame(n)))
    assert followed + filled.new == n + 20
    stored = await live.load("okx", "BTC-USDT", Timeframe(1, "m"), None, None)
    assert len(stored) == n + 20
    assert not stored.gaps()
    assert [c.rows for c in await live.coverage()] == [n + 20]


async def test_a_failed_append_leaves_no_trace(pool: Any) -> None:
    store = PgCandleStore(pool)
    whole = frame(2 * BULK)
    odd = dataclasses.replace(whole, symbol="X\0Y")  # PostgreSQL has no text with a zero byte in it
    with pytest.raises(asyncpg.PostgresError, match="0x00"):
        await store.append(odd)
    assert await store.coverage() == []
    assert await store.append(whole) == Appended(2 * BULK, 2 * BULK, 0)


@pytest.mark.parametrize("span", [(None, None), (3, 90), (49, 51), (99, None), (None, 1), (50, 50), (200, 300)])
async def test_a_series_loaded_as_two_halves_is_whole(
    pool: Any, monkeypatch: pytest.MonkeyPatch, span: tuple[int | None, int | None]
) -> None:
    monkeypatch.setattr(candles, "LONG", 10)
    store, given = PgCandleStore(pool), frame(100)
    await store.append(given)
    limits = [None if minute is None else START + minute * MINUTE for minute in span]
    loaded = await store.load("okx", "BTC-USDT", Timeframe(1, "m"), limits[0], limits[1])
    np.testing.assert_array_equal(loaded.ts, given.between(limits[0], limits[1]).ts)
    np.testing.assert_array_equal(loaded.close, given.between(limits[0], limits[1]).close)


async def test_a_large_import_lets_others_in_between_its_pieces(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is stored before each piece but the first: the pieces before it, and a candle that came meanwhile."""
    monkeypatch.setattr(candles, "PIECE", 400)
    store, live = PgCandleStore(pool), PgCandleStore(pool)
    seen: list[int] = []
    begin, busy = rollups.begin, False

    async def meanwhile(connection: Any, exchange: str, symbol: str) -> rollups.State:
        nonlocal busy
        if not busy:
            busy = True
            seen.append(sum(each.rows for each in await live.coverage()))
            await live.append(frame(1, 5_000 + len(seen)))
            busy = False
        return await begin(connection, exchange, symbol)

    monkeypatch.setattr(rollups, "begin", meanwhile)
    assert await store.append(frame(1_200)) == Appended(1_200, 1_200, 0)
    assert seen == [0, 401, 802]
    assert [c.rows for c in await live.coverage()] == [1_203]
