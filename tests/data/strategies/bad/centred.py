"""A fault on purpose: a centred window. The gate must catch it by name."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy


class Centred(Strategy, frozen=True, tag="centred_mean"):
    """In above a mean of 21 closes, ten of them later."""

    def warmup(self) -> int:
        return 30

    def signals(self, market: Market) -> Signals:
        mean = np.convolve(market.close, np.ones(21) / 21, "same")[: len(market)]
        return Signals.holding(np.where(market.close > mean, 1.0, 0.0))
