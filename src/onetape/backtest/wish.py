"""A backtest as a person asks for it: plain names and texts, turned into a checked spec. Knows the domain only."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec

from onetape.domain.accounts import Exits, RiskLimits, Sizing, Terms
from onetape.domain.errors import BadInput
from onetape.domain.reality import RealityWish, reality
from onetape.domain.results import BacktestSpec
from onetape.domain.units import Micros, Timeframe, parse_time

MOST_COMPARED: Final = 6  # of more no chart can be read


class PastWish(RealityWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of the past, whoever trades. `start` and `end` are times or dates, empty = all that is stored."""

    symbol: str
    exchange: str = ""  # empty: the one that has the symbol
    timeframe: str = "1h"
    start: str = ""
    end: str = ""
    cash: float = 10_000.0
    sizing: str = "fraction:0.95"
    allow_short: bool = False
    stop: float | None = None
    take: float | None = None

    def spec_for(self, strategy: str, parameters: dict[str, Any]) -> BacktestSpec:
        """Raises BadInput naming the field as a JSON path."""
        Timeframe.parse(self.timeframe, "$.timeframe")
        if not 0 < self.cash < 1e15:
            raise BadInput("$.cash", self.cash, "not a positive amount of money")
        how = reality(self, lambda name: f"$.{name}")
        for name, high in (("stop", 1.0), ("take", 100.0)):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < high:
                raise BadInput(f"$.{name}", rate, f"not a rate between 0 and {high:g}", "0.02 is 2 %.")
        start_ts, end_ts = span_of(self.start, self.end)
        return BacktestSpec(
            strategy=strategy,
            parameters=parameters,
            exchange=self.exchange,
            symbol=self.symbol,
            timeframe=self.timeframe,
            start_ts=start_ts,
            end_ts=end_ts,
            cash=float(self.cash),
            costs=how.costs,
            execution=how.execution,
            sizing=Sizing.parse(self.sizing, "$.sizing"),
            limits=RiskLimits(how.exposure, allow_short=float(self.allow_short), leverage=how.leverage),
            funding=how.funding,
            detail=how.detail,
            terms=Terms(maintenance=how.maintenance or 0.0, band=how.band),
            exits=Exits(
                stop=math.nan if self.stop is None else float(self.stop),
                take=math.nan if self.take is None else float(self.take),
            ),
        )


class BacktestWish(PastWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/backtests."""

    strategy: str
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)

    def spec(self) -> BacktestSpec:
        """Raises BadInput naming the field as a JSON path."""
        return self.spec_for(self.strategy, self.parameters)


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    strategy: str
    parameters: dict[str, Any] = {}


class ComparisonWish(PastWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/comparisons: two to six strategies on the same candles and costs."""

    strategies: list[Entry]

    def specs(self) -> list[BacktestSpec]:
        """One for each strategy. Raises BadInput naming the field as a JSON path."""
        if not 2 <= len(self.strategies) <= MOST_COMPARED:
            count = len(self.strategies)
            raise BadInput("$.strategies", count, f"not 2 to {MOST_COMPARED} of them", "Leave some out, or add one.")
        return [self.spec_for(one.strategy, one.parameters) for one in self.strategies]


class FleetWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/fleets: bots as they are configured, together over the past. `bots` are names, none =
    all that there are; `one_account` is the cash of one account for all."""

    bots: list[str] = []
    start: str = ""
    end: str = ""
    one_account: float | None = None
    max_exposure: float | None = None  # all positions over the equity of all
    max_positions: int | None = None  # bots that hold something at once
    max_drawdown: float | None = None  # of all equity: close all and halt


def span_of(start: str, end: str) -> tuple[Micros | None, Micros | None]:
    start_ts = parse_time(start, "$.start") if start else None
    end_ts = parse_time(end, "$.end") if end else None
    if start_ts is not None and end_ts is not None and start_ts >= end_ts:
        raise BadInput("$.end", end, f"not later than the start, {start}")
    return start_ts, end_ts
