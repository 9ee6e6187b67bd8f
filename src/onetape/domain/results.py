"""What a backtest is asked and what it answers."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from onetape.domain.accounts import Account, Costs, Execution, Exits, RiskLimits, Sizing, Terms
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.report import Book, DataUsed, Report
from onetape.domain.signals import Signals
from onetape.domain.units import Micros, Money


class BacktestSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question to the past. Everything that the answer depends on, beside the data and the code."""

    strategy: str
    parameters: dict[str, Any] = {}
    exchange: str = ""
    symbol: str = ""
    timeframe: str = "1h"
    start_ts: Micros | None = None
    end_ts: Micros | None = None
    cash: Money = 10_000.0
    costs: Costs = Costs()
    sizing: Sizing = Sizing()
    limits: RiskLimits = RiskLimits()
    exits: Exits = Exits()
    terms: Terms = Terms()
    execution: Execution = Execution()
    funding: bool = True  # recorded rates of perpetuals are charged
    detail: str = "auto"  # the finest recorded data that orders fill on: auto, candles, prints, books


def spec_from(document: dict[str, Any]) -> BacktestSpec:
    """A spec from JSON, which has neither NaN (no exit) nor infinity (no limit): both are null there."""
    exits = [math.nan if rate is None else rate for rate in document["exits"]]
    limits = [math.inf if value is None else value for value in document["limits"]]
    return msgspec.convert(document | {"exits": exits, "limits": limits}, BacktestSpec, strict=False)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """What the loop wrote down, on the fill candles.

    `equity` at each close; `fills` float64[n, F_WIDTH] (columns in core.state); `trips` float64[m, T_WIDTH], the round
    trips (columns in core.stats); `book` the orders that still rest; `rejected` counts, by reason, what was not sent.
    """

    candles: CandleFrame  # the fill candles
    equity: Floats
    fills: Floats
    trips: Floats
    account: Account
    book: Floats
    rejected: dict[str, int]
    fill_ts: Ints | None = None  # when each fill came about, where that is known better than by its candle

    @property
    def ts(self) -> Ints:
        """Open times of the fill candles."""
        return self.candles.ts

    @property
    def close_ts(self) -> Ints:
        """Close times of the fill candles, worked out at each call."""
        return self.candles.close_ts


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """One round trip, from flat to flat (or to the last candle: then `open` is True and it is marked there)."""

    entry_ts: Micros
    exit_ts: Micros
    side: int
    qty: float
    entry_price: float
    exit_price: float
    fees: Money
    profit: Money  # after fees
    rate: float  # profit over what was put in
    exit_role: str
    open: bool = False
    tag: str = ""  # of the signal that it began by
    book: str = ""  # whose it was, where several books are one run


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything about one run. `metrics` holds plain numbers, None where one cannot be computed (no trades)."""

    run_id: str
    spec: BacktestSpec
    candles: CandleFrame  # on the strategy's timeframe
    fill_timeframe: str
    signals: Signals
    tape: Tape
    metrics: dict[str, Any]
    manifest: dict[str, Any]  # hashes of code, parameters and data; engine and library versions
    report: Report | None = None  # what reports show beside the figures
    data: DataUsed | None = None
    recorded: Recorded = NOTHING  # what the run used of it; not stored
    books: Sequence[Book] = ()  # several that are one run
    owners: Sequence[str] = ()  # the book of each round trip
    free: Callable[[], Tape] | None = None  # the same run without costs, where its signals alone do not make it
