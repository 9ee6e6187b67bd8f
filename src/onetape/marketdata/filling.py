"""Candles that nobody traded, where somebody asks for them: a hole between two stored candles is filled with flat ones
at the close before it, without volume, marked synthetic. What is heard of a venue later replaces them."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.domain.errors import BadInput, NotFound
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Origin
from onetape.domain.units import Micros, Timeframe
from onetape.ports import CandleStore

MOST: Final = 5_000_000  # candles of one wish
_PIECE: Final = 50_000


async def fill(
    store: CandleStore, series: tuple[str, str, Timeframe], start_ts: Micros | None, end_ts: Micros | None
) -> int:
    """Fills the holes inside the stored candles of (exchange, symbol, timeframe) that open in [start_ts, end_ts), and
    gives how many candles were made up. Before the first and after the last stored candle nothing is. Raises NotFound,
    BadInput."""
    exchange, symbol, timeframe = series
    stored = await store.load(exchange, symbol, timeframe, start_ts, end_ts)
    if not len(stored):
        raise NotFound(
            "the series", f"{exchange} {symbol} {timeframe}", "no candles of it are stored there",
            "`onetape data list` shows all.",
        )  # fmt: skip
    made = invented(stored)
    for i in range(0, len(made), _PIECE):
        await store.append(made.rows(i, i + _PIECE))
    return len(made)


def invented(frame: CandleFrame) -> CandleFrame:
    """The flat candles for the holes of `frame`. Raises BadInput when they are unreasonably many."""
    timeframe = frame.timeframe
    opens: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
    rows: list[int] = []
    for start, end in frame.gaps():
        steps = _opens(timeframe, start, end)
        opens.append(steps)
        rows += [int(np.searchsorted(frame.ts, start)) - 1] * len(steps)
        if len(rows) > MOST:
            raise BadInput("the span", len(rows), f"more than {MOST:,} candles to make up", "Name a shorter span.")
    if not rows:
        return frame.rows(0, 0)
    close = frame.close[rows]
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close"), close)
    columns |= {
        "ts": np.concatenate(opens),
        "volume": np.zeros(len(rows)),
        "turnover": np.zeros(len(rows)),
        "origin": np.full(len(rows), Origin.SYNTHETIC, np.uint8),
    }
    return CandleFrame.of(frame.exchange, frame.symbol, timeframe, columns)


def _opens(timeframe: Timeframe, start: Micros, end: Micros) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if timeframe.regular:
        return np.arange(start, end, timeframe.micros, dtype=np.int64)
    found = []
    while start < end:
        found.append(start)
        start = timeframe.next(start)
    return np.array(found, np.int64)
