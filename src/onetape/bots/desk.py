"""The desk: what a person can do with onetape, whichever face they use. API and dashboard work through it alone.

Knows the ports, the strategies, the jobs and the domain; what fulfils the ports is chosen in `app`.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from onetape.backtest.again import code_changed
from onetape.backtest.wish import BacktestWish
from onetape.bots import files
from onetape.domain import markets, topics
from onetape.domain.bots import BotSpec, BotStatus, BotView, Wish
from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.imported import Imported
from onetape.domain.jobs import Job
from onetape.domain.markets import Keep
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import Scored
from onetape.domain.units import Micros, Timeframe
from onetape.jobs.runner import Runner
from onetape.marketdata import reading
from onetape.marketdata.download import DownloadWish, fresh
from onetape.ports import (
    AuditStore,
    BotStore,
    Bus,
    CandleStore,
    Catalogue,
    Coverage,
    GateStore,
    Queries,
    RunStore,
    SearchStore,
    TrialLedger,
)
from onetape.strategies.contract import signalling
from onetape.strategies.gate import GateReport, check
from onetape.strategies.registry import Registry

MOST_BOTS: Final = 10
GATE_CANDLES: Final = 1500


TakeFile = Callable[[Path, Mapping[str, str]], Awaitable[Imported]]  # with what is said of it: symbol, exchange, ...


class Followed(NamedTuple):
    """The trials of a search that goes on, by number, as far as they were read; the last was settled at `newest_ts`."""

    trials: Mapping[int, Scored]
    newest_ts: Micros


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    queries: Queries
    bots: BotStore
    candles: CandleStore
    catalogue: Catalogue
    audits: AuditStore
    runs: RunStore
    ledger: TrialLedger
    searches: SearchStore
    bus: Bus
    registry: Registry
    jobs: Runner
    take_file: TakeFile
    check_exchange: Callable[[str], object]  # raises NotFound for one whose candles cannot be downloaded
    config: Path  # the folder of the bots' files
    gates: dict[str, GateReport] = dataclasses.field(default_factory=dict)  # by Registry.proof_key
    proofs: GateStore | None = None  # where they are kept
    followed: dict[str, Followed] = dataclasses.field(default_factory=dict)  # searches that are looked at, by id
    exchanges: tuple[str, ...] = ("okx",)  # whose candles can be downloaded

    # bots

    async def create(self, spec: BotSpec) -> BotView:
        """A new bot, stopped. Raises BadInput, Conflict when the name is taken or there are MOST_BOTS already."""
        spec.check()
        self.registry.build(spec.strategy, spec.parameters)
        views = await self.bots.list()
        if any(view.spec.name == spec.name for view in views):
            raise Conflict("$.name", spec.name, "the name of a bot that exists", "Choose another name.")
        if len(views) >= MOST_BOTS:
            raise Conflict(
                "$.name", spec.name, f"there are {MOST_BOTS} bots already", "Delete one that you do not need."
            )
        await self._put(spec)
        return await self.bots.get(spec.name)

    async def change(self, name: str, spec: BotSpec) -> BotView:
        """Another spec for a stopped bot. Raises NotFound, BadInput; Conflict when it runs or its account forbids."""
        await self.bots.get(name)
        spec.check()
        if spec.name != name:
            raise BadInput("$.name", spec.name, f"not {name}, the bot's name", "A bot keeps its name; create another.")
        changed = await self._put(spec)
        files.write(self.config, changed)
        return await self.bots.get(name)

    async def _put(self, spec: BotSpec) -> BotSpec:
        """Stores what passes the gate, all its parameters named."""
        strategy = signalling(self.registry.build(spec.strategy, spec.parameters))
        await reading.source_timeframe(self.candles, spec.exchange, spec.symbol, Timeframe.parse(spec.timeframe))
        await self.must_pass(spec.strategy, spec.parameters, (spec.exchange, spec.symbol, spec.timeframe))
        whole = msgspec.structs.replace(spec, parameters=strategy.parameters())
        await self.bots.put(whole)
        self.bus.publish(topics.CONTROL, Wish(spec.name))
        return whole

    async def must_pass(
        self, tag: str, parameters: dict[str, Any], series: tuple[str, str, str], field: str = "$.strategy"
    ) -> None:
        """Raises BadInput for what does not pass the gate. Too few candles to try it on are no reason: the trader waits
        for more, and a backtest is refused for its period."""
        report = await self.verify(tag, parameters, series)
        if report.failed and report.candles > report.warmup:
            raise BadInput(field, tag, f"it does not pass the gate. {report.failed.evidence.rstrip('.')}")

    async def wish(self, name: str, status: BotStatus) -> BotView:
        """Start, pause or stop a bot. It is made so by the trader within a moment. Raises NotFound."""
        await self.bots.get(name)
        await self.bots.wish(name, status)
        self.bus.publish(topics.CONTROL, Wish(name))
        return await self.bots.get(name)

    async def delete(self, name: str) -> None:
        """Raises NotFound, Conflict when the bot is not stopped."""
        await self.bots.get(name)
        await self.bots.delete(name)
        files.remove(self.config, name)
        self.bus.publish(topics.CONTROL, Wish(name))

    # strategies

    async def verify(self, tag: str, parameters: dict[str, Any], series: tuple[str, str, str]) -> GateReport:
        """The gate on the last stored candles of a series; remembered for that code and those parameters."""
        strategy = self.registry.build(tag, parameters)
        key = self.registry.proof_key(strategy)
        if key not in self.gates or not self.gates[key].ok:
            exchange, symbol, timeframe = series
            rows = max(GATE_CANDLES, 3 * strategy.history())
            frame = await reading.tail(self.candles, (exchange, symbol, Timeframe.parse(timeframe)), rows)
            self.gates[key] = await asyncio.to_thread(check, strategy, frame)
            if self.proofs:
                await self.proofs.put(key, self.gates[key])
        return self.gates[key]

    def gate(self, tag: str) -> GateReport | None:
        """The remembered result for the default parameters."""
        return self.gates.get(self.registry.proof_key(self.registry.build(tag)))

    async def any_series(self) -> tuple[str, str, str]:
        """The series with the most candles: what the gate uses when nobody names one. Raises NotFound."""
        rows = await self.candles.coverage()
        if not rows:
            raise NotFound("data", "", "no candles are stored yet", "Import some: `onetape data import FILE`.")
        best = max(rows, key=lambda row: row.rows)
        return best.exchange, best.symbol, best.timeframe

    # backtests

    async def backtest(self, wish: BacktestWish, asked_by: str) -> Job:
        """A queued job. Raises BadInput when the question makes no sense or nothing is stored to answer it."""
        spec = wish.spec()
        self.registry.build(spec.strategy, spec.parameters)
        exchange = await self.answerable(spec)
        return await self.jobs.submit("backtest", msgspec.structs.replace(wish, exchange=exchange), asked_by)

    async def answerable(self, spec: BacktestSpec) -> str:
        """The exchange whose candles answer a question. Raises NotFound, BadInput, also for what the gate refuses."""
        rows = [row for row in await self.coverage() if row.symbol == spec.symbol]
        exchanges = sorted({row.exchange for row in rows if spec.exchange in ("", row.exchange)})
        if not exchanges:
            raise NotFound("$.symbol", spec.symbol, "no candles of it are stored", "`onetape data list` shows all.")
        if len(exchanges) > 1:
            names = " and ".join(exchanges)
            raise BadInput("$.exchange", spec.exchange, f"needed: {spec.symbol} is stored for {names}", "Name one.")
        await reading.source_timeframe(self.candles, exchanges[0], spec.symbol, Timeframe.parse(spec.timeframe))
        await self.must_pass(spec.strategy, spec.parameters, (exchanges[0], spec.symbol, spec.timeframe))
        return exchanges[0]

    async def rerun(self, run_id: str, asked_by: str) -> Job:
        """A queued job that makes a stored run again. Raises NotFound for a run or a strategy that is not there."""
        code_changed(self.registry, (await self.runs.get(run_id)).view)
        return await self.jobs.submit("rerun", {"run_id": run_id}, asked_by)

    # data

    async def download(self, wish: DownloadWish, asked_by: str) -> Job:
        """A queued job. Raises BadInput for a wish that never makes sense, NotFound for an unknown exchange."""
        first = fresh(wish)
        wish.span(self.jobs.now())  # the venue's own time is asked when it begins
        self.check_exchange(wish.exchange)
        return await self.jobs.submit("download", wish, asked_by, first)

    def keep(self) -> Keep:
        """How long what is kept. Raises BadInput for a file that cannot be used."""
        file = self.config / "markets.json"
        return markets.parse(file.read_bytes(), str(file)).keep if file.exists() else Keep()

    async def coverage(self) -> list[Coverage]:
        return await self.candles.coverage()
