"""A fault on purpose: `shift(-1)`. The gate must catch it by name."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy


class Shifted(Strategy, frozen=True, tag="shifted"):
    """In when the next close is higher, except on the last candle, which has none."""

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        following = np.append(market.close[1:], market.close[-1:])
        return Signals.holding(np.where(following > market.close, 1.0, 0.0))
