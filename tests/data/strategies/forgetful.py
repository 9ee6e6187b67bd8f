"""A strategy with a fault on purpose: its warm-up is far too short for its averages. The gate must catch it."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy
from onetape import indicators as ta


class Forgetful(Strategy, frozen=True, tag="forgetful"):
    """A cross of exponential averages that believes 26 candles to be enough for them."""

    def warmup(self) -> int:
        return 26

    def signals(self, market: Market) -> Signals:
        rising = ta.ema(market.close, 12) > ta.ema(market.close, 26)
        return Signals.holding(np.where(rising, 1.0, 0.0), 0.5)
