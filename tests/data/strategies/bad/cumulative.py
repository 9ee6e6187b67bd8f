"""A fault on purpose: on-balance volume, whose level depends on where the data begin. The gate must name it."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy


class Cumulative(Strategy, frozen=True, tag="cumulative"):
    """In while the volume of rising candles, summed from the start, exceeds that of falling ones."""

    def warmup(self) -> int:
        return 50

    def signals(self, market: Market) -> Signals:
        sign = np.sign(np.diff(market.close, prepend=market.close[:1]))
        return Signals.holding(np.where(np.cumsum(sign * market.volume) > 0.0, 1.0, 0.0))
