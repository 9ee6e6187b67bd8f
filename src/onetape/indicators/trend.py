"""Means of a series and their crosses. Numbers in, numbers out; numba kernels, no state, no input or output.

A mean depends on the values of its window and on nothing else, bit for bit, and windows whose means are equal as
rational numbers give equal floats, whatever their lengths. A running float sum does neither: it drifts by 1e-12 and
invents crosses in a flat market.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onetape.core.compiled import array_kernel
from onetape.domain.frame import Floats, Ints
from onetape.indicators.arrays import column, columns, period
from onetape.indicators.memo import remembered

_STEPS: Final = 100_000_000  # prices are counted in steps of 1e-8
_LIMIT: Final = float(2**52)  # below it a float tells neighbouring steps apart
BLOCK: Final = 1024  # values worked on at a time: they stay in the first cache, and the loops become vector code


@array_kernel
def to_steps(values: Floats, limit: float, steps: Ints) -> int:
    """Writes `values` as multiples of 1e-8 and counts those off the grid (or from `limit` on), which become 0."""
    off: Any = np.int64(0)
    for j in range(len(values)):
        near = np.floor(values[j] * 1e8 + 0.5)
        good = (near / 1e8 == values[j]) & (abs(near) < limit)
        off += np.int64(not good)
        steps[j] = np.int64(near if good else 0.0)
    return int(off)


@array_kernel
def carry(steps: Ints, count: int, n: int) -> None:
    """Brings the n values from `count` on to the front. As a slice of a slice it takes two seconds more to compile."""
    for j in range(n):
        steps[j] = steps[count + j]


@array_kernel
def means_of_steps(steps: Ints, first: int, n: int, total: int, sums: Ints, means: Floats) -> int:
    """Means of the windows of n steps that end at steps[first] and after it; the sum of the last window.

    `total` is the sum of the window before the first, `sums` room to work in. The mean S / (n * 1e8) is split in its
    whole part and its rest, so the float made of them depends on the rational mean alone.
    """
    count = len(means)
    whole = n * _STEPS
    divisor, inverse = float(whole), 1.0 / whole
    entering, leaving = steps[first : first + count], steps[first - n : first - n + count]
    for j in range(count):
        total += entering[j] - leaving[j]
        sums[j] = total
    for j in range(count):
        size = abs(sums[j])  # a small negative mean would be lost in the rest of a whole one
        part = np.int64(np.floor(np.float64(size) * inverse))  # may be one off
        rest = size - part * whole
        low, high = np.int64(rest < 0), np.int64(rest >= whole)
        mean = np.float64(part - low + high) + np.float64(rest + (low - high) * whole) / divisor
        means[j] = -mean if sums[j] < 0 else mean
    return total


@array_kernel
def _grid_means(x: Floats, n: int, limit: float, out: Floats) -> int:
    """Means of all windows on the grid. Answers where the first block with a value off the grid begins, or len(x)."""
    size, first_bad = len(x), len(x)
    block = max(BLOCK, 2 * n)
    steps, sums = np.zeros(n + block, np.int64), np.empty(block, np.int64)
    total: Any = np.int64(0)
    for start in range(0, size, block):
        stop = min(size, start + block)
        count = stop - start
        if to_steps(x[start:stop], limit, steps[n:]):
            first_bad = min(first_bad, start)
        total = means_of_steps(steps, n, n, total, sums, out[start:stop])
        carry(steps, count, n)
    out[: min(n - 1, size)] = np.nan
    return first_bad


def grid_limit(n: int) -> float:
    """Multiples of 1e-8 from this one on are not counted exactly, or n of them may not fit into 63 bits."""
    return min(_LIMIT, 9e18 / n)


@array_kernel
def _quotient(total: float, small: float, n: int) -> float:
    """(total + small) / n, rounded once: n equal values have exactly that value as their mean."""
    high = total + small
    low = small - (high - total)
    quotient = high / n
    if not abs(quotient) < 1e290:
        return quotient
    big = 134217729.0 * quotient  # Dekker's split: upper * n and lower * n are exact
    upper = big - (big - quotient)
    lower = quotient - upper
    return quotient + (((high - upper * n) - lower * n) + low) / n


@array_kernel
def _direct_means(x: Floats, n: int, limit: float, first: int, out: Floats) -> None:
    """Overwrites the means of windows with a value off the grid: each window is summed afresh, error and all."""
    size = len(x)
    dirty = np.empty(BLOCK, np.bool_)
    total, small = np.empty(BLOCK), np.empty(BLOCK)
    start = max(first, n - 1)
    last_bad = -n
    for i in range(first, min(start, size)):
        steps = np.floor(x[i] * 1e8 + 0.5)
        if not (steps / 1e8 == x[i] and abs(steps) < limit):
            last_bad = i
    for begin in range(start, size, BLOCK):
        count = min(BLOCK, size - begin)
        any_dirty = False
        for j in range(count):
            value = x[begin + j]
            steps = np.floor(value * 1e8 + 0.5)
            if not (steps / 1e8 == value and abs(steps) < limit):
                last_bad = begin + j
            dirty[j] = last_bad > begin + j - n
            any_dirty |= dirty[j]
        if not any_dirty:
            continue
        total[:] = 0.0
        small[:] = 0.0
        for k in range(n):
            values = x[begin - n + 1 + k : begin - n + 1 + k + count]
            for j in range(count):
                value = values[j]
                sum_now = total[j] + value
                part = sum_now - total[j]
                small[j] += (total[j] - (sum_now - part)) + (value - part)
                total[j] = sum_now
        for j in range(count):
            if dirty[j]:
                out[begin + j] = _quotient(total[j], small[j], n)


@remembered
def sma(values: ArrayLike, n: int) -> Floats:
    """The simple moving average: the mean of the last n values; NaN for the first n - 1 and where the window has one.

    Exact on multiples of 1e-8 (equal means compare equal for any two n), compensated otherwise. As TA-Lib's SMA.
    """
    x, n = column(values), period(n, "n")
    out = np.empty(len(x))
    limit = grid_limit(n)
    first_bad = _grid_means(x, n, limit, out)
    if first_bad < len(x):
        _direct_means(x, n, limit, first_bad, out)
    return out


@array_kernel
def _first_number(x: Floats) -> int:
    first = 0
    while first < len(x) and np.isnan(x[first]):
        first += 1
    return first


@array_kernel
def _mean(x: Floats, start: int, n: int) -> float:
    total, small = 0.0, 0.0
    for i in range(start, start + n):
        sum_now = total + x[i]
        part = sum_now - total
        small += (total - (sum_now - part)) + (x[i] - part)
        total = sum_now
    return _quotient(total, small, n)


@array_kernel
def _nearer(value: float, goal: float, weight: float) -> float:
    """One step of an exponential mean. Where it is too small for a float it arrives: a flat market ends in a tie."""
    moved = (goal - value) * weight + value
    return goal if moved == value else moved


@array_kernel
def _ema(x: Floats, start: int, n: int, out: Floats) -> None:
    """From the seed, the mean of x[start : start + n], on; what lies before it is left alone."""
    if start + n > len(x):
        return
    weight = 2.0 / (n + 1)
    value = _mean(x, start, n)
    out[start + n - 1] = value
    for i in range(start + n, len(x)):
        value = _nearer(value, x[i], weight)
        out[i] = value


@remembered
def ema(values: ArrayLike, n: int) -> Floats:
    """The exponential moving average with weight 2 / (n + 1), seeded by the mean of the first n values.

    NaN before the seed. A NaN after it stays: the average has no value from there on. A window of 20 n values agrees
    with the whole series to about 1e-15. As TA-Lib's EMA.
    """
    x, n = column(values), period(n, "n")
    out = np.full(len(x), np.nan)
    _ema(x, _first_number(x), n, out)
    return out


@array_kernel
def _macd(x: Floats, fast: int, slow: int, signal: int, out: Floats) -> None:
    first = _first_number(x)
    seeded = first + slow - 1  # both averages have their seed on this candle
    start = seeded + signal - 1
    out[:, : min(start, len(x))] = np.nan
    if start >= len(x):
        return
    fast_weight, slow_weight, weight = 2.0 / (fast + 1), 2.0 / (slow + 1), 2.0 / (signal + 1)
    quick, lazy = _mean(x, seeded - fast + 1, fast), _mean(x, first, slow)
    lines = np.empty(signal)
    lines[0] = quick - lazy
    value = lines[0]
    for i in range(seeded + 1, len(x)):
        quick, lazy = _nearer(quick, x[i], fast_weight), _nearer(lazy, x[i], slow_weight)
        line = quick - lazy
        if i < start:
            lines[i - seeded] = line
            continue
        if i == start:
            lines[signal - 1] = line
            value = _mean(lines, 0, signal)
        else:
            value = (line - value) * weight + value
        if abs(line - value) < 4e-16 * abs(lazy):  # below the rounding of the averages: a tie
            value = line
        out[0, i], out[1, i], out[2, i] = line, value, line - value
    if signal == 1:
        out[0, start], out[1, start], out[2, start] = lines[0], lines[0], 0.0


def macd(values: ArrayLike, fast: int = 12, slow: int = 26, signal: int = 9) -> tuple[Floats, Floats, Floats]:
    """Line (fast EMA less slow EMA), its signal (EMA of the line) and histogram (line less signal).

    All three begin at the same candle, slow + signal - 1 values after the first number. As TA-Lib's MACD.
    """
    x = column(values)
    fast, slow = sorted((period(fast, "fast"), period(slow, "slow")))
    out = np.empty((3, len(x)))
    _macd(x, fast, slow, period(signal, "signal"), out)
    return out[0], out[1], out[2]


def crossed_above(a: ArrayLike, b: ArrayLike | float) -> NDArray[np.bool_]:
    """Where a > b on this candle and a <= b on the one before; never on the first, never where a value is NaN."""
    left, right = columns(a, np.full(len(np.atleast_1d(a)), b) if np.ndim(b) == 0 else b)
    out = np.zeros(len(left), np.bool_)
    out[1:] = (left[1:] > right[1:]) & (left[:-1] <= right[:-1])
    return out


def crossed_below(a: ArrayLike, b: ArrayLike | float) -> NDArray[np.bool_]:
    """Where a < b on this candle and a >= b on the one before."""
    return crossed_above(-np.asarray(a, np.float64), -np.asarray(b, np.float64))


def previous(values: ArrayLike, candles: int = 1) -> Floats:
    """What each value was `candles` candles earlier; NaN at the start. It cannot look ahead: 0 and less are refused."""
    x, n = column(values), period(candles, "candles")
    out = np.full(len(x), np.nan)
    out[n:] = x[: max(0, len(x) - n)]
    return out
