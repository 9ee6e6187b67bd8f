"""The collector while its database is away: at the start, in the middle, at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from onetape.bus.memory import MemoryBus
from onetape.clock import RealClock
from onetape.domain.errors import Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Channel, Gap, Origin, Print, RawFrame, Want
from onetape.domain.units import Timeframe
from onetape.marketdata import collector, frames
from onetape.marketdata.absence import NO_PAST, STOPPED
from onetape.marketdata.collector import Collector
from onetape.ports import Appended
from onetape.storage.memory import MemoryCandleStore
from onetape.storage.spool import DiskSpool

SYMBOL = "BTC-USD"
S7 = Timeframe.parse("7s")
WANTS = [
    Want(SYMBOL, Channel.CANDLES, "1m"),
    Want(SYMBOL, Channel.CANDLES, "7s"),
    Want(SYMBOL, Channel.TRADES),
    Want(SYMBOL, Channel.BOOK),
]
BOOK_GAP = Gap("okx", SYMBOL, "book", 5, 9, "the line was cut")
CANDLE_GAP = Gap("okx", SYMBOL, "candles:1h", 0, 3_600_000_000, "the line was cut")


class Server:
    """Both stores of one database, which is there or not."""

    def __init__(self) -> None:
        self.away = False
        self.rows: list[RawFrame] = []
        self.candles = _Candles(self)
        self.raw = _Raws(self)

    def asked(self) -> None:
        if self.away:
            raise Transient("the database is away.")


class _Candles(MemoryCandleStore):
    def __init__(self, server: Server) -> None:
        super().__init__()
        self._server = server
        self.closed: dict[Gap, str] = {}

    async def append(self, frame: CandleFrame) -> Appended:
        self._server.asked()
        return await super().append(frame)

    async def load(self, *where: Any) -> CandleFrame:
        self._server.asked()
        return await super().load(*where)

    async def tail(self, *where: Any, **more: Any) -> CandleFrame:
        self._server.asked()
        return await super().tail(*where, **more)

    async def gaps(self, *where: Any) -> list[Gap]:
        self._server.asked()
        return await super().gaps(*where)

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        self._server.asked()
        return await super().add_gaps(gaps)

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        self._server.asked()
        self.closed |= dict.fromkeys(gaps, how)
        return await super().close_gaps(gaps, how)


class _Raws:
    def __init__(self, server: Server) -> None:
        self._server = server

    async def append(self, given: Sequence[RawFrame]) -> int:
        self._server.asked()
        self._server.rows += given
        return len(given)

    async def last_ts(self, exchange: str, symbol: str, channel: str) -> int:
        self._server.asked()
        return max((row.ts for row in self._server.rows if row.channel == channel), default=0)

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        self._server.asked()
        return [row for row in self._server.rows if row.channel == channel][-n:]

    async def read(self, *where: object) -> AsyncIterator[list[RawFrame]]:
        self._server.asked()
        yield []


class Desk:
    def __init__(self, feed: Any, server: Server, folder: Path) -> None:
        self.feed, self.server = feed, server
        self.spool = DiskSpool(folder, 10_000_000)
        self.collector = Collector(
            feed, server.candles, server.raw, MemoryBus(), RealClock(), WANTS, depth=lambda _: 20, spool=self.spool
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.collector.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.spool.close()

    def trade(self, seconds: float, price: float = 10.0) -> None:
        ts = int(seconds * 1_000_000)
        self.feed.say(Print("okx", SYMBOL, str(seconds), ts, price, 1.0, 1), channel="trades", ts=ts)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_RETRY", 0.01)
    monkeypatch.setattr(collector, "_DRAIN_SECONDS", 0.3)


async def test_started_without_a_database_the_streams_run_and_the_hole_before_them_is_known_later(
    make_feed: Any, tmp_path: Path
) -> None:
    server = Server()
    server.rows.append(RawFrame("okx", SYMBOL, "trades", 5_000_000, 1, 1, b"before"))
    server.away = True
    desk = Desk(make_feed(range(100), 100), server, tmp_path)
    async with desk.running():
        for seconds in (9, 9.5, 10):
            desk.trade(seconds)
        await until(lambda: desk.spool.state.items == 3)
        assert len(desk.feed.streamed) == 1
        server.away = False
        await until(lambda: len(server.rows) == 4)
        await until(lambda: desk.collector.stats()["gaps"] == 1)
        await until(lambda: bool(server.candles.closed) or bool(server.candles.holes()))
    assert Gap("okx", SYMBOL, "trades", 5_000_000, 9_000_000, STOPPED) in dict(server.candles.holes())


async def test_killed_in_an_outage_gaps_and_built_candles_are_stored_by_the_next_run(
    make_feed: Any, tmp_path: Path
) -> None:
    server = Server()
    first = Desk(make_feed(range(100), 100), server, tmp_path)
    async with first.running():
        await until(lambda: first.collector._keepers != {})
        server.away = True
        for gap in (BOOK_GAP, CANDLE_GAP):
            first.feed.say(gap, channel="book")
        for seconds in (1, 7, 12, 14.5, 21):
            first.trade(seconds)

        await until(lambda: first.spool.state.items == 7 + 2 + 2)  # messages, gaps, candles
        written = first.spool.state.bytes
        await asyncio.sleep(0.2)
        assert first.spool.state.bytes == written  # once each
    second = Desk(make_feed(range(100), 100), server, tmp_path)
    assert await server_candles(server) == []
    server.away = False
    async with second.running():
        await until(lambda: second.spool.state.items == 0)
    assert server.candles.closed[BOOK_GAP] == NO_PAST
    assert CANDLE_GAP in dict(server.candles.holes())
    built, _ = await server_candles(server)
    assert (built.open_ts, built.volume, built.origin) == (7_000_000, 2.0, Origin.BUILT)


async def server_candles(server: Server) -> list[Candle]:
    stored = await MemoryCandleStore.load(server.candles, "okx", SYMBOL, S7, None, None)
    return [stored.candle(i) for i in range(len(stored))]


async def test_at_the_end_messages_reach_the_disk_though_candles_cannot_be_stored(
    make_feed: Any, tmp_path: Path, candle: Any
) -> None:
    server = Server()
    server.away = True
    desk = Desk(make_feed(range(100), 100), server, tmp_path)
    await desk.collector._closed.put((candle(100), True))
    for i in range(100):
        await desk.collector._frames.queue.put((RawFrame("okx", SYMBOL, "trades", i, i, i, b"{}"), ()))
    await desk.collector._drain()
    assert desk.collector._frames.queue.waiting == 0
    assert desk.spool.state.items == 100
    desk.spool.close()
