"""A fault on purpose: an hourly candle is used before it has closed. The gate must catch it by name."""

from __future__ import annotations

import numpy as np

from onetape import Market, Signals, Strategy
from onetape.domain.frame import bucket_starts, resample
from onetape.domain.units import Timeframe


class OpenBar(Strategy, frozen=True, tag="open_bar"):
    """In while the close is below that of the hour it lies in."""

    def warmup(self) -> int:
        return 120

    def signals(self, market: Market) -> Signals:
        hours = resample(market.frame, "1h")
        mine = np.searchsorted(hours.ts, bucket_starts(market.ts, Timeframe.parse("1h")))
        return Signals.holding(np.where(market.close < hours.close[mine], 1.0, 0.0))
