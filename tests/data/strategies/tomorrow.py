"""A strategy with a fault on purpose: it reads the next candle's close. The gate must catch it."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy


class Tomorrow(Strategy, frozen=True, tag="tomorrow"):
    """In when the next close is higher: a bargain that nobody can buy."""

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        following = np.roll(market.close, -1)
        return Signals.holding(np.where(following > market.close, 1.0, 0.0), 0.5)
