"""The bars of a market side by side in memory, for several books that trade in time order: its candles, or single
trades in the place of those that are complete, with the order book that was recorded before each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from onetape.backtest.detail import pieces
from onetape.backtest.used import Used
from onetape.domain.frame import CandleFrame, Floats, Ints


class Laid(NamedTuple):
    """`candle[i]` is the candle that bar i lies in, None where bars are the candles. `length` has one row when all bars
    last as long; `depth_at` is empty where no book was recorded."""

    opens: Ints
    next_opens: Ints
    prices: tuple[Floats, Floats, Floats, Floats]
    volume: Floats
    length: Floats
    candle: Ints | None
    depth_at: Ints
    depth: Floats

    def candles(self, bars: Ints) -> Ints:
        """The candles of some bars."""
        return bars if self.candle is None else self.candle[bars]


def laid_of(fills: CandleFrame, used: Used) -> Laid:
    """All at once: 80 bytes for each single trade, and the books."""
    if used.detail is None:
        prices = (fills.open, fills.high, fills.low, fills.close)
        last = fills.rows(len(fills) - 1, len(fills)).close_ts
        length = np.array([float(fills.timeframe.micros)])
        none = np.empty(0, np.int64), np.empty((0, 0, 4))
        return Laid(fills.ts, np.append(fills.ts[1:], last), prices, fills.volume, length, None, *none)
    parts = list(pieces(used.detail))
    bars = [part.bars for part in parts]
    depth = [one.depth for one in bars if len(one.depth)]
    at, before = [], 0
    for one in bars:
        at.append(np.where(one.depth_at >= 0, one.depth_at + before, -1))
        before += len(one.depth)
    return Laid(
        opens=np.concatenate([part.opens for part in parts]),
        next_opens=np.concatenate([part.next_opens for part in parts]),
        prices=(
            np.concatenate([one.open for one in bars]), np.concatenate([one.high for one in bars]),
            np.concatenate([one.low for one in bars]), np.concatenate([one.close for one in bars]),
        ),
        volume=np.concatenate([one.volume for one in bars]),
        length=np.concatenate([one.length for one in bars]),
        candle=np.concatenate([part.candle for part in parts]),
        depth_at=np.concatenate(at),
        depth=np.concatenate(depth) if depth else np.empty((0, 0, 4)),
    )  # fmt: skip


def share_key(fills: CandleFrame, used: Used) -> tuple[int, ...]:
    """The same for books whose bars are the same memory."""
    seen = used.detail
    more = () if seen is None else (id(seen.recorded.print_ts), id(seen.recorded.depth_ts), int(seen.books))
    return (fills.ts.ctypes.data, fills.close.ctypes.data, len(fills), *more)
