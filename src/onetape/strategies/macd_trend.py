"""Follow the MACD line over its signal."""

from __future__ import annotations

from typing import Annotated

import msgspec

from onetape.domain.signals import Signals
from onetape.indicators import macd
from onetape.strategies.contract import Period, Strategy, about
from onetape.strategies.crossing import cross_signals
from onetape.strategies.market import Market


class MacdTrend(Strategy, frozen=True, tag="macd_trend"):
    """In when the MACD line crosses above its signal, out when it crosses below.

    Confidence: how decisively the two pass each other, 0.5 = by an average step of the fast one; 0 where
    nothing is said.
    """

    fast: Annotated[Period, about("candles of the fast mean")] = 12
    slow: Annotated[Period, about("candles of the slow mean")] = 26
    signal: Annotated[Period, about("candles of the mean of the line")] = 9
    short: Annotated[bool, msgspec.Meta(description="turn short at the cross below")] = False

    def check(self) -> None:
        self.require(self.fast < self.slow, "fast", f"not below slow, which is {self.slow}")

    def warmup(self) -> int:
        """20 times the candles of both means that follow one another."""
        return 20 * (self.slow + self.signal)

    def signals(self, market: Market) -> Signals:
        line, signal, _ = macd(market.close, self.fast, self.slow, self.signal)
        return cross_signals(line, signal, span=self.fast, below=-1.0 if self.short else 0.0)
