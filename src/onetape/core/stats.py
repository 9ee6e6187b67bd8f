"""Measures of a run, in single passes over its arrays."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.core.compiled import kernel
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


@kernel
def round_trips(fills: Floats, last_bar: int, last_close: float, lot: float, trips: Floats) -> int:
    """Folds fills into trips from flat to flat; writes rows of `trips` (needs len(fills) rows), gives their number.

    A fill that turns a position around ends one trip and begins the next, its fee shared by quantity.
    """
    n = 0
    held, bought, bought_value, sold, sold_value, fees, realised, most = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    dust = 0.5 * lot
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
            held += side * closed
            left = qty - closed
            if abs(held) <= dust:
                held = 0.0
                write_trip(trips, n, start, fills[k, F_BAR], -side, most, bought_value / bought, sold_value / sold)
                write_money(trips, n, fees, realised - fees, fills[k, F_ROLE], 0.0)
                n += 1
        if left > dust:
            if held == 0.0:
                start = fills[k, F_BAR]
                bought, bought_value, sold, sold_value, fees, realised, most = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            bought += left
            bought_value += left * price
            fees += fee
            held += side * left
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
    for i in range(len(equity)):
        x = equity[i]
        if x > peak:
            peak, at, floor = x, i, x * (1.0 - worst)
        elif x < floor:
            worst, high, low = 1.0 - x / peak, at, i
            floor = x
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
        if abs(held) > 1e-12:
            total += bar - since
        held += fills[k, F_SIDE] * fills[k, F_QTY]
        since = bar
    return total + (bars - since if abs(held) > 1e-12 else 0)


def last_of_each_day(close_ts: Ints) -> Ints:
    """Indices of the last candle of each UTC day that has one. A candle that closes at midnight ends its day."""
    if not len(close_ts):
        return np.empty(0, np.int64)
    day = 86_400_000_000
    ends = np.arange((close_ts[0] - 1) // day + 1, (close_ts[-1] - 1) // day + 2) * day
    found = np.searchsorted(close_ts, ends, side="right") - 1
    return np.unique(found)
