"""Large tables: what reads cost when there are millions of candles and messages. Made in the server itself; --rows says
how many candles (50,000,000 for the full size), and there are two messages for every five of them.

On an embedded PostgreSQL, or in a database of its own on the TimescaleDB server that TEST_TIMESCALE_URL names. There
all but the newest 60 days of candles and 14 of messages are columns, as the policies leave them."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from bench.timing import Row, Wish, percentile
from onetape.domain.units import DAY, MINUTE, WEEK, Timeframe
from onetape.storage.candles import PgCandleStore
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.storage.partitions import ensure_partitions
from onetape.storage.pool import EPOCH_2000, open_pool

YEAR = 525_600  # minutes
START = EPOCH_2000 + 9_132 * DAY  # 2025-01-01
LENGTH = Timeframe.parse("1m")
READS = 200
_CANDLES = """
INSERT INTO processed_market_data (exchange, symbol, timeframe, "timestamp", open, high, low, close, volume)
SELECT 'bench', $1, '1m', $2::timestamptz + i * interval '1 minute', 100 + i % 7, 110, 90, 100 + (i + 1) % 7, 1
FROM generate_series(0, $3::int - 1) AS i
"""
_COVERED = """
INSERT INTO candle_coverage (exchange, symbol, timeframe, first_ts, last_ts, rows)
VALUES ('bench', $1, '1m', $2::timestamptz, $2::timestamptz + ($3::int - 1) * interval '1 minute', $3)
"""
_FRAMES = """
INSERT INTO raw_market_data (exchange, symbol, channel, "timestamp", seq, recv_ts, data)
SELECT 'bench', 'S' || i % 10, 'trades', $1::timestamptz + i * interval '0.03 second', i, now(),
       '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"tradeId":"130639474","px":"42219.9","sz":"0.1"}]}'
FROM generate_series($2::int, $3::int - 1) AS i
"""


def rows(wish: Wish) -> list[Row]:
    return asyncio.run(measured(wish.rows))


async def measured(candles: int) -> list[Row]:
    named = os.environ.get("TEST_TIMESCALE_URL", "")
    series, frames = max(1, candles // YEAR), candles * 2 // 5
    async with on_timescale(named) if named else on_our_own() as url:
        await migrate(url)
        pool = await open_pool(url)
        try:
            await filled(pool, series, frames)
            if named:
                await in_columns(pool, frames)
            await settled(pool)
            found = await read(PgCandleStore(pool), url, series)
        finally:
            await pool.close()
    where = "TimescaleDB" if named else "PostgreSQL"
    size = f"{series * YEAR:,} candles of {series} series, {frames:,} messages on {where}"
    return [*found, Row(job="tables", what=size, value=float(series * YEAR + frames), unit="rows")]


@asynccontextmanager
async def on_our_own() -> AsyncIterator[str]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder))
        try:
            yield await server.start()
        finally:
            await server.stop()


@asynccontextmanager
async def on_timescale(server: str) -> AsyncIterator[str]:
    """The address of a new database there, which is dropped in the end."""
    name = f"onetape_bench_{os.getpid()}"
    connection: Any = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(server)._replace(path=f"/{name}").geturl()
        finally:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)", timeout=600)
    finally:
        await connection.close()


async def in_columns(pool: Any, frames: int) -> None:
    ends = {"processed_market_data": START + YEAR * MINUTE, "raw_market_data": START + frames * 30_000}
    async with pool.acquire() as connection:
        for table, kept in {"processed_market_data": 60 * DAY, "raw_market_data": 14 * DAY}.items():
            old = "SELECT compress_chunk(each, true) FROM show_chunks($1::regclass, older_than => $2::timestamptz) each"
            await connection.execute(old, table, ends[table] - kept, timeout=3_600)


async def filled(pool: Any, series: int, frames: int) -> None:
    async with pool.acquire() as connection:
        await ensure_partitions(connection, "processed_market_data", START, START + 400 * DAY)
        await ensure_partitions(connection, "raw_market_data", START, START + frames * 30_000 + WEEK)
        for i in range(series):
            for statement in (_CANDLES, _COVERED):
                await connection.execute(statement, f"S{i}", START, YEAR, timeout=600)
        for i in range(0, frames, 500_000):
            await connection.execute(_FRAMES, START, i, min(frames, i + 500_000), timeout=600)


async def settled(pool: Any) -> None:
    """As a server that has stood for a while: who reads a row first after a load writes to it once more."""
    async with pool.acquire() as connection:
        await connection.execute("VACUUM (ANALYZE) processed_market_data, raw_market_data", timeout=600)
        await connection.execute("CHECKPOINT", timeout=600)


async def read(store: PgCandleStore, url: str, series: int) -> list[Row]:
    chance = random.Random(1)

    async def tail() -> None:
        assert len(await store.tail("bench", f"S{chance.randrange(series)}", LENGTH, 500)) == 500

    async def year() -> None:
        end = START + YEAR * MINUTE
        assert len(await store.load("bench", "S0", LENGTH, START, end)) == YEAR

    quiet, years, lists = await timed(tail, READS), await timed(year, 5), await timed(store.coverage, 50)
    month = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.month", url)
    busy: list[float] = []
    while month.returncode is None:
        busy += await timed(tail, 10)
    slower = percentile(busy, 0.95) / percentile(quiet, 0.95)
    return [
        row("last 500 candles, p95", quiet, 0.95, 5.0),
        row("a year of 1m candles into a frame", years, 0.5, 500.0),
        row("list of what is stored", lists, 0.5, 20.0),
        Row(job="tables", what="reads while a month is imported, p95, times slower", value=slower, unit="",
            target=2.0, note=f"{percentile(busy, 0.95):.2f} ms, {len(busy)} reads"),
    ]  # fmt: skip


def row(what: str, taken: list[float], share: float, target: float) -> Row:
    low, high = min(taken), max(taken)
    return Row(job="tables", what=what, value=percentile(taken, share), low=low, high=high, target=target)


async def timed(work: Callable[[], Awaitable[object]], times: int) -> list[float]:
    await work()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        await work()
        taken.append(1e3 * (time.perf_counter() - begun))
    return taken
