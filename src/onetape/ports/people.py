"""Reads for people, and backtests that are kept."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from onetape.domain.frame import Floats, Ints
from onetape.domain.orders import Fill, Order
from onetape.domain.report import Report
from onetape.domain.results import BacktestSpec, Result, Trade
from onetape.domain.units import Micros
from onetape.ports.market import Correction, Verdict


class SignalView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored signal. `ts` is the close of its candle; `reason` says why nothing was sent, "" when something was."""

    id: int
    bot: str
    ts: Micros
    symbol: str
    target: float
    confidence: float
    price: float = 0.0
    tag: str = ""
    reason: str = ""


class EquityPoint(msgspec.Struct, frozen=True):
    """What a bot owned at one close, in settle currency; `qty` is signed base units."""

    ts: Micros
    equity: float
    cash: float
    qty: float
    price: float


class Only(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a list are wanted: newest first, at most `limit`, those before the cursor `before`."""

    bot: str | None = None
    symbol: str | None = None
    limit: int = 100
    before: str = ""


class GapView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored gap: [start_ts, end_ts) of a channel, why nothing came, and how and when it was closed ("" = open).
    Of an open one whose beginning is repaired, `since_ts` is where it began, and `seconds_left` an estimate."""

    id: int
    exchange: str
    symbol: str
    channel: str
    start_ts: Micros
    end_ts: Micros
    cause: str
    closed_how: str = ""
    closed_ts: Micros = 0
    noted_ts: Micros = 0
    since_ts: Micros = 0
    seconds_left: float | None = None


class OnlyGaps(msgspec.Struct, frozen=True, kw_only=True):
    """Which gaps are wanted: the latest first, at most `limit`, those before the cursor. `open` None: both kinds."""

    exchange: str | None = None
    symbol: str | None = None
    channel: str | None = None
    open: bool | None = None
    limit: int = 100
    before: str = ""


class OnlySeries(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows about candles are wanted: the newest first, at most `limit`, those before the cursor."""

    exchange: str | None = None
    symbol: str | None = None
    timeframe: str | None = None
    limit: int = 100
    before: str = ""


class Queries(Protocol):
    """Reads for people. Each list comes with the cursor of the rows after it, "" at the end. Cursors are opaque."""

    async def signals(self, only: Only) -> tuple[list[SignalView], str]: ...

    async def orders(self, only: Only) -> tuple[list[Order], str]: ...

    async def fills(self, only: Only) -> tuple[list[Fill], str]: ...

    async def gaps(self, only: OnlyGaps) -> tuple[list[GapView], str]: ...

    async def holes(
        self, start_ts: Micros | None = None, end_ts: Micros | None = None, cells: int | None = None
    ) -> list[GapView]:
        """What is missing of all candle series in [start_ts, end_ts): open gaps, and those that the venue has not. With
        `cells`: those of a kind that are nearer than so great a part of their series come as one."""
        ...

    async def differences(self, only: OnlySeries) -> tuple[list[Verdict], str]:
        """Candles of a venue that differ from their trades, by their time."""
        ...

    async def corrections(self, only: OnlySeries) -> tuple[list[Correction], str]:
        """Final candles that were changed, by the time of the change."""
        ...

    async def equity(self, bot: str, points: int = 2000) -> list[EquityPoint]:
        """The whole life of a bot in at most `points` points, oldest first: the last one of each stretch."""
        ...


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored backtest without its long columns."""

    run_id: str
    spec: BacktestSpec
    metrics: dict[str, Any]
    manifest: dict[str, Any] = {}
    created_ts: Micros = 0

    @property
    def kind(self) -> str:
        """Whether one strategy traded one instrument, or several books together: backtest, portfolio, fleet."""
        if "members" not in self.manifest:
            return "backtest"
        return FLEET if self.spec.strategy == FLEET else "portfolio"


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class StoredRun:
    """A stored backtest: `ts` (close times, micros) and `equity` are its curve, thinned where it is long so that no
    extreme is lost; `fills` are the rows of results.Tape, `fill_ts` the open times of their candles. `report` is None
    in a run that was stored before there was one."""

    view: RunView
    trades: list[Trade]
    ts: Ints
    equity: Floats
    fills: Floats
    fill_ts: Ints
    report: Report | None = None


RUN_FIGURES: Final = ("total_return", "sharpe", "sortino", "calmar", "max_drawdown", "profit_factor", "trades")
SMALL_IS_GOOD: Final = ("max_drawdown",)
FLEET: Final = "fleet"  # what a run of several bots has for its strategy


class OnlyRuns(msgspec.Struct, frozen=True, kw_only=True):
    """Which stored runs, those that match everything that is given, empty = all; and in which order."""

    strategy: str = ""
    exchange: str = ""
    symbol: str = ""  # also one of several
    timeframe: str = ""
    begins: str = ""  # of the run's id
    text: str = ""  # each of its words is in the id, the names or the parameters (`fast=5`), in any case
    since_ts: Micros | None = None  # stored then or later
    until_ts: Micros | None = None  # stored before
    sort: str = ""  # one of RUN_FIGURES, the best first and those without it last; "" = the newest first


EVERY_RUN: Final = OnlyRuns()


class RunPage(NamedTuple):
    """`next` is the cursor of the rows after it, "" at the end; `fitting` how many runs fit in all."""

    views: list[RunView]
    next: str
    fitting: int


class RunStore(Protocol):
    """Backtests and what came out of them."""

    async def put(self, result: Result) -> None:
        """The same run stored again changes nothing."""
        ...

    async def list(self, limit: int = 100, before: str = "", only: OnlyRuns = EVERY_RUN) -> RunPage:
        """A page of those that fit. Raises BadInput."""
        ...

    async def get(self, run_id: str) -> StoredRun:
        """Raises NotFound."""
        ...

    async def delete(self, run_id: str) -> None:
        """The ledger of trials remembers the run. Raises NotFound."""
        ...
