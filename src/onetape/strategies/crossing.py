"""Signals from two means that cross: shared by the strategies that follow crosses."""

from __future__ import annotations

from typing import Any

import numpy as np

from onetape.core.compiled import array_kernel
from onetape.domain.frame import Floats
from onetape.domain.signals import Signals
from onetape.indicators.arrays import column
from onetape.indicators.trend import BLOCK, grid_limit, means_of_steps, sma, to_steps


@array_kernel
def _cross_block(
    fast: Floats, slow: Floats, first: int, span: int, below: float, target: Floats, confidence: Floats
) -> None:
    """Rows of `target` from means that stand from `first` on: 1 where fast crosses above slow, `below` where it crosses
    below; NaN and confidence 0 elsewhere."""
    count = len(target)
    quick, quick_before = fast[first : first + count], fast[first - 1 : first - 1 + count]
    lazy, lazy_before = slow[first : first + count], slow[first - 1 : first - 1 + count]
    for j in range(count):
        up = (quick[j] > lazy[j]) & (quick_before[j] <= lazy_before[j])
        down = (quick[j] < lazy[j]) & (quick_before[j] >= lazy_before[j])
        target[j] = 1.0 if up else below if down else np.nan
        confidence[j] = 0.0
    for j in range(count):
        if target[j] == target[j]:
            move = abs((quick[j] - lazy[j]) - (quick_before[j] - lazy_before[j]))
            pace, known = 0.0, 0
            for k in range(max(1, first + j - span + 1), first + j + 1):
                change = abs(fast[k] - fast[k - 1])
                if change == change:
                    pace += change
                    known += 1
            confidence[j] = move / (move + pace / known)


@array_kernel
def _crosses(fast: Floats, slow: Floats, span: int, below: float, target: Floats, confidence: Floats) -> None:
    size = len(fast)
    target[:1] = np.nan
    confidence[:1] = 0.0
    for start in range(1, size, BLOCK):
        stop = min(size, start + BLOCK)
        _cross_block(fast, slow, start, span, below, target[start:stop], confidence[start:stop])


@array_kernel
def _sma_crosses(
    x: Floats,
    periods: tuple[int, int],
    limit: float,
    span: int,
    below: float,
    target: Floats,
    confidence: Floats,
) -> bool:
    """Both means and their crosses block by block, nothing but the result in main memory. Answers whether all values
    lie on the grid; if not, the result is not to be used."""
    size, keep = len(x), span + 1
    n, m = periods
    behind = max(n, m)
    block = max(BLOCK, 2 * behind)
    steps, sums = np.zeros(behind + block, np.int64), np.empty(block, np.int64)
    fast, slow = np.full(keep + block, np.nan), np.full(keep + block, np.nan)
    fast_total: Any = np.int64(0)
    slow_total: Any = np.int64(0)
    for start in range(0, size, block):
        stop = min(size, start + block)
        count = stop - start
        if to_steps(x[start:stop], limit, steps[behind:]):
            return False
        fast_total = means_of_steps(steps, behind, n, fast_total, sums, fast[keep : keep + count])
        slow_total = means_of_steps(steps, behind, m, slow_total, sums, slow[keep : keep + count])
        steps[:behind] = steps[count : count + behind]
        fast[keep : keep + max(0, min(count, n - 1 - start))] = np.nan
        slow[keep : keep + max(0, min(count, m - 1 - start))] = np.nan
        _cross_block(fast, slow, keep, span, below, target[start:stop], confidence[start:stop])
        for j in range(keep):
            fast[j], slow[j] = fast[count + j], slow[count + j]
    return True


def cross_signals(fast: Floats, slow: Floats, *, span: int, below: float) -> Signals:
    """Long where `fast` crosses above `slow` (above now, not above on the candle before, both known on both).

    `below` is the target of the opposite cross: 0 leaves, -1 turns short, NaN says nothing. Confidence is how
    decisively the two pass each other: the change of their distance in this candle, as share of itself and the average
    step of `fast` over the last `span` candles. 0.5: the distance changed by one average step.
    """
    target, confidence = np.empty(len(fast)), np.empty(len(fast))
    _crosses(column(fast), column(slow), span, float(below), target, confidence)
    return Signals.holding(target, confidence, tag="cross")


def sma_cross_signals(values: Floats, fast: int, slow: int, *, below: float) -> Signals:
    """`cross_signals` of two simple means of `values`, with the span of the fast one; the same numbers, in one pass."""
    x = column(values)
    target, confidence = np.empty(len(x)), np.empty(len(x))
    if _sma_crosses(x, (fast, slow), min(grid_limit(fast), grid_limit(slow)), fast, float(below), target, confidence):
        return Signals.holding(target, confidence, tag="cross")
    return cross_signals(sma(x, fast), sma(x, slow), span=fast, below=below)
