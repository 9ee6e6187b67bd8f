"""The simulated exchange, a PostgreSQL, a Valkey and a real collector process, each of which can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from onetape.bus.embedded import EmbeddedValkey
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.venue.faults import Fault
from onetape.venue.server import Venue

BEGIN_TS = 1_560_000_000_000_000
HISTORY = 240  # minutes before the first moment
_PATIENCE_S = 30.0


def walk(symbol: str, minutes: int, seed: int) -> CandleFrame:
    """A random walk on round ticks."""
    rng = np.random.default_rng(seed)
    n = HISTORY + minutes
    close = np.round(8_000 + np.cumsum(rng.normal(0, 5, n)), 1)
    opens = np.concatenate(([8_000.0], close[:-1]))
    high = np.round(np.maximum(opens, close) + rng.uniform(0, 4, n), 1)
    low = np.round(np.minimum(opens, close) - rng.uniform(0, 4, n), 1)
    prices = {"open": opens, "high": high, "low": low, "close": close}
    columns = {"ts": BEGIN_TS + MINUTE * np.arange(n), **prices, "volume": np.round(rng.uniform(1, 5, n), 4)}
    return CandleFrame.of("okx", symbol, "1m", columns)


class Collector:
    """The process of the role `collector`, as the supervisor starts it."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[bytes] | None = None
        self.deaths = 0
        self.ended_alone: list[int] = []

    def start(self) -> None:
        args = [sys.executable, "-m", "onetape.app.roles", "collector"]
        self._process = subprocess.Popen(args, env=self._env, stdin=subprocess.DEVNULL)

    def look(self) -> None:
        """Note an end that nobody asked for, and start it again as the supervisor would."""
        if self._process and (code := self._process.poll()) is not None:
            self.ended_alone.append(code)
            self.start()

    def kill(self) -> None:
        assert self._process is not None
        self.look()
        self._process.kill()
        self._process.wait(10)
        self.deaths += 1

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)


class Server:
    """PostgreSQL or Valkey: killed like by a power cut of the process, and started again."""

    def __init__(self, embedded: EmbeddedPostgres | EmbeddedValkey) -> None:
        self._embedded = embedded
        self.url = ""
        self.deaths = 0

    async def start(self) -> None:
        self.url = await self._embedded.start()

    async def kill(self) -> None:
        process = self._embedded._server.process
        assert process is not None
        process.kill()
        await asyncio.to_thread(process.wait, 10)
        await self._embedded.stop()
        self.deaths += 1

    async def stop(self) -> None:
        await self._embedded.stop()


class Theatre:
    def __init__(self, venue: Venue, database: Server, bus: Server, collector: Collector, faults_s: float) -> None:
        self.venue, self.database, self.bus, self.collector = venue, database, bus, collector
        self.faults_s = faults_s  # how long the script of faults takes
        self.counted_until = 0  # venue time

    async def watch(self) -> None:
        """Until cancelled: a collector that ends is started again, and remembered."""
        while True:
            self.collector.look()
            await asyncio.sleep(0.2)

    async def after(self, seconds: float, deeds: Sequence[Any]) -> None:
        """Coroutine functions one after the other, some time from now."""
        await asyncio.sleep(seconds)
        for deed in deeds:
            await deed()

    async def kill_collector(self) -> None:
        self.collector.kill()
        self.collector.start()

    async def kill_database(self, away_s: float = 1.0) -> None:
        await self.database.kill()
        await asyncio.sleep(away_s)
        await self.database.start()

    async def kill_bus(self, away_s: float = 1.0) -> None:
        await self.bus.kill()
        await asyncio.sleep(away_s)
        await self.bus.start()

    async def listening(self) -> None:
        """Returns when the collector listens to the prints of every spot pair."""
        async with asyncio.timeout(_PATIENCE_S):
            while not all(map(self.venue.listened_since, self.pairs)):
                await asyncio.sleep(0.05)

    @property
    def pairs(self) -> list[str]:
        return [symbol for symbol in self.venue.symbols if not symbol.endswith("-SWAP")]


@asynccontextmanager
async def opened(
    folder: Path, symbols: Sequence[str], *, minutes: int, speed: float, faults: Sequence[Fault] = (), **options: Any
) -> AsyncIterator[Theatre]:
    """Everything running but the collector."""
    frames = [walk(symbol, minutes, seed) for seed, symbol in enumerate(symbols)]
    begin = BEGIN_TS + HISTORY * MINUTE
    venue = Venue(frames, speed=speed, start_ts=begin, faults=faults, waits=True, **options)
    database = Server(EmbeddedPostgres(folder, {"fsync": "off", "shared_buffers": "64MB"}))
    bus = Server(EmbeddedValkey(folder))
    try:
        await asyncio.gather(database.start(), bus.start())
        await migrate(database.url)
        await venue.start()
        env = {
            "ONETAPE_DATA_DIR": str(folder),
            "ONETAPE_DATABASE_URL": database.url,
            "ONETAPE_REDIS_URL": bus.url,
            "ONETAPE_EXCHANGE": "okx",
            "ONETAPE_SYMBOLS": ",".join(symbols),
            "ONETAPE_OKX_REST_URL": venue.rest_url,
            "ONETAPE_OKX_WS_URL": venue.ws_url,
        }
        collector = Collector(env)
        try:
            length = max((fault.at_s + fault.for_s for fault in faults), default=0.0)
            yield Theatre(venue, database, bus, collector, length + 1.0)
        finally:
            collector.stop()
    finally:
        await venue.stop()
        await asyncio.gather(database.stop(), bus.stop())
