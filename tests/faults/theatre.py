"""The simulated exchange, a PostgreSQL, a Valkey and the program that records, each of which can be killed."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from processes import Collector, Platform, Program, Server

from onetape.bus.embedded import EmbeddedValkey
from onetape.domain.frame import CandleFrame
from onetape.domain.units import HOUR, MINUTE
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.venue.faults import Fault
from onetape.venue.journal import Journal
from onetape.venue.server import Venue

BEGIN_TS = 1_560_000_000_000_000
HISTORY = 240  # minutes before the first moment
PAIR_CHANNELS = (
    *("trades", "trades_all", "book", "book5", "bbo", "ticker", "candles", "index", "instruments", "status"),
)
SWAP_CHANNELS = ("trades_all", "book", "bbo", "ticker", "candles", "mark", "funding")
TIMEFRAMES = ("5m", "1h", "30s", "7m")  # the last two are not the exchange's
_SELDOM = ("candles", "instruments", "status")  # and candles are stored by their length
_PATIENCE_S = 120.0


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


def markets(pairs: Sequence[str], swaps: Sequence[str], spool_mb: int) -> str:
    """`config/markets.json`: every channel that the exchange has."""
    lists = [(pairs, PAIR_CHANNELS), (swaps, SWAP_CHANNELS)]
    recorded = [{"symbols": s, "channels": c, "timeframes": TIMEFRAMES} for s, c in lists if s]
    return json.dumps({"markets": recorded, "keep": {}, "spool_mb": spool_mb})


@contextmanager
def folder() -> Iterator[Path]:
    """An empty one with a short name, which the user that PostgreSQL runs as may enter."""
    with tempfile.TemporaryDirectory(prefix="ot") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


class Theatre:
    def __init__(
        self,
        venue: Venue,
        journal: Journal,
        servers: tuple[Server, Server],
        program: Program,
        faults: Sequence[Fault],
    ) -> None:
        self.venue, self.journal, self.program = venue, journal, program
        self.database, self.bus = servers
        self.faults = faults
        self.counted_until = 0  # venue time
        self.pairs: list[str] = []
        self.swaps: list[str] = []
        self.shown_wrong: set[tuple[str, str, int]] = set()  # candles that the table had as they were told at first

    async def watch(self) -> None:
        """Until cancelled: a program that ends is started again, and remembered."""
        while True:
            self.program.look()
            await asyncio.sleep(0.2)

    async def kill_collector(self) -> None:
        self.program.kill("collector")

    async def kill_trader(self) -> None:
        self.program.kill("trader")

    async def kill_web(self) -> None:
        self.program.kill("web")

    async def kill_database(self, away_s: float = 1.0) -> None:
        await self.database.kill()
        await asyncio.sleep(away_s)
        await self.database.start()

    async def kill_bus(self, away_s: float = 1.0) -> None:
        await self.bus.kill()
        await asyncio.sleep(away_s)
        await self.bus.start()

    async def change_listing(self) -> None:
        """The exchange suspends an instrument for a moment and announces maintenance."""
        now = self.venue.now()
        self.venue.announce("upgrade of the matching", "scheduled", now + HOUR, now + 2 * HOUR)
        for state in ("suspend", "live"):
            self.venue.change_state(self.pairs[0], state)
            await asyncio.sleep(0.3)

    async def listening(self) -> None:
        """Returns when the collector listens to the prints of every instrument."""
        async with asyncio.timeout(_PATIENCE_S):
            while not all(map(self.venue.listened_since, self.symbols)):
                await asyncio.sleep(0.05)

    def streams(self) -> set[tuple[str, str]]:
        """Symbol and channel of those that speak all the time."""
        lists = ((self.pairs, PAIR_CHANNELS), (self.swaps, SWAP_CHANNELS))
        return {(s, c) for symbols, channels in lists for s in symbols for c in channels if c not in _SELDOM}

    @property
    def symbols(self) -> list[str]:
        """Those whose trades are recorded."""
        return [*self.pairs, *self.swaps]


@asynccontextmanager
async def opened(
    folder: Path,
    pairs: Sequence[str],
    *,
    minutes: int,
    speed: float,
    faults: Sequence[Fault] = (),
    swaps: Sequence[str] = (),
    whole: bool = False,
    spool_mb: int = 2_048,
    **options: Any,
) -> AsyncIterator[Theatre]:
    """Everything running but the program. `whole`: the platform with its supervisor, on a database that syncs to the
    disk; else the collector alone, on one that does not."""
    frames = [walk(symbol, minutes, seed) for seed, symbol in enumerate(pairs)]
    begin, journal = BEGIN_TS + HISTORY * MINUTE, Journal()
    venue = Venue(frames, speed=speed, start_ts=begin, waits=True, journal=journal, **options)
    quick = {} if whole else {"fsync": "off"}
    database = Server(EmbeddedPostgres(folder, {"shared_buffers": "64MB", **quick}))
    bus = Server(EmbeddedValkey(folder))
    try:
        await asyncio.gather(database.start(), bus.start())
        await migrate(database.url)
        await venue.start()
        (folder / "config").mkdir(exist_ok=True)
        (folder / "config" / "markets.json").write_text(markets(pairs, swaps, spool_mb))
        env = {
            "ONETAPE_DATA_DIR": str(folder),
            "ONETAPE_DATABASE_URL": database.url,
            "ONETAPE_REDIS_URL": bus.url,
            "ONETAPE_EXCHANGE": "okx",
            "ONETAPE_SYMBOLS": ",".join(pairs),
            "ONETAPE_OKX_REST_URL": venue.rest_url,
            "ONETAPE_OKX_WS_URL": venue.ws_url,
        }
        program: Program = Platform(env) if whole else Collector(env)
        stage = Theatre(venue, journal, (database, bus), program, faults)
        stage.pairs, stage.swaps = list(pairs), list(swaps)
        try:
            yield stage
        finally:
            await asyncio.to_thread(program.stop)
    finally:
        await venue.stop()
        await asyncio.gather(database.stop(), bus.stop())
