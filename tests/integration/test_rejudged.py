"""Verdicts that died with the collector, and candles whose trades were fetched later: judged by the next run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from onetape.app.pastprints import StoredPrints
from onetape.bus.memory import MemoryBus
from onetape.clock import RealClock
from onetape.domain.errors import Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE, Timeframe
from onetape.exchanges.connection import Habits
from onetape.exchanges.okx.feed import OkxFeed
from onetape.marketdata import collector, rejudging
from onetape.marketdata.collector import Collector, wants_for
from onetape.ports import Verdict
from onetape.storage.audit import PgAuditStore
from onetape.storage.candles import PgCandleStore
from onetape.storage.catalogue import PgCatalogue
from onetape.storage.instruments import PgInstrumentStore
from onetape.storage.queries import PgQueries
from onetape.storage.raw import PgRawStore
from onetape.venue.server import Venue

SYMBOL = "BTC-USDT"
M1 = Timeframe.parse("1m")
START = 1_560_000_000_000_000
QUICK = Habits(ping_after=1.0, silence=2.0, backoff=0.05, backoff_limit=0.2, connects=1_000)


class Away(PgAuditStore):
    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        raise Transient("PostgreSQL is away.")


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Four minutes of the market in every second."""
    n = 3_000
    close = np.round(8_000 + np.cumsum(np.random.default_rng(7).normal(0, 5, n)), 1)
    opens = np.concatenate(([8_000.0], close[:-1]))
    prices = {"open": opens, "high": np.maximum(opens, close) + 2, "low": np.minimum(opens, close) - 2, "close": close}
    tape = CandleFrame.of("okx", SYMBOL, "1m", {"ts": START + np.arange(n) * MINUTE, **prices, "volume": opens / 1_000})
    venue = Venue([tape], speed=240.0, start_ts=START + 1_500 * MINUTE, limits=False)
    await venue.start()
    yield venue
    await venue.stop()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "_DRAIN_SECONDS", 0.1)
    monkeypatch.setattr(collector, "_TELL_SECONDS", 0.1)
    monkeypatch.setattr(rejudging, "_PAUSE", 0.2)


class Stage:
    def __init__(self, venue: Venue, pool: Any, folder: Path) -> None:
        self.venue, self.pool = venue, pool
        self.candles, self.raw, self.audits = PgCandleStore(pool), PgRawStore(pool), PgAuditStore(pool)
        self._stores: Any = SimpleNamespace(
            candles=self.candles, raw=self.raw, catalogue=PgCatalogue(pool, folder), queries=PgQueries(pool),
            instruments=PgInstrumentStore(pool),
        )  # fmt: skip

    @asynccontextmanager
    async def running(self, audits: PgAuditStore) -> AsyncIterator[Collector]:
        feed = OkxFeed(self.venue.rest_url, self.venue.ws_url, habits=QUICK)
        await self.candles.put_instruments(await feed.instruments())
        recorder = Collector(
            feed, self.candles, self.raw, MemoryBus(), RealClock(), wants_for([SYMBOL], []), depth=lambda _: 5,
            audits=audits, past_prints=StoredPrints(self._stores, "okx"),
        )  # fmt: skip
        task = asyncio.create_task(recorder.run())
        try:
            yield recorder
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await feed.close()

    async def equal(self) -> int:
        return sum(one.candles for one in await self.audits.counts() if one.verdict == "equal")

    async def left(self, end_ts: int) -> list[int]:
        return await self.audits.unjudged("okx", SYMBOL, M1, end_ts)

    async def newest(self) -> int:
        return int((await self.candles.tail("okx", SYMBOL, M1, 1)).ts[-1])


async def test_candles_of_a_run_whose_verdicts_were_lost_and_of_the_time_between_are_judged_by_the_next(
    venue: Venue, pool: Any, tmp_path: Path
) -> None:
    stage = Stage(venue, pool, tmp_path)
    async with asyncio.timeout(120):
        async with stage.running(stage.audits):
            while await stage.equal() < 2:
                await asyncio.sleep(0.05)
        before = await stage.newest()
        async with stage.running(Away(pool)) as recorder:
            while recorder.stats()["judged"] < 8:
                await asyncio.sleep(0.05)
            lost = await stage.newest()
        assert lost > before
        await asyncio.sleep(1.0)  # four minutes that nobody hears
        async with stage.running(stage.audits):
            while await stage.newest() < lost + 9 * MINUTE or len(await stage.left(lost + 9 * MINUTE)) > 1:
                await asyncio.sleep(0.1)
            counts = {one.verdict: one.candles for one in await stage.audits.counts()}
    assert counts.keys() <= {"equal", "not judged"}
    assert counts.get("not judged", 0) <= 1  # the candle in which the recording began
    assert counts["equal"] > (lost - before) // MINUTE + 9
    assert counts["equal"] <= len(await stage.candles.load("okx", SYMBOL, M1, None, None))
