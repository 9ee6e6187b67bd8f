"""A backtest as a person asks for it: plain names and texts, turned into a checked spec. Knows the domain only."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from onetape.domain.accounts import Exits, RiskLimits, Sizing, Terms
from onetape.domain.errors import BadInput
from onetape.domain.reality import RealityWish, reality
from onetape.domain.results import BacktestSpec
from onetape.domain.units import Timeframe, parse_time


class BacktestWish(RealityWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/backtests. `start` and `end` are times or dates, empty = all that is stored."""

    strategy: str
    symbol: str
    exchange: str = ""  # empty: the one that has the symbol
    timeframe: str = "1h"
    parameters: dict[str, Any] = msgspec.field(default_factory=dict)
    start: str = ""
    end: str = ""
    cash: float = 10_000.0
    sizing: str = "fraction:0.95"
    allow_short: bool = False
    stop: float | None = None
    take: float | None = None

    def spec(self) -> BacktestSpec:
        """Raises BadInput naming the field as a JSON path."""
        Timeframe.parse(self.timeframe, "$.timeframe")
        if not 0 < self.cash < 1e15:
            raise BadInput("$.cash", self.cash, "not a positive amount of money")
        how = reality(self, lambda name: f"$.{name}")
        for name, high in (("stop", 1.0), ("take", 100.0)):
            rate = getattr(self, name)
            if rate is not None and not 0 < rate < high:
                raise BadInput(f"$.{name}", rate, f"not a rate between 0 and {high:g}", "0.02 is 2 %.")
        start_ts = parse_time(self.start, "$.start") if self.start else None
        end_ts = parse_time(self.end, "$.end") if self.end else None
        if start_ts is not None and end_ts is not None and start_ts >= end_ts:
            raise BadInput("$.end", self.end, f"not later than the start, {self.start}")
        return BacktestSpec(
            strategy=self.strategy,
            parameters=self.parameters,
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
