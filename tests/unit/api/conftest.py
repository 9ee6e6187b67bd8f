"""A whole API over stores in memory: one day of 1-minute candles, a bus, and a hub that is fed by hand."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from onetape import archive
from onetape.api import face
from onetape.api.hub import Hub
from onetape.backtest.again import rerun_as_job
from onetape.backtest.answer import answering
from onetape.backtest.candles import Chosen
from onetape.backtest.comparing import comparison_job
from onetape.backtest.counting import Counter
from onetape.backtest.fleets import FleetJob, fleet_job
from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.backtest.means import Means
from onetape.backtest.memory import MemoryRunStore
from onetape.backtest.search.job import search_job
from onetape.backtest.search.store import MemorySearchStore
from onetape.backtest.search.wish import OptimizeJob
from onetape.backtest.walkjob import WalkJob, walk_job
from onetape.backtest.wish import BacktestWish, ComparisonWish
from onetape.bots.desk import Desk
from onetape.bus.memory import MemoryBus
from onetape.clock import SimulatedClock
from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.errors import Conflict, NotFound, Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.jobs import Job, Say
from onetape.domain.orders import Fill, Order
from onetape.domain.results import BacktestSpec
from onetape.domain.units import MINUTE, Timeframe, parse_time
from onetape.jobs.memory import MemoryJobStore
from onetape.jobs.runner import Kind, Runner
from onetape.marketdata.download import DownloadWish, download_as_job
from onetape.ports import (
    AuditCount,
    Correction,
    Disk,
    EquityPoint,
    GapView,
    Only,
    OnlyGaps,
    OnlySeries,
    RawCoverage,
    SignalView,
    TableSize,
    Verdict,
)
from onetape.storage.memory import MemoryCandleStore
from onetape.strategies.registry import Registry

START = parse_time("2024-01-01")
DAY = 1440


class FakeBots:
    """Fulfils ports.BotStore as far as faces use it; a wish is granted at once."""

    def __init__(self) -> None:
        self.views: dict[str, BotView] = {}

    async def put(self, spec: BotSpec) -> None:
        stopped = BotStatus.STOPPED
        self.views[spec.name] = BotView(
            spec=spec, status=stopped, wanted=stopped, cash=spec.capital, equity=spec.capital, created_ts=START
        )

    async def wish(self, name: str, status: BotStatus) -> None:
        self.views[name] = msgspec.structs.replace(self.views[name], status=status, wanted=status)

    async def report(self, name: str, status: BotStatus, reason: str = "") -> None:
        self.views[name] = msgspec.structs.replace(self.views[name], status=status, reason=reason)

    async def list(self) -> list[BotView]:
        return list(self.views.values())

    async def get(self, name: str) -> BotView:
        if name not in self.views:
            raise NotFound("name", name, "no bot has this name")
        return self.views[name]

    async def delete(self, name: str) -> None:
        if self.views[name].status is not BotStatus.STOPPED:
            raise Conflict("name", name, f"the bot is {self.views[name].status}")
        del self.views[name]


class FakeQueries:
    """Fulfils ports.Queries over lists, newest last; the cursor is a position."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Any]] = {
            kind: [] for kind in ("signals", "orders", "fills", "differences", "corrections")
        }
        self.curve: list[EquityPoint] = []
        self.holed: list[GapView] = []

    def page(self, kind: str, only: Only) -> tuple[list[Any], str]:
        rows = [row for row in reversed(self.rows[kind]) if only.bot in (None, row.bot)]
        first = int(only.before or 0)
        following = first + only.limit
        return rows[first:following], str(following) if following < len(rows) else ""

    async def signals(self, only: Only) -> tuple[list[SignalView], str]:
        return self.page("signals", only)

    async def orders(self, only: Only) -> tuple[list[Order], str]:
        return self.page("orders", only)

    async def fills(self, only: Only) -> tuple[list[Fill], str]:
        return self.page("fills", only)

    async def gaps(self, only: OnlyGaps) -> tuple[list[GapView], str]:
        rows = [row for row in reversed(self.holed) if only.symbol in (None, row.symbol)]
        rows = [row for row in rows if only.open is None or only.open == (not row.closed_how)]
        first = int(only.before or 0)
        following = first + only.limit
        return rows[first:following], str(following) if following < len(rows) else ""

    async def holes(self, *_: int | None) -> list[GapView]:
        return self.holed

    async def differences(self, only: OnlySeries) -> tuple[list[Verdict], str]:
        return self.of_series("differences", only)

    async def corrections(self, only: OnlySeries) -> tuple[list[Correction], str]:
        return self.of_series("corrections", only)

    def of_series(self, kind: str, only: OnlySeries) -> tuple[list[Any], str]:
        rows = [row for row in reversed(self.rows[kind]) if only.symbol in (None, row.symbol)]
        rows = [row for row in rows if only.timeframe in (None, row.timeframe)]
        first = int(only.before or 0)
        following = first + only.limit
        return rows[first:following], str(following) if following < len(rows) else ""

    async def equity(self, bot: str, points: int = 2000) -> list[EquityPoint]:
        return self.curve[-points:]


class FakeAudits:
    """Fulfils ports.AuditStore as far as faces use it."""

    def __init__(self) -> None:
        self.counted: list[AuditCount] = []

    async def counts(self, exchange: str | None = None, symbol: str | None = None) -> list[AuditCount]:
        return [one for one in self.counted if exchange in (None, one.exchange) and symbol in (None, one.symbol)]

    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        raise AssertionError("a face judges nothing")

    async def differences(self, exchange: str, symbol: str, timeframe: Timeframe, limit: int = 100) -> list[Verdict]:
        return []


