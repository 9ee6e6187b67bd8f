"""Signals from two means that cross: shared by the strategies that follow crosses."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.core.compiled import kernel
from onetape.domain.frame import Floats
from onetape.domain.signals import Signals
from onetape.indicators.arrays import column

_BLOCK: Final = 512


@kernel
def _crosses(fast: Floats, slow: Floats, span: int, below: float, target: Floats, confidence: Floats) -> None:
    """Writes 1 where fast crosses above slow, `below` where it crosses below; NaN and confidence 0 elsewhere."""
    size = len(fast)
    target[:1] = np.nan
    confidence[:] = 0.0
    for start in range(1, size, _BLOCK):
        count = min(_BLOCK, size - start)
        quick, quick_before = fast[start : start + count], fast[start - 1 : start - 1 + count]
        lazy, lazy_before = slow[start : start + count], slow[start - 1 : start - 1 + count]
        wanted = target[start : start + count]
        for j in range(count):
            up = (quick[j] > lazy[j]) & (quick_before[j] <= lazy_before[j])
            down = (quick[j] < lazy[j]) & (quick_before[j] >= lazy_before[j])
            wanted[j] = 1.0 if up else below if down else np.nan
        for j in range(count):
            if wanted[j] == wanted[j]:
                move = abs((quick[j] - lazy[j]) - (quick_before[j] - lazy_before[j]))
                pace, known = 0.0, 0
                for k in range(max(1, start + j - span + 1), start + j + 1):
                    change = abs(fast[k] - fast[k - 1])
                    if change == change:
                        pace += change
                        known += 1
                confidence[start + j] = move / (move + pace / known)


def cross_signals(fast: Floats, slow: Floats, *, span: int, below: float) -> Signals:
    """Long where `fast` crosses above `slow` (above now, not above on the candle before, both known on both).

    `below` is the target of the opposite cross: 0 leaves, -1 turns short, NaN says nothing. Confidence is how
    decisively the two pass each other: the change of their distance in this candle, as share of itself and the average
    step of `fast` over the last `span` candles. 0.5: the distance changed by one average step.
    """
    target, confidence = np.empty(len(fast)), np.empty(len(fast))
    _crosses(column(fast), column(slow), span, float(below), target, confidence)
    return Signals.holding(target, confidence, tag="cross")
