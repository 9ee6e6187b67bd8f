"""Candle files into PostgreSQL and out of it again, on a server of its own in a temporary folder."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
import time
from pathlib import Path

from bench import candles
from bench.timing import Row
from onetape.archive import import_file, read
from onetape.domain.units import Timeframe
from onetape.storage.candles import PgCandleStore
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.storage.pool import open_pool

LONG = Path(__file__).resolve().parents[2] / "shared" / "data" / "long" / "btcusd_bitfinex_1m_2018-2019.csv.gz"
TIMES = 3


def rows() -> list[Row]:
    with contextlib.redirect_stderr(io.StringIO()):
        return asyncio.run(measured())


async def measured() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        url = await server.start()
        try:
            await migrate(url)
            pool = await open_pool(url)
            store = PgCandleStore(pool)
            found = [await importing(store), *await loading(store)]
            await pool.close()
        finally:
            await server.stop()
    return found


async def importing(store: PgCandleStore) -> Row:
    """The long file, cold: opened, recognised, checked, stored, gaps noted."""
    if not LONG.is_file():
        return Row(job="data", what="import of the long file", value=0.0, unit="s", note="the file is not here")
    begun = time.perf_counter()
    done = await import_file(LONG, store)
    taken = time.perf_counter() - begun
    return Row(
        job="data", what="import of the long file", value=taken, unit="s", target=20.0,
        note=f"{done.rows_new:,} rows, {done.gaps:,} gaps",
    )  # fmt: skip


async def loading(store: PgCandleStore) -> list[Row]:
    frame = read(LONG).frame.tail(1_000_000) if LONG.is_file() else candles.synthetic()
    if not LONG.is_file():
        await store.append(frame)
    taken = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        end = int(frame.ts[-1]) + 1
        found = await store.load(frame.exchange, frame.symbol, Timeframe.parse("1m"), int(frame.ts[0]), end)
        taken.append(time.perf_counter() - begun)
    return [
        Row(
            job="data",
            what="PostgreSQL to a frame, 1,000,000 candles",
            value=sorted(taken)[TIMES // 2],
            unit="s",
            low=min(taken),
            high=max(taken),
            target=1.0,
            note=f"{len(found):,} rows",
        )
    ]
