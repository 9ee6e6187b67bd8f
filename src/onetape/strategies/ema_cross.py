"""Follow the cross of two exponential moving averages."""

from __future__ import annotations

from typing import Annotated

import msgspec

from onetape.domain.signals import Signals
from onetape.indicators import ema
from onetape.strategies.contract import Period, Strategy, about
from onetape.strategies.crossing import cross_signals
from onetape.strategies.market import Market


class EmaCross(Strategy, frozen=True, tag="ema_cross"):
    """In when the fast exponential mean of closes crosses above the slow one, out when it crosses below.

    Confidence: how decisively the means pass each other, 0.5 = by an average step of the fast one; 0 where nothing is
    said.
    """

    fast: Annotated[Period, about("candles of the fast mean")] = 12
    slow: Annotated[Period, about("candles of the slow mean")] = 26
    short: Annotated[bool, msgspec.Meta(description="turn short at the cross below")] = False

    def check(self) -> None:
        self.require(self.fast < self.slow, "fast", f"not below slow, which is {self.slow}")

    def warmup(self) -> int:
        """An exponential mean forgets by 2 / (n + 1) a candle: after 20 n candles the seed weighs less than 1e-17."""
        return 20 * self.slow

    def signals(self, market: Market) -> Signals:
        fast, slow = ema(market.close, self.fast), ema(market.close, self.slow)
        return cross_signals(fast, slow, span=self.fast, below=-1.0 if self.short else 0.0)
