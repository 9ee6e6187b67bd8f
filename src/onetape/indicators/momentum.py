"""How fast and how one-sidedly a series moves. TA-Lib does the arithmetic."""

from __future__ import annotations

from numpy.typing import ArrayLike

from onetape.domain.frame import Floats
from onetape.indicators.arrays import column, period
from onetape.indicators.library import call
from onetape.indicators.memo import remembered


@remembered
def rsi(values: ArrayLike, n: int = 14) -> Floats:
    """Wilder's relative strength index, 0 to 100; NaN for the first n values. 0 where nothing ever moved.

    Recursive: a window of 40 n values agrees with the whole series to about 1e-12.
    """
    return call("RSI", column(values), timeperiod=period(n, "n", least=2))


@remembered
def roc(values: ArrayLike, n: int = 10) -> Floats:
    """Rate of change over n values, as a rate (0.02 = 2 %); NaN for the first n."""
    return call("ROCP", column(values), timeperiod=period(n, "n"))
