"""What the fill candles of a run show, one by one and as columns. A public trade is a candle with one price."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from onetape.core.compiled import inlined
from onetape.domain.frame import Floats, Ints
from onetape.domain.units import Price, Qty

N = TypeVar("N", bound=np.generic)


class Bar(NamedTuple):
    """A fill candle. `ts` is its open time and `length` its duration, micros (both 0 where time plays no part).

    A single trade has the length 0; the last one of its signal candle has, below 0, how long that lasts on after it.
    """

    open: Price
    high: Price
    low: Price
    close: Price
    volume: Qty = float("inf")  # base units traded in it; infinite = not known
    ts: float = 0.0
    length: float = 0.0


class Bars(NamedTuple):
    """Fill candles as columns of one length; the columns behind the prices may be empty: then nothing depends on them.
    `length` has one row when all candles last as long, else one a candle.

    `depth[k]` is an order book, level by level from the best: price and size of the bid, price and size of the ask; a
    size of 0 is no level. `depth_at[i]` is the one that was last recorded before candle i, -1 = none. The arrays are
    read-only and contiguous, all of them, so that the loop is compiled once.
    """

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    ts: Ints
    length: Floats
    depth_at: Ints
    depth: Floats


class Funding(NamedTuple):
    """Funding payments: the first fill candle that opens at or after each (rising), and its rate (> 0: longs pay)."""

    at: Ints
    rate: Floats


def bars_of(
    prices: tuple[Floats, Floats, Floats, Floats],
    volume: Floats | None = None,
    ts: Ints | None = None,
    length: int | Ints = 0,
    depth_at: Ints | None = None,
    depth: Floats | None = None,
) -> Bars:
    """Columns as the loop wants them."""
    none, never = np.empty(0), np.empty(0, np.int64)
    return Bars(
        fixed(prices[0]),
        fixed(prices[1]),
        fixed(prices[2]),
        fixed(prices[3]),
        fixed(none if volume is None else volume),
        fixed(never if ts is None else ts),
        fixed(np.atleast_1d(np.asarray(length, np.float64))),
        fixed(never if depth_at is None else depth_at),
        fixed(np.empty((0, 0, 4)) if depth is None else depth),
    )


def funding_of(at: Ints | None = None, rate: Floats | None = None) -> Funding:
    return Funding(fixed(np.empty(0, np.int64) if at is None else at), fixed(np.empty(0) if rate is None else rate))


def fixed(column: NDArray[N]) -> NDArray[N]:
    """Contiguous and read-only, whatever came: the loop is compiled once, not once per mixture of kinds (20 s each)."""
    view = np.ascontiguousarray(column).view()
    view.flags.writeable = False
    return view


@inlined
def bar_at(bars: Bars, i: int) -> Bar:
    """Candle i."""
    volume = bars.volume[i] if len(bars.volume) else np.inf
    ts = float(bars.ts[i]) if len(bars.ts) else 0.0
    return Bar(bars.open[i], bars.high[i], bars.low[i], bars.close[i], volume, ts, length_of(bars, i))


@inlined
def length_of(bars: Bars, i: int) -> float:
    """How long candle i lasts, micros."""
    return float(bars.length[i] if len(bars.length) > 1 else bars.length[0])
