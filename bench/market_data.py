"""How fast the market's messages are read, and how soon they are committed. Functions only: the bench runner prints."""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from onetape.domain.market import Channel, Want
from onetape.exchanges.connection import Frame, Opened
from onetape.exchanges.okx import names
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.session import Around, Link, Session
from onetape.observe import configure

_URL = "ws://venue/public"
_SYMBOL = "BTC-USDT"


def _messages() -> list[bytes]:
    """What a busy second is made of: trades, quotes, and book updates of twenty levels."""
    encode = msgspec.json.encode
    trade = {
        "tradeId": "130639474",
        "px": "42219.9",
        "sz": "0.12060306",
        "side": "buy",
        "ts": "1630048897897",
        "count": "1",
    }
    ticker = {
        "last": "9999.9",
        "askPx": "9999.9",
        "askSz": "11",
        "bidPx": "8888.8",
        "bidSz": "5",
        "ts": "1630048897897",
    }
    levels = [[f"{42_000 + i / 10}", f"{1 + i / 7:.8f}", "0", "3"] for i in range(10)]
    snapshot = [[f"{41_900 - i / 10:.1f}", "1.5", "0", "1"] for i in range(400)]
    first = {"asks": [], "bids": snapshot, "ts": "1630048897897", "prevSeqId": -1, "seqId": 1, "checksum": 0}
    update = {"asks": levels, "bids": snapshot[:10], "ts": "1630048897897", "prevSeqId": 1, "seqId": 1, "checksum": 0}

    def push(channel: str, data: object, **more: object) -> bytes:
        return encode({"arg": {"channel": channel, "instId": _SYMBOL}, **more, "data": [data]})

    busy = [push("books", update, action="update"), *[push("trades", trade)] * 3, push("tickers", ticker)]
    return [push("books", first, action="snapshot"), *busy]


def decode_rate(seconds: float = 1.0) -> float:
    """Messages a second from bytes to events, one core, raw frames included."""
    wants = [Want(_SYMBOL, channel) for channel in (Channel.TRADES, Channel.TICKER, Channel.BOOK)]
    series = {arg: Stream("okx", w.symbol, w.channel, w.name) for w in wants for arg in names.args(w)}
    session = Session(Around(time.monotonic, lambda _: None, lambda _: None))
    session.open(_URL, Link(lambda _: True, lambda _: None))
    session.add(series)
    session.carry(_URL, series)
    first, *busy = _messages()
    list(session.on(Opened(_URL), 0))
    list(session.on(Frame(_URL, first, 0), 0))
    done, spent, recv_ts = 0, 0.0, 0
    ts, trades = itertools.count(1_630_048_897_897), itertools.count(130_639_474)
    while spent < seconds:
        # Each message is new, as the second copy of one would be left out.
        fresh = [
            message.replace(b"130639474", str(next(trades)).encode()).replace(b"1630048897897", str(next(ts)).encode())
            if b"trades" in message
            else message.replace(b"1630048897897", str(next(ts)).encode())
            for message in busy * 1_000
        ]
        begun = time.perf_counter()
        for message in fresh:
            recv_ts += 1_000
            for _ in session.on(Frame(_URL, message, recv_ts), recv_ts):
                done += 1
        spent += time.perf_counter() - begun
    return done / spent


async def collector_latency(seconds: float = 20.0, speed: float = 60.0) -> dict[str, Any]:
    """`Collector.stats()` after some seconds between the simulated venue, in a process of its own, and PostgreSQL."""
    from onetape.bus.memory import MemoryBus
    from onetape.clock import RealClock
    from onetape.exchanges.okx.feed import OkxFeed
    from onetape.marketdata.collector import Collector, wants_for
    from onetape.storage.candles import PgCandleStore
    from onetape.storage.embedded import EmbeddedPostgres
    from onetape.storage.migrate import migrate
    from onetape.storage.pool import open_pool
    from onetape.storage.raw import PgRawStore

    venue = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _VENUE, str(speed), stdout=asyncio.subprocess.PIPE
    )
    assert venue.stdout is not None
    rest, ws, symbol = (await venue.stdout.readline()).decode().split()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder))
        url = await server.start()
        await migrate(url)
        pool = await open_pool(url)
        feed = OkxFeed(rest, ws)
        collector = Collector(
            feed, PgCandleStore(pool), PgRawStore(pool), MemoryBus(), RealClock(), wants_for([symbol], ["5m"])
        )
        task = asyncio.create_task(collector.run())
        await asyncio.wait({task}, timeout=5.0)  # partitions, connections and the first load are not the normal load
        collector.measure_afresh()
        await asyncio.wait({task}, timeout=seconds)
        stats = collector.stats()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await feed.close()
        await pool.close()
        await server.stop()
    venue.terminate()
    await venue.wait()
    return stats


_VENUE = """
import asyncio, sys
import numpy as np
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.observe import configure
from onetape.venue.server import Venue

async def main():
    n = 10_000
    close = np.round(8_000 + np.cumsum(np.random.default_rng(7).normal(0, 5, n)), 1)
    opens = np.concatenate(([8_000.0], close[:-1]))
    columns = {"ts": 1_560_000_000_000_000 + np.arange(n) * MINUTE, "open": opens, "high": np.maximum(opens, close) + 2,
               "low": np.minimum(opens, close) - 2, "close": close, "volume": np.ones(n)}
    venue = Venue([CandleFrame.of("okx", "BTC-USD", "1m", columns)], speed=float(sys.argv[1]))
    configure("error")
    await venue.start()
    print(venue.rest_url, venue.ws_url, "BTC-USD", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


if __name__ == "__main__":
    configure("error")
    print(f"decode: {decode_rate():,.0f} messages/s")
    print(asyncio.run(collector_latency()))