def one_day() -> CandleFrame:
    """A wave of eight hours around 100, one candle a minute: each opens where the last closed."""
    close = 100 + 10 * np.sin(np.arange(DAY) * 2 * np.pi / 480)
    opens = np.concatenate(([100.0], close[:-1]))
    columns: dict[str, object] = {
        "ts": START + np.arange(DAY) * MINUTE,
        "open": opens,
        "high": np.maximum(opens, close),
        "low": np.minimum(opens, close),
        "close": close,
        "volume": np.ones(DAY),
    }
    return CandleFrame.of("okx", "BTC-USD", "1m", columns)


class FakeCatalogue:
    """Fulfils ports.Catalogue: a disk of 1000 bytes that grows by 10 a day."""

    async def raw(self, exchange: str | None = None, symbol: str | None = None) -> list[RawCoverage]:
        row = RawCoverage(
            exchange="okx", symbol="BTC-USD", channel="trades", first_ts=START, last_ts=START + MINUTE, rows=77, gaps=1
        )
        return [row] if symbol in (None, "BTC-USD") else []

    async def sizes(self) -> list[TableSize]:
        named = (("raw_market_data", "w1", 30), ("orders", "", 25), ("raw_market_data", "w2", 20))
        return [TableSize(table=table, partition=part, bytes=size) for table, part, size in named]

    async def disk(self) -> Disk:
        return Disk(total=1000, free=400, database=75, archive=5, per_day=10.0, full_ts=START + 40 * DAY * MINUTE)


class Venue:
    """Fulfils ports.MarketFeed as far as a download needs it: the day of `one_day`, under any symbol but NO-SUCH.

    A download of SLOW-COIN goes on until it is cancelled.
    """

    timeframes = frozenset(("1m", "1h", "1d"))
    past = None

    def __init__(self, exchange: str) -> None:
        self.exchange = exchange

    async def now(self) -> int:
        return START + DAY * MINUTE

    async def history(
        self, symbol: str, timeframe: Timeframe, start_ts: int, end_ts: int
    ) -> AsyncIterator[CandleFrame]:
        if symbol == "NO-SUCH":
            raise Refused("okx has no instrument NO-SUCH.")
        if symbol == "SLOW-COIN":
            await asyncio.Event().wait()
        yield dataclasses.replace(one_day(), symbol=symbol).between(start_ts, end_ts)

    async def close(self) -> None:
        pass


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    candles, runs, registry = MemoryCandleStore(), MemoryRunStore(SimulatedClock(START)), Registry.load(None)
    await candles.append(one_day())
    bus = MemoryBus()
    ledger, searches = MemoryTrialLedger(), MemorySearchStore()
    answer = answering(candles, runs, registry, ledger)
    means = Means(candles, runs, registry, Counter(ledger, SimulatedClock(START), "server"), nothing_recorded)

    async def backtest(job: Job, say: Say) -> str:
        return (await answer(msgspec.convert(job.wish, BacktestWish).spec(), say)).run_id

    async def optimize(job: Job, say: Say) -> str:
        asked = msgspec.convert(job.wish, OptimizeJob)
        found = await search_job(asked.search, asked.wish.search(), means, searches, (), say)
        return found.best.run_id if found.best else ""

    async def walkforward(job: Job, say: Say) -> str:
        asked = msgspec.convert(job.wish, WalkJob)
        return (await walk_job(asked.walk, asked.wish.walk(), means, searches, (), say)).whole.run_id

    async def download(job: Job, say: Say) -> str:
        wish = msgspec.convert(job.wish, DownloadWish)
        return await download_as_job(Venue(wish.exchange), candles, wish, say)  # type: ignore[arg-type]

    async def rerun(job: Job, say: Say) -> str:
        return await rerun_as_job(means, job.wish["run_id"], say)

    async def compare(job: Job, say: Say) -> str:
        return await comparison_job(means, msgspec.convert(job.wish, ComparisonWish).specs(), say)

    async def fleet(job: Job, say: Say) -> str:
        return await fleet_job(means, msgspec.convert(job.wish, FleetJob), say)

    kinds = {
        "backtest": Kind("computing", backtest),
        "rerun": Kind("computing", rerun),
        "compare": Kind("computing", compare),
        "fleet": Kind("computing", fleet),
        "optimize": Kind("computing", optimize),
        "walkforward": Kind("computing", walkforward),
        "download": Kind("network", download),
    }
    jobs = Runner(MemoryJobStore(), bus, SimulatedClock(START + DAY * MINUTE), kinds, {"computing": 1, "network": 1})
    made = Desk(
        queries=FakeQueries(),
        bots=FakeBots(),
        candles=candles,
        catalogue=FakeCatalogue(),
        audits=FakeAudits(),
        runs=runs,
        ledger=ledger,
        searches=searches,
        bus=bus,
        registry=registry,
        jobs=jobs,
        take_file=lambda path, said: archive.import_file(path, candles, archive.Hints(**said)),
        check_exchange=known_exchange,
        config=tmp_path,
    )
    running = asyncio.create_task(jobs.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def nothing_recorded(chosen: Chosen, spec: BacktestSpec) -> Chosen:
    return chosen


def known_exchange(name: str) -> None:
    if name != "okx":
        raise NotFound("$.exchange", name, "not an exchange that is known here")


@pytest.fixture
def hub(desk: Desk) -> Hub:
    return Hub(desk.bus, SimulatedClock(START), desk.bots)


@pytest.fixture
def app(desk: Desk, hub: Hub) -> Any:
    return face.build(desk, hub, ("collector", "trader"))


@pytest.fixture
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1/api/v1/") as opened:
        yield opened
