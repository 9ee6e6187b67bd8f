"""Measures of a run, in single passes over its arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.core.compiled import kernel
from onetape.core.snap import nearest
from onetape.core.state import F_BAR, F_FEE, F_PRICE, F_QTY, F_REALISED, F_ROLE, F_SIDE
from onetape.domain.frame import Floats, Ints

# columns of a round trip
T_ENTRY: Final = 0  # index of the fill candle
T_EXIT: Final = 1
T_SIDE: Final = 2
T_QTY: Final = 3  # most held
T_ENTRY_PRICE: Final = 4  # average
T_EXIT_PRICE: Final = 5  # average
T_FEES: Final = 6
T_PROFIT: Final = 7  # after fees
T_ROLE: Final = 8  # of the last exit
T_OPEN: Final = 9  # 1 = still held at the last candle, marked there
T_WIDTH: Final = 10

STRETCH: Final = 64  # values that are looked at together, so that the comparisons become vector code


@kernel
def round_trips(fills: Floats, last_bar: int, last_close: float, lot: float, trips: Floats) -> int:
    """Folds fills into trips from flat to flat; writes rows of `trips` (needs len(fills) rows), gives their number.

    A fill that turns a position around ends one trip and begins the next, its fee shared by quantity. The position is
    snapped as the account's is, so that both are flat at the same fill.
    """
    n = 0
    held, bought, bought_value, sold, sold_value, fees, realised, most = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    start = 0.0
    for k in range(len(fills)):
        side, qty, price, fee = fills[k, F_SIDE], fills[k, F_QTY], fills[k, F_PRICE], fills[k, F_FEE]
        left = qty
        if held != 0.0 and held * side < 0.0:
            closed = min(qty, abs(held))
            part = fee * closed / qty
            sold += closed
            sold_value += closed * price
            fees += part
            fee -= part
            realised += fills[k, F_REALISED]
            held = nearest(held + side * closed, lot)
            left = nearest(qty - closed, lot)
            if held == 0.0:
                write_trip(trips, n, start, fills[k, F_BAR], -side, most, bought_value / bought, sold_value / sold)
                write_money(trips, n, fees, realised - fees, fills[k, F_ROLE], 0.0)
                n += 1
        if left > 0.0:
            if held == 0.0:
                start = fills[k, F_BAR]
                bought, bought_value, sold, sold_value, fees, realised, most = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            bought += left
            bought_value += left * price
            fees += fee
            held = nearest(held + side * left, lot)
            most = max(most, abs(held))
    if held != 0.0:
        entry = bought_value / bought
        side = 1.0 if held > 0.0 else -1.0
        out = (sold_value + abs(held) * last_close) / (sold + abs(held))
        write_trip(trips, n, start, float(last_bar), side, most, entry, out)
        write_money(trips, n, fees, (out - entry) * side * bought - fees, 0.0, 1.0)
        n += 1
    return n


@kernel
def write_trip(
    trips: Floats, n: int, start: float, end: float, side: float, qty: float, entry_price: float, exit_price: float
) -> None:
    trips[n, T_ENTRY] = start
    trips[n, T_EXIT] = end
    trips[n, T_SIDE] = side
    trips[n, T_QTY] = qty
    trips[n, T_ENTRY_PRICE] = entry_price
    trips[n, T_EXIT_PRICE] = exit_price


@kernel
def write_money(trips: Floats, n: int, fees: float, profit: float, role: float, is_open: float) -> None:
    trips[n, T_FEES] = fees
    trips[n, T_PROFIT] = profit
    trips[n, T_ROLE] = role
    trips[n, T_OPEN] = is_open


@kernel
def deepest(equity: Floats, start: float) -> tuple[float, int, int]:
    """The largest drop from a high as a rate (>= 0), and the indices of high and low; index -1 is the start."""
    peak, at = start, -1
    worst, high, low = 0.0, -1, -1
    floor = peak
    begin = 0
    while begin < len(equity):
        stretch = equity[begin : begin + STRETCH]
        moved = 0
        for k in range(len(stretch)):
            moved += (stretch[k] > peak) | (stretch[k] < floor)
        if moved > 0:
            for k in range(len(stretch)):
                x = stretch[k]
                if x > peak:
                    peak, at, floor = x, begin + k, x * (1.0 - worst)
                elif x < floor:
                    worst, high, low = 1.0 - x / peak, at, begin + k
                    floor = x
        begin += len(stretch)
    return worst, high, low


@kernel
def recovery(equity: Floats, low: int, level: float) -> int:
    """The first index after `low` at which equity is back at `level`, or -1."""
    for i in range(low + 1, len(equity)):
        if equity[i] >= level:
            return i
    return -1


@kernel
def bars_held(fills: Floats, bars: int) -> int:
    """The number of fill candles at whose close a position was held."""
    held, since, total = 0.0, 0, 0
    for k in range(len(fills)):
        bar = int(fills[k, F_BAR])
        if held != 0.0:
            total += bar - since
        held += fills[k, F_SIDE] * fills[k, F_QTY]
        if abs(held) < 1e-9 * fills[k, F_QTY]:  # what float sums leave of a closed position
            held = 0.0
        since = bar
    return total + (bars - since if held != 0.0 else 0)


def last_of_each_day(open_ts: Ints, length: int) -> Ints:
    """Indices of the last candle of each UTC day in which one closes. A candle that closes at midnight ends its day.

    `length` is that of a candle, micros.
    """
    if not len(open_ts):
        return np.empty(0, np.int64)
    day = 86_400_000_000
    first, last = int(open_ts[0]) + length - 1, int(open_ts[-1]) + length - 1
    ends = np.arange(first // day + 1, last // day + 2) * day - length
    return np.unique(np.searchsorted(open_ts, ends, side="right") - 1)


# figures of closed trips, in the order of `judge_trips`
J_CLOSED, J_LONG, J_WON, J_LOST, J_GAIN, J_LOSS, J_MEAN, J_SQUARES = 0, 1, 2, 3, 4, 5, 6, 7
J_RATE, J_BEST, J_WORST, J_STREAK_WON, J_STREAK_LOST, J_HELD = 8, 9, 10, 11, 12, 13
J_WIDTH: Final = 14


@kernel
def judge_trips(trips: Floats, open_ts: Ints, out: Floats) -> None:
    """Counts and sums over the closed trips; writes J_WIDTH numbers.

    J_MEAN is the mean profit, J_SQUARES the sum of squares about it, J_RATE the mean rate, J_STREAK_* the longest runs
    of trips won and lost, J_HELD the summed time from entry candle to exit candle, micros.
    """
    out[:] = 0.0
    n, won, lost, squares, mean = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(trips)):
        if trips[i, T_OPEN] != 0.0:
            continue
        profit = trips[i, T_PROFIT]
        rate = profit / (trips[i, T_QTY] * trips[i, T_ENTRY_PRICE])
        n += 1.0
        off = profit - mean
        mean += off / n
        squares += off * (profit - mean)
        out[J_LONG] += 1.0 if trips[i, T_SIDE] > 0.0 else 0.0
        won = won + 1.0 if profit > 0.0 else 0.0
        lost = lost + 1.0 if profit < 0.0 else 0.0
        out[J_WON] += 1.0 if profit > 0.0 else 0.0
        out[J_LOST] += 1.0 if profit < 0.0 else 0.0
        out[J_GAIN] += max(profit, 0.0)
        out[J_LOSS] += max(-profit, 0.0)
        out[J_RATE] += rate
        out[J_BEST] = rate if n == 1.0 else max(out[J_BEST], rate)
        out[J_WORST] = rate if n == 1.0 else min(out[J_WORST], rate)
        out[J_STREAK_WON] = max(out[J_STREAK_WON], won)
        out[J_STREAK_LOST] = max(out[J_STREAK_LOST], lost)
        out[J_HELD] += float(open_ts[int(trips[i, T_EXIT])] - open_ts[int(trips[i, T_ENTRY])])
    out[J_CLOSED] = n
    out[J_MEAN] = mean
    out[J_SQUARES] = squares
    if n > 0.0:
        out[J_RATE] /= n
