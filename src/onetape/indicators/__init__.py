"""Indicators: columns in, columns of the same length out, NaN where there is no value yet. May use numba and TA-Lib.

They have no state and read nothing but their arguments. `from onetape import indicators as ta`.
"""

from onetape.indicators.custom import indicator
from onetape.indicators.momentum import roc, rsi
from onetape.indicators.trend import crossed_above, crossed_below, ema, macd, previous, sma
from onetape.indicators.volatility import atr, bollinger, donchian, highest, lowest, stdev, true_range

__all__ = [
    "atr",
    "bollinger",
    "crossed_above",
    "crossed_below",
    "donchian",
    "ema",
    "highest",
    "indicator",
    "lowest",
    "macd",
    "previous",
    "roc",
    "rsi",
    "sma",
    "stdev",
    "true_range",
]
