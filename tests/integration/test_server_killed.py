"""The database server is killed (-9) while messages stream in, and comes back: each message is stored, and once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from onetape.bus.memory import MemoryBus
from onetape.clock import RealClock
from onetape.domain.market import RawFrame
from onetape.marketdata.frames import Frames, Item
from onetape.storage.candles import PgCandleStore
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.storage.pool import open_pool
from onetape.storage.raw import PgRawStore
from onetape.storage.spool import DiskSpool


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


def kill(folder: Path) -> None:
    pid = int(next(folder.rglob("postmaster.pid")).read_text().split()[0])
    os.kill(pid, signal.SIGKILL)


async def test_a_server_that_is_killed_costs_no_message_and_doubles_none(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    url = await server.start()
    await migrate(url)
    pool = await open_pool(url)
    spool, clock = DiskSpool(tmp_path / "spool", 50_000_000), RealClock()
    told: set[int] = set()

    def committed(batch: list[Item]) -> None:
        told.update(frame.seq for frame, _ in batch)

    frames = Frames(PgRawStore(pool), PgCandleStore(pool), spool, MemoryBus(), committed)
    running = asyncio.create_task(frames.run())
    put = 0

    async def stream() -> None:
        nonlocal put
        while True:
            for _ in range(10):
                put += 1
                now = clock.now()
                await frames.queue.put((RawFrame("x", "A-B", "trades", now, now, put, b'{"a":1}'), ()))
            await asyncio.sleep(0.002)

    streaming = asyncio.create_task(stream())
    await until(lambda: len(told) > 500)
    kill(tmp_path)
    await until(lambda: spool.state.items > 1_000)
    await server.stop()
    back = EmbeddedPostgres(tmp_path)
    assert await back.start() == url
    await until(lambda: not frames.spooling)
    seen = put
    await until(lambda: max(told) > seen)  # straight into the table again
    streaming.cancel()
    await until(lambda: not frames.queue.waiting and not frames.spooling)
    assert not running.done()
    seqs = [row["seq"] for row in await pool.fetch('SELECT seq FROM raw_market_data ORDER BY "timestamp", seq')]
    assert seqs == list(range(1, put + 1))
    running.cancel()
    await asyncio.gather(running, streaming, return_exceptions=True)
    spool.close()
    await pool.close()
    await back.stop()
