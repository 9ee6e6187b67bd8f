"""A fault on purpose: prices scaled by mean and deviation of the whole sample. The gate must catch it by name."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy


class Scaled(Strategy, frozen=True, tag="scaled"):
    """In while the price is below the mean of all prices."""

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        score = (market.close - market.close.mean()) / (market.close.std() + 1e-12)
        return Signals.holding(np.where(score < 0.0, 1.0, 0.0))
