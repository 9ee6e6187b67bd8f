"""Buy what fell too fast."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from onetape.domain.signals import Signals
from onetape.indicators import crossed_above, lowest, rsi
from onetape.strategies.contract import Level, Period, Strategy, about
from onetape.strategies.market import Market


class RsiReversion(Strategy, frozen=True, tag="rsi_reversion"):
    """In when the relative strength index comes back above `low`, out when it rises above `leave`.

    Confidence of an entry: how deep it had fallen within the last `period` candles, as share of `low`: 0 = just below,
    1 = to the bottom. Leaving has confidence 1; 0 where nothing is said.
    """

    period: Annotated[Period, about("candles of the index")] = 14
    low: Annotated[Level, about("oversold below this level")] = 30.0
    leave: Annotated[Level, about("out above this level")] = 55.0

    def check(self) -> None:
        self.require(self.period >= 2, "period", "too short for an index", "Take 2 or more.")
        self.require(self.low > 0.0, "low", "not above 0")
        self.require(self.low < self.leave, "low", f"not below leave, which is {self.leave:g}")

    def warmup(self) -> int:
        """Wilder's mean forgets by 1 / n a candle: after 40 n its start weighs less than 1e-17; and the depth looks
        back n more."""
        return 41 * self.period + 2

    def signals(self, market: Market) -> Signals:
        strength = rsi(market.close, self.period)
        enter, leave = crossed_above(strength, self.low), crossed_above(strength, self.leave)
        depth = np.clip(1.0 - lowest(strength, self.period) / self.low, 0.0, 1.0)
        target = np.full(len(market), np.nan)
        target[leave] = 0.0
        target[enter & ~leave] = 1.0
        confidence = np.where(leave, 1.0, np.where(enter, np.nan_to_num(depth), 0.0))
        return Signals.holding(target, confidence, tag="reversion")
