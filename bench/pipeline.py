"""The whole path under load, each part in its process: a venue, the collector, PostgreSQL, the bus, a subscriber."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.timing import Row, Wish
from onetape.bus.embedded import EmbeddedValkey
from onetape.bus.redis import RedisBus
from onetape.clock import RealClock
from onetape.domain.market import Channel, Want
from onetape.exchanges.okx.feed import OkxFeed
from onetape.marketdata.collector import Collector
from onetape.storage.candles import PgCandleStore
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.storage.pool import open_pool, reading
from onetape.storage.raw import PgRawStore

SYMBOLS = 10
WARM = 10.0  # seconds of the same load before anything is counted
FEW = 500  # messages a second up to which the tighter target holds
LONG = 5.0  # minutes from which on the growth of memory says something
PIPE = asyncio.subprocess.PIPE


def rows(wish: Wish) -> list[Row]:
    import uvloop

    return uvloop.run(measured(wish))


async def measured(wish: Wish) -> list[Row]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        postgres, valkey = EmbeddedPostgres(Path(folder)), EmbeddedValkey(Path(folder))
        database, redis = await asyncio.gather(postgres.start(), valkey.start())
        try:
            await migrate(database)
            return await under_load(wish, database, redis)
        finally:
            await asyncio.gather(postgres.stop(), valkey.stop())


async def under_load(wish: Wish, database: str, redis: str) -> list[Row]:
    seconds = WARM + 60 * wish.minutes
    venue = await started("bench.stream", str(wish.rate), str(seconds))
    listener = await started("bench.subscriber", redis)
    port = int(await word(venue))
    assert await word(listener) == "ready"
    pool, bus = await open_pool(database), RedisBus(redis)
    feed = OkxFeed(f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}/ws/v5")
    wants = [Want(f"C{i}-USDT", Channel.TRADES) for i in range(SYMBOLS)]
    collector = Collector(feed, PgCandleStore(pool), PgRawStore(pool), bus, RealClock(), wants)
    task = asyncio.create_task(collector.run())
    await asyncio.sleep(WARM)
    collector.measure_afresh()
    assert listener.stdin is not None
    listener.stdin.write(b"afresh\n")
    memory = [resident()]
    while collector.stats()["frames"] < wish.rate * 60 * wish.minutes and len(memory) < 120 * wish.minutes + 30:
        await asyncio.sleep(1.0)
        memory.append(resident())
    sent = int(await word(venue))
    await asyncio.sleep(2.0)
    stats = collector.stats()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with reading(pool) as connection:
        stored = await connection.fetchval("SELECT count(*) FROM raw_market_data")
    listener.stdin.close()
    heard = json.loads(await word(listener))
    await asyncio.gather(feed.close(), bus.close(), pool.close())
    for process in (venue, listener):
        if process.returncode is None:
            process.terminate()
        await process.wait()
    return shown(wish, stats["frame_committed"], heard, memory, (sent, stored, bus.dropped))


def shown(
    wish: Wish, committed: dict[str, float], heard: dict[str, float], memory: Sequence[float], counts: tuple[int, ...]
) -> list[Row]:
    sent, stored, unheard = counts
    load = f"at {wish.rate:,} messages a second for {wish.minutes:g} minutes"
    few = wish.rate <= FEW
    return [
        Row(job="pipeline", what=f"receipt to committed row, p99, {load}", value=committed["p99_ms"],
            target=10.0 if few else 25.0, note=of(committed)),
        Row(job="pipeline", what="receipt to subscriber in another process, p99", value=heard["p99_ms"], target=15.0,
            note=of(heard)),
        Row(job="pipeline", what="memory of the collector, growth in ten minutes", value=slope(memory), unit="MB",
            target=1.0 if wish.minutes >= LONG else None, note=f"{memory[-1]:.0f} MB at the end"),
        Row(job="pipeline", what="messages sent and not in the table", value=float(sent - stored), unit="", target=0.0,
            note=f"{sent:,} sent, {unheard} dropped by the bus"),
    ]  # fmt: skip


def of(summary: dict[str, float]) -> str:
    return f"p50 {summary['p50_ms']:.1f}, worst {summary['worst_ms']:.1f}, {summary['count']:,} of them"


def resident() -> float:
    """MB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4_096 / 1e6


def slope(memory: Sequence[float]) -> float:
    """Of the second half, by least squares, for 600 seconds."""
    late = memory[len(memory) // 2 :]
    return 600 * statistics.linear_regression(range(len(late)), late).slope


async def started(module: str, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", module, *words, stdin=PIPE, stdout=PIPE)


async def word(process: Any) -> str:
    line: bytes = await process.stdout.readline()
    return line.decode().strip()
