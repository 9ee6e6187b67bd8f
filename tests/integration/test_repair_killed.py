"""A repair of missed trades that dies on its way, between the simulated venue and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.market import FROM_TRADES, Gap, RawFrame, Received
from onetape.domain.units import MINUTE, Timeframe
from onetape.exchanges.okx.feed import OkxFeed
from onetape.marketdata.fetching import Fetching, Lengths
from onetape.marketdata.repair import Repairs, Served
from onetape.storage.candles import PgCandleStore
from onetape.storage.raw import PgRawStore
from onetape.venue.server import Venue

SYMBOL = "BTC-USDT"
START = 1_560_000_000_000_000
HOLE = Gap("okx", SYMBOL, "trades_all", START + 3 * MINUTE + 17, START + 41 * MINUTE + 5, "the line was cut")


class Killed(BaseException):
    pass


class Dying(OkxFeed):
    """Dies after so many pages."""

    pages = 1_000_000

    async def past_trades(self, symbol: str, start_ts: int, end_ts: int) -> AsyncIterator[Received]:
        async for page in super().past_trades(symbol, start_ts, end_ts):
            yield page
            self.pages -= 1
            if not self.pages:
                raise Killed


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    n = 120
    price = np.full(n, 100.0)
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close", "volume"), price)
    tape = CandleFrame.of("okx", SYMBOL, "1m", {"ts": START + np.arange(n) * MINUTE, **columns})
    venue = Venue([tape], speed=1.0, start_ts=START + 100 * MINUTE, limits=False)
    await venue.start()
    yield venue
    await venue.stop()


async def repaired(venue: Venue, pool: Any, pages: int = 1_000_000) -> None:
    """By a process of its own: it knows nothing but what is stored."""
    feed, candles, raw = Dying(venue.rest_url, venue.ws_url), PgCandleStore(pool), PgRawStore(pool)
    feed.pages = pages

    async def keep(frame: RawFrame) -> None:
        await raw.append([frame])

    async def rate(_: str) -> float:
        return 1.0

    fetching = Fetching(feed, candles, keep, lambda: asyncio.sleep(0), rate)
    lengths = Lengths((Timeframe.parse("30s"),), ())
    repairs = Repairs(feed, candles, fetching, Served(lambda: (SYMBOL,), lambda _: lengths, newest=lambda _: 10**18))
    try:
        while await candles.gaps("okx", None, None):
            await repairs.work()
    finally:
        await feed.close()


async def test_repair_that_was_killed_again_and_again_stores_every_answer_once(venue: Venue, pool: Any) -> None:
    candles = PgCandleStore(pool)
    await candles.add_gaps([HOLE])
    for pages in (2, 5, 9):
        with suppress(Killed):
            await repaired(venue, pool, pages)
    stored = await pool.fetchval("SELECT count(*) FROM raw_market_data")
    assert stored >= 9
    await repaired(venue, pool)
    copies = await pool.fetch("SELECT count(*) AS n FROM raw_market_data GROUP BY channel, data::text")
    assert len(copies) > stored
    assert {row["n"] for row in copies} == {1}
    assert await pool.fetchval("SELECT rows FROM raw_coverage") == len(copies)
    assert {row["closed_how"] for row in await pool.fetch("SELECT closed_how FROM gaps")} == {FROM_TRADES}
