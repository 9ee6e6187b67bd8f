"""Signals from two means that cross: shared by the strategies that follow crosses."""

from __future__ import annotations

import numpy as np

from onetape.core.compiled import kernel
from onetape.domain.frame import Floats
from onetape.domain.signals import Signals
from onetape.indicators.arrays import column
from onetape.strategies.market import Market


@kernel
def _crosses(
    fast: Floats, slow: Floats, high: Floats, low: Floats, span: int, below: float, target: Floats, confidence: Floats
) -> None:
    """Writes 1 where fast crosses above slow, `below` where it crosses below; NaN and confidence 0 elsewhere."""
    for i in range(len(fast)):
        target[i] = np.nan
        confidence[i] = 0.0
        if i == 0:
            continue
        up = fast[i] > slow[i] and fast[i - 1] <= slow[i - 1]
        down = fast[i] < slow[i] and fast[i - 1] >= slow[i - 1]
        if not (up or down) or (down and np.isnan(below)):
            continue
        target[i] = 1.0 if up else below
        move = abs((fast[i] - slow[i]) - (fast[i - 1] - slow[i - 1])) * span
        ranges, count = 0.0, 0
        for j in range(max(0, i - span + 1), i + 1):
            ranges += high[j] - low[j]
            count += 1
        confidence[i] = move / (move + ranges / count)


def cross_signals(market: Market, fast: Floats, slow: Floats, *, span: int, below: float) -> Signals:
    """Long where `fast` crosses above `slow` (above now, not above on the candle before, both known on both).

    `below` is the target of the opposite cross: 0 leaves, -1 turns short, NaN says nothing. Confidence is how
    decisively the two pass each other: the change of their distance in this candle, times `span` to make it a move of
    the price, as share of itself and the average range of the last `span` candles. 0.5: as much as an average candle.
    """
    n = len(market)
    target, confidence = np.empty(n), np.empty(n)
    _crosses(
        column(fast), column(slow), column(market.high), column(market.low), span, float(below), target, confidence
    )
    return Signals.holding(target, confidence, tag="cross")
