"""Measures of a run, in single passes over its arrays; each can stop and go on with what comes later."""

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


# columns of the trip that is under way
O_HELD, O_BOUGHT, O_BOUGHT_VALUE, O_SOLD, O_SOLD_VALUE, O_FEES, O_REALISED, O_MOST, O_START = 0, 1, 2, 3, 4, 5, 6, 7, 8
O_WIDTH: Final = 9

# columns of the time in which a position is held
H_QTY, H_SINCE, H_BARS = 0, 1, 2
H_WIDTH: Final = 3

# columns of the deepest fall: the highest value so far and where it was, the fall and where it began and ended (-1: at
# the start), and the value below which it becomes deeper
D_PEAK, D_AT, D_WORST, D_HIGH, D_LOW, D_FLOOR = 0, 1, 2, 3, 4, 5
D_WIDTH: Final = 6


def round_trips(fills: Floats, last_bar: int, last_close: float, lot: float, trips: Floats) -> int:
    """Folds fills into trips from flat to flat; writes rows of `trips` (needs len(fills) + 1 rows), gives their number.
    One that is still open is marked at the last candle."""
    under_way = np.zeros(O_WIDTH)
    n = more_trips(fills, lot, under_way, trips)
    return n + open_trip(under_way, last_bar, last_close, trips[n:])


@kernel
def more_trips(fills: Floats, lot: float, under_way: Floats, trips: Floats) -> int:
    """The trips that end in these fills, the trip `under_way` among them, which changes in place; gives their number.

    A fill that turns a position around ends one trip and begins the next, its fee shared by quantity. The position is
    snapped as the account's is, so that both are flat at the same fill.
    """
    n = 0
    held, bought, bought_value = under_way[O_HELD], under_way[O_BOUGHT], under_way[O_BOUGHT_VALUE]
    sold, sold_value, fees = under_way[O_SOLD], under_way[O_SOLD_VALUE], under_way[O_FEES]
    realised, most, start = under_way[O_REALISED], under_way[O_MOST], under_way[O_START]
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
    under_way[O_HELD], under_way[O_BOUGHT], under_way[O_BOUGHT_VALUE] = held, bought, bought_value
    under_way[O_SOLD], under_way[O_SOLD_VALUE], under_way[O_FEES] = sold, sold_value, fees
    under_way[O_REALISED], under_way[O_MOST], under_way[O_START] = realised, most, start
    return n


@kernel
def open_trip(under_way: Floats, last_bar: int, last_close: float, trips: Floats) -> int:
    """Writes the trip that is under way at the end as if it were left at the last close; gives 1, or 0 when flat."""
    held = under_way[O_HELD]
    if held == 0.0:
        return 0
    bought, sold, fees = under_way[O_BOUGHT], under_way[O_SOLD], under_way[O_FEES]
    entry = under_way[O_BOUGHT_VALUE] / bought
    side = 1.0 if held > 0.0 else -1.0
    out = (under_way[O_SOLD_VALUE] + abs(held) * last_close) / (sold + abs(held))
    write_trip(trips, 0, under_way[O_START], float(last_bar), side, under_way[O_MOST], entry, out)
    write_money(trips, 0, fees, (out - entry) * side * bought - fees, 0.0, 1.0)
    return 1


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


def deepest(equity: Floats, start: float) -> tuple[float, int, int]:
    """The largest drop from a high as a rate (>= 0), and the indices of high and low; index -1 is the start."""
    found = np.empty(D_WIDTH)
    no_fall(found, start)
    deeper(equity, 0, found)
    return float(found[D_WORST]), int(found[D_HIGH]), int(found[D_LOW])


@kernel
def no_fall(found: Floats, start: float) -> None:
    found[D_PEAK], found[D_AT], found[D_WORST] = start, -1.0, 0.0
    found[D_HIGH], found[D_LOW], found[D_FLOOR] = -1.0, -1.0, start


@kernel
def deeper(equity: Floats, first: int, found: Floats) -> None:
    """Brings the deepest fall up to date with the values that follow, the first of which has the index `first`."""
    peak, worst, floor = found[D_PEAK], found[D_WORST], found[D_FLOOR]
    begin, low = 0, first
    while begin < len(equity):
        stretch = equity[begin : begin + STRETCH]
        rises, falls = 0, 0
        for k in range(len(stretch)):
            rises += stretch[k] > peak
            falls += stretch[k] < floor
        if rises > 0:
            for k in range(len(stretch)):
                x = stretch[k]
                if x > peak:
                    peak, floor = x, x * (1.0 - worst)
                    found[D_AT] = float(first + begin + k)
                elif x < floor:
                    worst, floor = 1.0 - x / peak, x
                    found[D_HIGH], found[D_LOW] = found[D_AT], float(first + begin + k)
        elif falls > 0:
            for k in range(len(stretch)):
                if stretch[k] < floor:
                    floor, low = stretch[k], first + begin + k
            worst = 1.0 - floor / peak
            found[D_HIGH], found[D_LOW] = found[D_AT], float(low)
        begin += len(stretch)
    found[D_PEAK], found[D_WORST], found[D_FLOOR] = peak, worst, floor


@kernel
def recovery(equity: Floats, low: int, level: float) -> int:
    """The first index after `low` at which equity is back at `level`, or -1."""
    for i in range(low + 1, len(equity)):
        if equity[i] >= level:
            return i
    return -1


def bars_held(fills: Floats, bars: int) -> int:
    """The number of fill candles at whose close a position was held."""
    time = np.zeros(H_WIDTH)
    held_on(fills, time)
    return held_until(time, bars)


@kernel
def held_on(fills: Floats, time: Floats) -> None:
    """Adds the candles between these fills, and those since the last one before them, when a position was held."""
    held, since, total = time[H_QTY], time[H_SINCE], time[H_BARS]
    for k in range(len(fills)):
        bar = fills[k, F_BAR]
        if held != 0.0:
            total += bar - since
        held += fills[k, F_SIDE] * fills[k, F_QTY]
        if abs(held) < 1e-9 * fills[k, F_QTY]:  # what float sums leave of a closed position
            held = 0.0
        since = bar
    time[H_QTY], time[H_SINCE], time[H_BARS] = held, since, total


def held_until(time: Floats, bars: int) -> int:
    """The same with the candles from the last fill to the end, `bars` being the number of all."""
    return int(time[H_BARS] + (bars - time[H_SINCE] if time[H_QTY] != 0.0 else 0.0))


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


# figures of closed trips: counts and sums, the mean profit, the sum of squares about it, the summed rate, the best and
# the worst rate, the longest runs of trips won and lost, the summed time from entry candle to exit candle (micros), and
# the runs of won and lost that have not ended
J_CLOSED, J_LONG, J_WON, J_LOST, J_GAIN, J_LOSS, J_MEAN, J_SQUARES = 0, 1, 2, 3, 4, 5, 6, 7
J_RATE, J_BEST, J_WORST, J_STREAK_WON, J_STREAK_LOST, J_HELD, J_WON_NOW, J_LOST_NOW = 8, 9, 10, 11, 12, 13, 14, 15
J_WIDTH: Final = 16


@kernel
def judge_trips(trips: Floats, open_ts: Ints, out: Floats) -> None:
    """Adds the closed ones of these trips to the figures, which begin as zeros."""
    n, won, lost, squares, mean = out[J_CLOSED], out[J_WON_NOW], out[J_LOST_NOW], out[J_SQUARES], out[J_MEAN]
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
    out[J_CLOSED], out[J_WON_NOW], out[J_LOST_NOW], out[J_SQUARES], out[J_MEAN] = n, won, lost, squares, mean
