"""Follow a close beyond the Bollinger band."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from onetape.domain.signals import Signals
from onetape.indicators import bollinger, crossed_above, crossed_below
from onetape.strategies.contract import Factor, Period, Strategy, about
from onetape.strategies.market import Market


class BollingerBreakout(Strategy, frozen=True, tag="bollinger_breakout"):
    """In when a close crosses above the upper band, out when one crosses below the mean.

    Confidence of an entry: how far beyond the band the close lies: 0 = on it, 0.5 = twice as far from the mean as the
    band. Leaving has confidence 1; 0 where nothing is said.
    """

    period: Annotated[Period, about("candles of mean and deviation")] = 20
    width: Annotated[Factor, about("standard deviations from the mean to the band")] = 2.0

    def check(self) -> None:
        self.require(self.period >= 2, "period", "too short for a deviation", "Take 2 or more.")

    def warmup(self) -> int:
        """Mean and deviation on two candles: exact, they know only their window."""
        return self.period + 1

    def signals(self, market: Market) -> Signals:
        upper, middle, _ = bollinger(market.close, self.period, self.width)
        enter, leave = crossed_above(market.close, upper), crossed_below(market.close, middle)
        target = np.full(len(market), np.nan)
        target[leave] = 0.0
        target[enter] = 1.0
        confidence = leave.astype(np.float64)
        confidence[enter] = 1.0 - (upper[enter] - middle[enter]) / (market.close[enter] - middle[enter])
        return Signals.holding(target, confidence, tag="breakout")
