"""An hour of a busy market, recorded: how many times faster than it was it plays again out of PostgreSQL."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from bench import okx_messages
from bench.timing import Row
from onetape.bus.memory import MemoryBus
from onetape.domain.market import Channel, RawFrame
from onetape.domain.units import HOUR, Micros, Timeframe
from onetape.exchanges.registry import decoder
from onetape.marketdata.replay import Wish, replay
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.storage.pool import open_pool
from onetape.storage.raw import PgRawStore

TRADES = 72_000  # twenty a second
BOOKS = 36_000  # ten a second
START: Micros = okx_messages.START * 1_000
CHANNELS = (str(Channel.TRADES), str(Channel.BOOK))


def rows() -> list[Row]:
    return asyncio.run(measured())


async def measured() -> list[Row]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = EmbeddedPostgres(Path(folder))
        url = await server.start()
        try:
            await migrate(url)
            pool = await open_pool(url)
            store = PgRawStore(pool)
            frames = recorded()
            for i in range(0, len(frames), 5_000):
                await store.append(frames[i : i + 5_000])
            wish = Wish(
                "okx", okx_messages.SYMBOL, CHANNELS, START, START + 2 * HOUR, build=(Timeframe.parse("1m"),)
            )  # fmt: skip
            played = await replay(store, decoder("okx"), MemoryBus(), wish, lambda _: None)
            await pool.close()
        finally:
            await server.stop()
    assert played.frames == len(frames)
    note = f"{played.frames:,} messages of an hour in {played.seconds:.1f} s"
    what = "times as fast as it was recorded"
    return [Row(job="replay", what=what, value=played.times, unit="", target=100.0, more=True, note=note)]


def recorded() -> list[RawFrame]:
    """In the order of receipt, evenly over an hour."""
    frames = []
    for channel, messages, pace in (
        (CHANNELS[0], okx_messages.trades(TRADES), HOUR // TRADES),
        (CHANNELS[1], okx_messages.books(BOOKS - 1), HOUR // BOOKS),
    ):
        for i, message in enumerate(messages):
            ts = START + i * pace
            frames.append(RawFrame("okx", okx_messages.SYMBOL, channel, ts, ts, i, message))
    return sorted(frames, key=lambda frame: (frame.recv_ts, frame.seq))
