"""What the price chart of a report draws beside candles and fills: what the strategy said, and where orders waited."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.backtest.causes import acting, entry_rows, first_acted
from onetape.backtest.trades import bars
from onetape.core.stats import T_ENTRY, T_ENTRY_PRICE, T_EXIT, T_SIDE
from onetape.domain.frame import Floats, Ints
from onetape.domain.report import Level, Said
from onetape.domain.results import Result

MOST: Final = 2_000  # signals, and levels of a kind: the last ones


def said(result: Result) -> Said:
    """The rows that said something new."""
    signals, frame = result.signals, result.candles
    rows = acting(signals.target, first_acted(result)) if len(signals) else np.empty(0, np.int64)
    shown = rows[-MOST:]
    ts = frame.close_ts[shown] if len(shown) else shown
    return Said(
        ts=ts.tolist(),
        price=frame.close[shown].tolist(),
        target=signals.target[shown].tolist(),
        confidence=np.round(signals.confidence[shown], 4).tolist(),
        label=[signals.tag_of(row) for row in shown.tolist()],
        all=len(rows),
    )


def levels(result: Result, rows: Ints | None = None) -> list[Level]:
    """Stops and targets from entry to exit of each trip, limits from the signal to the entry. `rows` are the signal
    rows of the entries. A trailing stop moves: it is not drawn."""
    trips = result.tape.trips[-MOST:]
    rows = (entry_rows(result) if rows is None else rows)[-MOST:]
    if not len(trips) or not len(result.signals):
        return []
    entry, end = (result.tape.ts[bars(trips, column)] for column in (T_ENTRY, T_EXIT))
    price, side = trips[:, T_ENTRY_PRICE], trips[:, T_SIDE]
    exits = result.spec.exits
    stop = price * (1.0 - side * rates(result.signals.stop, rows, exits.stop))
    take = price * (1.0 + side * rates(result.signals.take, rows, exits.take))
    limit = rates(result.signals.limit, rows, np.nan)
    signalled = result.candles.close_ts[np.maximum(rows, 0)]
    found = []
    for kind, start, until, at in (
        ("stop", entry, end, stop), ("take", entry, end, take), ("limit", signalled, entry, limit)
    ):  # fmt: skip
        drawn = np.flatnonzero((at == at) & (until >= start))
        found += [
            Level(kind, a, b, p)
            for a, b, p in zip(start[drawn].tolist(), until[drawn].tolist(), at[drawn].tolist(), strict=True)
        ]
    return found


def rates(column: Floats, rows: Ints, otherwise: float) -> Floats:
    """A column's value in each row; where it says nothing the rate of the whole run."""
    own = column[np.maximum(rows, 0)] if len(column) else np.full(len(rows), np.nan)
    return np.where((rows >= 0) & (own == own), own, otherwise)
