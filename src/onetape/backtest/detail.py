"""On what orders fill: candles, and single trades in the place of every candle whose recorded trades are complete.

Complete is a candle whose trades make its own open, high, low, close and volume: nothing else proves that none was
missed. So stretches of trades and of candles follow each other in one sequence of bars, and the same core matches all
of it. Where the order book was recorded, the last one before each bar lies beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onetape.core.bars import Bars, bars_of
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.recorded import Recorded
from onetape.domain.units import MINUTE, Micros

PIECE: Final = 1 << 18  # bars that are laid out at one time
FRESH: Final[Micros] = MINUTE  # an order book that is older than this says nothing any more
_EXACT: Final = 1e-9
_VOLUME: Final = 1e-6

AUTO, CANDLES, PRINTS, BOOKS = "auto", "candles", "prints", "books"


class Piece(NamedTuple):
    """Some bars in a row. `candle[i]` is the candle that bar i lies in, a row of the fill candles."""

    bars: Bars
    opens: Ints
    next_opens: Ints  # when the bar after each opens
    candle: Ints


class Detail(NamedTuple):
    """For each fill candle where its trades begin and end in `recorded`, and whether they take its place."""

    fills: CandleFrame
    recorded: Recorded
    begin: Ints
    end: Ints
    fine: NDArray[np.bool_]
    books: bool


def detail_of(fills: CandleFrame, recorded: Recorded, wish: str) -> Detail:
    """What of the recording is used. `wish` is auto or books (all there is), prints, or candles (nothing of it)."""
    begin = np.searchsorted(recorded.print_ts, fills.ts)
    end = np.searchsorted(recorded.print_ts, fills.close_ts)
    fine = complete(fills, recorded, begin, end) if wish != CANDLES else np.zeros(len(fills), bool)
    return Detail(fills, recorded, begin, end, fine, wish in (AUTO, BOOKS) and len(recorded.depth_ts) > 0)


def complete(fills: CandleFrame, recorded: Recorded, begin: Ints, end: Ints) -> NDArray[np.bool_]:
    """Which candles their recorded trades make again."""
    found = end > begin
    rows = np.flatnonzero(found)
    if not len(rows):
        return found
    price = recorded.price
    first, last = begin[rows], end[rows] - 1
    edges = np.column_stack((first, end[rows])).ravel()
    padded, sizes = np.append(price, price[-1]), np.append(recorded.qty, 0.0)  # an end may lie behind the last trade
    high, low = np.maximum.reduceat(padded, edges)[::2], np.minimum.reduceat(padded, edges)[::2]
    volume = np.add.reduceat(sizes, edges)[::2]
    same = np.ones(len(rows), bool)
    for made, column in (
        (price[first], fills.open), (high, fills.high), (low, fills.low), (price[last], fills.close),
    ):  # fmt: skip
        same &= np.abs(made - column[rows]) <= _EXACT * column[rows]
    same &= np.abs(volume - fills.volume[rows]) <= _VOLUME * np.maximum(fills.volume[rows], _EXACT)
    found[rows] = same
    return found


def pieces(detail: Detail, first: int = 0) -> Iterator[Piece]:
    """The bars from candle `first` on, in pieces that memory holds one at a time."""
    count = np.where(detail.fine, detail.end - detail.begin, 1)
    upto, n, start = np.cumsum(count), len(count), first
    while start < n:
        before = int(upto[start - 1]) if start else 0
        stop = max(int(np.searchsorted(upto, before + PIECE, side="right")), start + 1)
        yield _piece(detail, count, start, stop)
        start = stop


def _piece(detail: Detail, count: Ints, start: int, stop: int) -> Piece:
    fills, recorded = detail.fills, detail.recorded
    rows, fine = slice(start, stop), detail.fine[start:stop]
    count = count[rows]
    candle = np.repeat(np.arange(start, stop), count)
    single = np.repeat(fine, count)
    ts, close_ts = fills.ts[candle], fills.close_ts
    length = (close_ts - fills.ts)[candle]
    columns = [column[candle] for column in (fills.open, fills.high, fills.low, fills.close, fills.volume)]
    trades = _ranges(detail.begin[rows][fine], count[fine])
    ts[single], length[single] = recorded.print_ts[trades], 0
    for column in columns[:4]:
        column[single] = recorded.price[trades]
    columns[4][single] = recorded.qty[trades]
    last = np.cumsum(count)[fine] - 1
    length[last] = ts[last] - close_ts[candle[last]]
    following = fills.ts[stop] if stop < len(fills) else close_ts[-1]
    if stop < len(fills) and detail.fine[stop]:
        following = recorded.print_ts[detail.begin[stop]]
    at, depth = _books(recorded, ts) if detail.books else (None, None)
    prices = (columns[0], columns[1], columns[2], columns[3])
    bars = bars_of(prices, columns[4], ts, length, at, depth)
    return Piece(bars, ts, np.append(ts[1:], following), candle)


def _ranges(begin: Ints, count: Ints) -> Ints:
    """begin[0], begin[0] + 1, ... of each count, one after the other."""
    offset = np.repeat(begin - (np.cumsum(count) - count), count)
    return offset + np.arange(len(offset))


def _books(recorded: Recorded, opens: Ints) -> tuple[Ints, Floats]:
    """The last book before each bar, -1 where it is older than a minute."""
    at = np.searchsorted(recorded.depth_ts, opens, side="left") - 1
    old = opens - recorded.depth_ts[np.maximum(at, 0)] > FRESH
    at[(at < 0) | old] = -1
    first = int(at[at >= 0].min()) if (at >= 0).any() else 0
    last = int(at.max()) + 1
    at[at >= 0] -= first
    return at.astype(np.int64), recorded.depth[first : max(last, first)]


def shares(detail: Detail) -> tuple[float, float]:
    """Of the time of all fill candles: the part with single trades, and the part that opens with a recorded book."""
    length = (detail.fills.close_ts - detail.fills.ts).astype(np.float64)
    whole = float(length.sum())
    if not whole:
        return 0.0, 0.0
    booked = 0.0
    if detail.books:
        at, _ = _books(detail.recorded, detail.fills.ts)
        booked = float(length[at >= 0].sum()) / whole
    return float(length[detail.fine].sum()) / whole, booked
