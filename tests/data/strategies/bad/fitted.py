"""A fault on purpose: a model that is fitted on all the data that it then judges. The gate must catch it by name."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy


class Fitted(Strategy, frozen=True, tag="fitted"):
    """In while a straight line from the last return to the next one, fitted on all candles, promises a rise."""

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        prices = np.log(market.close)
        gains = np.diff(prices, prepend=prices[:1])
        slope, level = np.polyfit(gains[:-1], gains[1:], 1) if len(gains) > 3 else (0.0, 0.0)
        return Signals.holding(np.where(slope * gains + level > 0.0, 1.0, 0.0))
