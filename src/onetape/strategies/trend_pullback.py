"""Two timeframes: buy the end of a pullback while the longer timeframe rises."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from onetape.domain.signals import Signals
from onetape.indicators import crossed_above, sma
from onetape.strategies.contract import Multiple, Period, Strategy, about
from onetape.strategies.market import Market


class TrendPullback(Strategy, frozen=True, tag="trend_pullback"):
    """In when a close crosses back above its mean while the longer timeframe closes above its own; out when that ends.

    A longer candle is `longer` candles of the market (12 on 5m is 1h) and counts once it has closed. Confidence of an
    entry: how far the longer close lies above its mean, as share of itself and the average range of a longer candle:
    0.5 = one range. Leaving has confidence 1; 0 where nothing is said.
    """

    longer: Annotated[Multiple, about("candles of the market in a longer one")] = 12
    trend: Annotated[Period, about("longer candles of the mean that shows the trend")] = 50
    pullback: Annotated[Period, about("candles of the mean that a pullback falls below")] = 20

    def warmup(self) -> int:
        """The longer mean, with one longer candle more at each end because a window may cut one in two."""
        return max(self.longer * (self.trend + 2), self.pullback + 1)

    def signals(self, market: Market) -> Signals:
        longer = market.at(self.longer)
        candles = longer.candles
        above = longer.align(candles.close - sma(candles.close, self.trend))
        swing = longer.align(sma(candles.high - candles.low, self.trend))
        rising = above > 0.0
        enter = crossed_above(market.close, sma(market.close, self.pullback)) & rising
        leave = np.zeros(len(market), np.bool_)
        leave[1:] = rising[:-1] & ~rising[1:]
        target = np.full(len(market), np.nan)
        target[leave] = 0.0
        target[enter] = 1.0
        confidence = leave.astype(np.float64)
        confidence[enter] = above[enter] / (above[enter] + swing[enter])
        return Signals.holding(target, confidence, tag="pullback")
