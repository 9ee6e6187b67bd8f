"""Which signal row a trade goes back to. Worked out after the run, so that the loop carries no text."""

from __future__ import annotations

import numpy as np

from onetape.backtest.trades import bars
from onetape.core.stats import T_ENTRY, T_SIDE
from onetape.domain.frame import Floats, Ints
from onetape.domain.results import Result
from onetape.domain.signals import Signals


def first_acted(result: Result) -> int:
    """The first signal row that the run could act on."""
    since = result.metrics.get("trading_from_ts", result.metrics["start_ts"])
    return int(np.searchsorted(result.candles.close_ts, since))


def acting(target: Floats, first: int) -> Ints:
    """The rows from `first` on that say something new: a target that the row before did not have."""
    seen = target[first:]
    before = np.concatenate(([np.nan], seen[:-1]))
    return first + np.flatnonzero((seen == seen) & (seen != before))


def entry_rows(result: Result) -> Ints:
    """int64[trips]: the signal row that each trip began by, -1 where there is none.

    It is the last row that was known when the entry's candle opened and that said something new on its side: a limit
    that waits, or an order that is on its way, fills later and is caused by the same row.
    """
    trips, target = result.tape.trips, result.signals.target
    found = np.full(len(trips), -1, np.int64)
    if not len(target) or not len(trips):
        return found
    rows = acting(target, first_acted(result))
    opened = result.tape.ts[bars(trips, T_ENTRY)]
    for side in (1.0, -1.0):
        mine = rows[target[rows] * side > 0.0]
        trip = trips[:, T_SIDE] == side
        known = np.searchsorted(result.candles.close_ts[mine], opened[trip], side="right") - 1
        found[trip] = np.where(known >= 0, mine[np.maximum(known, 0)], -1) if len(mine) else -1
    return found


def tags_of(signals: Signals, rows: Ints) -> list[str]:
    """The tags of signal rows, "" where the strategy gave none and for row -1."""
    if not len(signals.label):
        return [signals.tag if row >= 0 else "" for row in rows.tolist()]
    names = (*signals.labels, signals.tag)
    codes = np.where(rows >= 0, signals.label[np.maximum(rows, 0)], -1)
    return [names[code] for code in codes.tolist()]
