"""The yardstick: both jobs as one bare hand-written loop, with nothing that a platform needs. About the speed of light.

Running float sums, one position size, fees in the price, no orders, no accounts, no curve: only what decides the
result. It may differ from the engine by one cross where two means are equal, because a running sum drifts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from onetape.domain.frame import CandleFrame

Floats = NDArray[np.float64]


class Outcome(NamedTuple):
    trades: int
    equity: float
    drawdown: float


def crosses(frame: CandleFrame, cash: float, fee: float) -> Outcome:
    """Job 1: in and out at crosses of the means of 10 and 50."""
    return Outcome(*_walk(frame.open, frame.high, frame.low, frame.close, cash, fee, 1.0, np.inf, True))


def brackets(frame: CandleFrame, cash: float, fee: float) -> Outcome:
    """Job 2: in at crosses, out by 2 % stop or 4 % take."""
    return Outcome(*_walk(frame.open, frame.high, frame.low, frame.close, cash, fee, 0.02, 0.04, False))


@njit(cache=True)
def _walk(  # noqa: C901
    opens: Floats, highs: Floats, lows: Floats, closes: Floats,
    cash: float, fee: float, stop: float, take: float, by_cross: bool,
) -> tuple[int, float, float]:  # fmt: skip
    fast, slow, before = 0.0, 0.0, 0.0
    held, wish, trades = False, 0, 0
    floor, roof = 0.0, 0.0
    peak, worst = cash, 0.0
    for i in range(len(closes)):
        if wish > 0:
            cash -= opens[i] * (1.0 + fee)
            held, floor, roof = True, opens[i] * (1.0 - stop), opens[i] * (1.0 + take)
        elif wish < 0:
            cash += opens[i] * (1.0 - fee)
            held = False
            trades += 1
        wish = 0
        if held and not by_cross:
            out = 0.0
            if lows[i] <= floor:
                out = min(opens[i], floor)
            elif highs[i] > roof:
                out = roof
            if out > 0.0:
                cash += out * (1.0 - fee)
                held = False
                trades += 1
        close = closes[i]
        fast += close
        slow += close
        if i >= 10:
            fast -= closes[i - 10]
        if i >= 50:
            slow -= closes[i - 50]
        if i >= 49:
            apart = fast / 10.0 - slow / 50.0
            if i > 49:
                if apart > 0.0 and before <= 0.0 and not held:
                    wish = 1
                elif by_cross and apart < 0.0 and before >= 0.0 and held:
                    wish = -1
            before = apart
        worth = cash + close if held else cash
        if worth > peak:
            peak = worth
        elif worth < peak * (1.0 - worst):
            worst = 1.0 - worth / peak
    return trades, cash + closes[-1] if held else cash, worst
