"""Signals from two means that cross: shared by the strategies that follow crosses."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np

from onetape.core.compiled import array_kernel
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints
from onetape.domain.signals import Signals
from onetape.indicators.arrays import column
from onetape.indicators.memo import is_remembering
from onetape.indicators.trend import BLOCK, carry, grid_limit, sma, to_steps
from onetape.strategies.contract import Strategy
from onetape.strategies.market import Market

LONG: Final = 200_000  # values from which on a second core pays
_APART: Final = float(2**51)  # steps: below it, divided by their common length, different means are different floats


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
    windows: tuple[int, int, int, int],
    limit: float,
    below: float,
    skip: int,
    target: Floats,
    confidence: Floats,
) -> bool:
    """Crosses of the means of the last n and m values, found among whole numbers: with `x` in steps of 1e-8, the means
    compare as their sums times the other's length do. `windows` are n, m, and what the sums are multiplied by
    (n * up == m * down). Block by block, nothing but the result in main memory; the first `skip` rows are not written.
    Answers whether all values lie on the grid below `limit`; if not, the result is not to be used."""
    n, m, up, down = windows
    size, behind = len(x), max(2 * n, m) + 1
    block = max(BLOCK, 2 * behind)
    steps, apart = np.zeros(behind + block, np.int64), np.zeros(1 + block, np.int64)
    fast: Any = np.int64(0)
    slow: Any = np.int64(0)
    for start in range(0, size, block):
        count = min(size, start + block) - start
        if to_steps(x[start : start + count], limit, steps[behind:]):
            return False
        now, quick, lazy = steps[behind:], steps[behind - n :], steps[behind - m :]
        for j in range(count):
            fast += now[j] - quick[j]
            slow += now[j] - lazy[j]
            apart[j + 1] = fast * up - slow * down
        first = max(0, skip - start)
        said, sure = target[start + first : start + count], confidence[start + first : start + count]
        before, after = apart[first:count], apart[first + 1 : count + 1]
        for j in range(len(said)):
            rose = (after[j] > 0) & (before[j] <= 0)
            fell = (after[j] < 0) & (before[j] >= 0)
            said[j] = 1.0 if rose else below if fell else np.nan
            sure[j] = 0.0
        if start + first < m:  # the slow mean, and the one before it, are known from row m on
            target[start + first : min(m, start + count)] = np.nan
        for j in range(first, count):
            if said[j - first] == said[j - first]:
                pace: Any = np.int64(0)
                known = min(n, start + j - n + 1)
                for k in range(behind + j - known + 1, behind + j + 1):
                    pace += abs(steps[k] - steps[k - n])
                move = float(abs(apart[j + 1] - apart[j])) / up  # in steps, times n
                confidence[start + j] = move / (move + float(pace) / known)
        carry(steps, count, behind)
        apart[0] = apart[count]
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


def _halves(
    x: Floats, windows: tuple[int, int, int, int], limit: float, below: float, target: Floats, confidence: Floats
) -> bool:
    """`_sma_crosses`; a long series on two cores, the second half with as many rows before it as its windows reach."""
    if len(x) < LONG:
        return _sma_crosses(x, windows, limit, below, 0, target, confidence)
    lead = max(2 * windows[0], windows[1]) + 2
    cut = len(x) // 2
    late = slice(cut - lead, None)
    with ThreadPoolExecutor(1) as other:
        second = other.submit(_sma_crosses, x[late], windows, limit, below, lead, target[late], confidence[late])
        whole = _sma_crosses(x[:cut], windows, limit, below, 0, target[:cut], confidence[:cut])
        return second.result() and whole


def compared(fast: int, slow: int) -> tuple[tuple[int, int, int, int], float, float]:
    """How two means compare as whole sums: both lengths, and what the sums are multiplied by. Then the number of steps
    of 1e-8 below which all values must lie to be counted, and the number of their common divisors below which floats
    tell all means apart, so that floats compare as the sums do."""
    common = math.lcm(fast, slow)
    return (fast, slow, common // fast, common // slow), min(grid_limit(fast), grid_limit(slow)), _APART / common


@array_kernel
def crosses_of_sums(sums: Ints, windows: tuple[int, int, int, int], below: float, first: int, target: Floats) -> None:
    """Writes the targets of crosses, as `_sma_crosses` does, in the rows from `first` on, where both means and those
    before them are known; NaN above it. `sums[j]` is the sum of the j first values in steps of any size; it may run
    over, for differences are right all the same."""
    n, m, up, down = windows
    target[:first] = np.nan
    apart = np.empty(BLOCK + 1, np.int64)
    for start in range(first, len(target), BLOCK):
        said = target[start : start + BLOCK]
        now, quick, lazy = sums[start:], sums[start - n :], sums[start - m :]
        for j in range(len(said) + 1):
            apart[j] = (now[j] - quick[j]) * up - (now[j] - lazy[j]) * down
        before, after = apart[:BLOCK], apart[1:]
        for j in range(len(said)):
            rose = (after[j] > 0) & (before[j] <= 0)
            fell = (after[j] < 0) & (before[j] >= 0)
            said[j] = 1.0 if rose else below if fell else np.nan


def sma_cross_signals(values: Floats, fast: int, slow: int, *, below: float) -> Signals:
    """`cross_signals` of two simple means of `values`, with the span of the fast one, in one pass over whole numbers
    where the values lie on a grid of 1e-8 that is fine enough for floats to tell all means apart."""
    if is_remembering():  # each mean is there once, for all pairs that have it
        return cross_signals(sma(values, fast), sma(values, slow), span=fast, below=below)
    x = column(values)
    target, confidence = np.empty(len(x)), np.empty(len(x))
    windows, counted, apart = compared(fast, slow)
    if _halves(x, windows, min(counted, apart), float(below), target, confidence):
        return Signals.holding(target, confidence, tag="cross")
    return cross_signals(sma(x, fast), sma(x, slow), span=fast, below=below)


class Means(NamedTuple):
    """Two simple means of the closes, in candles, and the target of the cross below (NaN: it says nothing)."""

    fast: int
    slow: int
    below: float


class MeanCross(Strategy, frozen=True):
    """Says `means`; its signals are their crosses. Many of them on the same candles are worked out from one column of
    sums, as long as `signals` is not overridden."""

    def means(self) -> Means:
        raise BadInput(f"means of {self.name()}", None, "not written", "Answer Means(fast, slow, below).")

    def signals(self, market: Market) -> Signals:
        fast, slow, below = self.means()
        return sma_cross_signals(market.close, fast, slow, below=below)
