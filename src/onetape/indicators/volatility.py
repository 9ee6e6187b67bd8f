"""How far a series swings: deviations, bands, ranges and channels."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from onetape.core.compiled import array_kernel
from onetape.domain.frame import Floats
from onetape.indicators.arrays import column, columns, period
from onetape.indicators.library import call
from onetape.indicators.memo import remembered
from onetape.indicators.trend import sma

_BLOCK: Final = 512


@array_kernel
def _deviations(x: Floats, means: Floats, n: int, out: Floats) -> None:
    """Root of the mean squared distance from the window's own mean: no difference of large squares."""
    size = len(x)
    squares = np.empty(_BLOCK)
    out[: min(n - 1, size)] = np.nan
    for start in range(n - 1, size, _BLOCK):
        count = min(_BLOCK, size - start)
        squares[:] = 0.0
        centre, results = means[start : start + count], out[start : start + count]
        for k in range(n):
            values = x[start - n + 1 + k : start - n + 1 + k + count]
            for j in range(count):
                distance = values[j] - centre[j]
                squares[j] += distance * distance
        for j in range(count):
            results[j] = np.sqrt(squares[j] / n)


@remembered
def stdev(values: ArrayLike, n: int) -> Floats:
    """The standard deviation of the last n values (divided by n, as TA-Lib's STDDEV); exactly 0 in a flat window."""
    x, n = column(values), period(n, "n")
    return _stdev(x, sma(x, n), n)


def _stdev(x: Floats, means: Floats, n: int) -> Floats:
    out = np.empty(len(x))
    _deviations(x, column(means), n, out)
    return out


def bollinger(values: ArrayLike, n: int = 20, width: float = 2.0) -> tuple[Floats, Floats, Floats]:
    """Upper band, mean, lower band: the mean of n values and `width` standard deviations beside it."""
    x, n = column(values), period(n, "n")
    middle = sma(x, n)
    reach = width * _stdev(x, middle, n)
    return middle + reach, middle, middle - reach


@remembered
def true_range(high: ArrayLike, low: ArrayLike, close: ArrayLike) -> Floats:
    """The range of each candle, a gap from the close before it included; NaN for the first."""
    return call("TRANGE", *columns(high, low, close))


@remembered
def atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, n: int = 14) -> Floats:
    """Wilder's average true range; NaN for the first n values.

    Recursive: a window of 40 n values agrees with the whole series to about 1e-12.
    """
    return call("ATR", *columns(high, low, close), timeperiod=period(n, "n"))


@array_kernel
def _highest(x: Floats, n: int, sign: float, out: Floats) -> None:
    """The largest sign * value of each window. The place of the largest is kept; it is sought anew when it leaves."""
    best, best_at, unknown_at = -np.inf, -1, -n
    for i in range(len(x)):
        value = sign * x[i]
        if np.isnan(value):
            unknown_at = i
        if value >= best:
            best, best_at = value, i
        elif best_at <= i - n:
            best, best_at = -np.inf, i
            for j in range(max(0, i - n + 1), i + 1):
                if sign * x[j] >= best:
                    best, best_at = sign * x[j], j
        out[i] = sign * best if i >= n - 1 and unknown_at <= i - n else np.nan


@remembered
def highest(values: ArrayLike, n: int) -> Floats:
    """The highest of the last n values, this one included; NaN for the first n - 1."""
    x, out = column(values), np.empty(np.shape(values))
    _highest(x, period(n, "n"), 1.0, out)
    return out


@remembered
def lowest(values: ArrayLike, n: int) -> Floats:
    """The lowest of the last n values, this one included; NaN for the first n - 1."""
    x, out = column(values), np.empty(np.shape(values))
    _highest(x, period(n, "n"), -1.0, out)
    return out


def donchian(high: ArrayLike, low: ArrayLike, n: int = 20) -> tuple[Floats, Floats, Floats]:
    """Upper, middle and lower line of the channel of the last n candles, this one included.

    A breakout compares a candle with the channel before it: `close > previous(upper)`.
    """
    highs, lows = columns(high, low)
    upper, lower = highest(highs, n), lowest(lows, n)
    return upper, (upper + lower) / 2.0, lower
