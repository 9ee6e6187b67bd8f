"""Longer candles by name (`candles_1h`): what SQL gives equals a fresh aggregation bit for bit, whatever happened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pytest

from onetape.archive.candles import ArchivedCandleStore
from onetape.archive.folder import Files
from onetape.archive.moving import archive, restore
from onetape.clock import RealClock
from onetape.domain.frame import COLUMNS, CandleFrame, resample
from onetape.domain.market import Origin
from onetape.domain.parts import Which
from onetape.domain.units import DAY, MINUTE, Timeframe, parse_time
from onetape.marketdata import reading
from onetape.storage import rollups
from onetape.storage.candles import PgCandleStore
from onetape.storage.chunks import hypertables
from onetape.storage.shelf import PgShelf

START = parse_time("2024-01-30T21:47")  # not at a border; the end of a month lies two days later
M1 = Timeframe(1, "m")
TWO = ("BTC-USDT", "ETH-USDT")
JANUARY = Which(kind="candles", symbol="BTC-USDT", channel="1m", before_ts=parse_time("2024-02-01"))


class Place:
    """A database, its archive, and the candles in both."""

    def __init__(self, pool: Any, folder: Path) -> None:
        self.pool, self.shelf, self.files = pool, PgShelf(pool), Files(folder)
        self.candles = ArchivedCandleStore(PgCandleStore(pool), self.shelf, self.files, RealClock())
        self._rng = np.random.default_rng(5)

    async def append(self, which: Sequence[int], symbol: str = "BTC-USDT", origin: Origin = Origin.VENUE) -> None:
        """Minutes that long after START, each with numbers of its own."""
        n, rng = len(which), self._rng
        close = rng.uniform(90, 110, n)
        columns: dict[str, object] = {
            "ts": START + np.asarray(which) * MINUTE,
            "open": rng.uniform(90, 110, n),
            "high": close + 20,
            "low": close - 20,
            "close": close,
            "volume": rng.uniform(0, 3, n),
            "turnover": rng.uniform(0, 300, n),
            "origin": np.full(n, origin),
        }
        await self.candles.append(CandleFrame.of("okx", symbol, M1, columns))

    async def refresh(self) -> None:
        """What the server does each minute. Native tables need nothing of the kind."""
        if await hypertables(self.pool):
            jobs = await self.pool.fetch(
                "SELECT job_id FROM timescaledb_information.jobs"
                " WHERE proc_name = 'policy_refresh_continuous_aggregate'"
            )
            assert len(jobs) == len(rollups.TARGETS)
            for job in jobs:
                await self._run(job["job_id"])

    async def _run(self, job: int) -> None:
        """The server may be at it just now: then after it, because it may have begun before the last rows came."""
        while True:
            try:
                await self.pool.execute(f"CALL run_job({job})")
                return
            except asyncpg.LockNotAvailableError:
                await asyncio.sleep(0.1)

    async def archive(self) -> None:
        assert (await archive(self.shelf, self.files, JANUARY, lambda _: None)).released > 0

    async def compress(self) -> None:
        if await hypertables(self.pool):
            await self.pool.execute("SELECT compress_chunk(c, true) FROM show_chunks('processed_market_data') AS c")

    async def named(self, relation: str, symbol: str) -> list[tuple[Any, ...]]:
        rows = await self.pool.fetch(
            'SELECT "timestamp", open, high, low, close, volume, turnover, origin'
            f" FROM {relation} WHERE exchange = 'okx' AND symbol = $1 ORDER BY \"timestamp\"",
            symbol,
        )
        return [tuple(row) for row in rows]

    async def fresh(self, symbol: str, timeframe: Timeframe) -> list[tuple[Any, ...]]:
        """Of every minute, wherever it is stored."""
        source = await self.candles.load("okx", symbol, M1, None, None)
        built = reading.closed(resample(source, timeframe), int(source.close_ts[-1]))
        return list(zip(*(getattr(built, name).tolist() for name in COLUMNS), strict=True))

    async def assert_fresh(self, symbols: Sequence[str] = ("BTC-USDT",)) -> None:
        for symbol in symbols:
            for each in rollups.TARGETS:
                assert await self.named(f"candles_{each}", symbol) == await self.fresh(symbol, each), (symbol, each)


@pytest.fixture
def place(pool: Any, tmp_path: Path) -> Place:
    return Place(pool, tmp_path)


async def test_every_length_is_there_before_and_after_a_refresh(place: Place) -> None:
    await place.append(range(5_000))
    await place.assert_fresh()
    await place.refresh()
    await place.assert_fresh()


async def test_a_candle_is_there_when_it_has_ended_and_not_before(place: Place) -> None:
    await place.append(range(3_000))
    await place.refresh()  # takes in the hours and the day that have begun
    await place.assert_fresh()
    for i in range(3_000, 3_075):
        await place.append([i])
        assert len(await place.named("candles_1h", "BTC-USDT")) == len(await place.fresh("BTC-USDT", Timeframe(1, "h")))
    await place.refresh()
    await place.assert_fresh()


async def test_holes_filled_late_and_candles_corrected_are_taken_in(place: Place) -> None:
    await place.append([i for i in range(4_000) if i % 7 and not 900 < i < 2_500])
    await place.refresh()
    await place.assert_fresh()
    await place.append([1_000])  # a late candle
    await place.append(range(500))  # a backfill in front, which also corrects
    await place.append(range(1_200, 2_500))
    await place.append(range(-3_000, -2_000))  # before everything
    await place.append(range(2_600, 2_700), origin=Origin.SYNTHETIC)  # keeps those of the venue
    await place.refresh()
    await place.assert_fresh()


async def test_what_was_committed_is_seen_at_once(place: Place) -> None:
    """The server has refreshed everything once; since then a hole was filled and candles were corrected."""
    await place.append([i for i in range(4_000) if not 900 < i < 2_500])
    await place.refresh()
    for late in (range(1_000, 1_001), range(500), range(1_200, 2_500), range(4_000, 4_100)):
        await place.append(late)
        await place.assert_fresh()


@pytest.mark.timescale
async def test_series_that_is_not_rolled_up_yet_is_seen_as_the_server_aggregates_it(place: Place) -> None:
    await place.append(range(4_000))
    await place.refresh()
    await place.pool.execute("DELETE FROM rolled_series")
    await place.append([700])  # nobody keeps its longer candles now
    await place.refresh()
    await place.assert_fresh()


async def test_compressed_chunks_take_a_backfill_and_a_correction(place: Place) -> None:
    await place.append([i for i in range(4_000) if not 900 < i < 2_500])
    await place.refresh()
    await place.compress()
    await place.append(range(850, 1_300))
    await place.append([77])
    await place.refresh()
    await place.assert_fresh()
    assert len(await place.candles.corrections("okx", "BTC-USDT", M1, START, START + DAY)) == 52


@pytest.mark.parametrize("compressed", [False, True])
async def test_nothing_is_lost_when_the_minutes_are_in_the_archive(place: Place, compressed: bool) -> None:
    for symbol in TWO:
        await place.append(range(6_000), symbol)
    await place.refresh()
    before = [await place.named(f"candles_{each}", "BTC-USDT") for each in rollups.TARGETS]
    if compressed:
        await place.compress()
    await place.archive()
    await place.assert_fresh(TWO)
    await place.append(range(100, 200), "ETH-USDT")  # the same days of another market are aggregated again
    await place.refresh()
    await place.assert_fresh(TWO)
    assert [await place.named(f"candles_{each}", "BTC-USDT") for each in rollups.TARGETS] == before


async def test_an_archived_month_that_is_written_to_or_restored_stays_right(place: Place) -> None:
    await place.append([i for i in range(6_000) if not 900 < i < 1_000])
    await place.archive()
    await place.refresh()
    await place.append(range(890, 950))  # brings the month back
    await place.assert_fresh()
    await place.refresh()
    await place.assert_fresh()
    await place.pool.execute("UPDATE archived SET restored_at = NULL")
    await place.archive()
    await place.refresh()
    for entry in await place.shelf.entries(JANUARY):
        await restore(place.shelf, place.files, entry, lambda _: None)
    await place.assert_fresh()
    await place.refresh()
    await place.assert_fresh()


async def test_candles_of_minutes_that_were_let_go_stay(place: Place) -> None:
    await place.append(range(6_000))
    await place.refresh()
    before = [await place.named(f"candles_{each}", "BTC-USDT") for each in rollups.TARGETS]
    (part,) = [part async for part in place.shelf.parts(JANUARY)]
    assert await place.shelf.forget(part, None) > 0
    await place.refresh()
    assert [await place.named(f"candles_{each}", "BTC-USDT") for each in rollups.TARGETS] == before


@pytest.mark.timescale
async def test_the_aggregate_itself_is_a_fresh_aggregation_bit_for_bit(place: Place) -> None:
    rng = np.random.default_rng(8)
    for symbol in TWO:
        for origin in (Origin.VENUE, Origin.SYNTHETIC, Origin.FOREIGN):
            await place.append(np.flatnonzero(rng.random(5_000) < 0.4).tolist(), symbol, origin)
    await place.refresh()
    for symbol in TWO:
        for each in rollups.TARGETS:
            made = await place.named(f"cagg_{each}", symbol)
            fresh = await place.fresh(symbol, each)
            assert made[: len(fresh)] == fresh
            assert len(made) <= len(fresh) + 1  # one that has begun
    await place.archive()
    await place.refresh()
    january = [row for row in await place.named("cagg_1d", "BTC-USDT") if row[0] < parse_time("2024-02-01")]
    assert january == []  # the trap: what is refreshed over minutes that are gone is gone
    await place.assert_fresh(TWO)
