"""Closed trades by what they have in common, and how their results are spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from onetape.backtest.metrics import YEAR_DAYS
from onetape.core.stats import T_ENTRY, T_ENTRY_PRICE, T_EXIT, T_OPEN, T_PROFIT, T_QTY
from onetape.domain.frame import Floats, Ints
from onetape.domain.report import Bin, Group, Rolling
from onetape.domain.units import DAY

BINS: Final = 24
MANY: Final = 500  # of so many trades the outermost bins take in what lies beyond
OUTER: Final = 0.01  # this share of them on either side
WINDOWS: Final = ((180, 90), (60, 30))  # with at least so many days: the window of the rolling ratio


def groups(trips: Floats, open_ts: Ints, names: Sequence[str]) -> list[Group]:
    """The closed trips by name, the most profitable first. `names` has one for each trip."""
    closed = np.flatnonzero(trips[:, T_OPEN] == 0.0)
    if not len(closed):
        return []
    there = sorted({names[i] for i in closed.tolist()})
    number = {name: i for i, name in enumerate(there)}
    code = np.array([number[names[i]] for i in closed.tolist()])
    rows = trips[closed]
    profit = rows[:, T_PROFIT]
    times = [open_ts[rows[:, column].astype(np.int64)] for column in (T_EXIT, T_ENTRY)]
    sums = {
        "trades": np.ones(len(rows)),
        "won": profit > 0.0,
        "drawn": profit == 0.0,
        "lost": profit < 0.0,
        "profit": profit,
        "rate": rates(rows),
        "held": (times[0] - times[1]) / 1e6,
    }
    total = {name: np.bincount(code, np.asarray(x, np.float64), len(there)).tolist() for name, x in sums.items()}
    made = [_group(name, {key: column[i] for key, column in total.items()}) for i, name in enumerate(there)]
    return sorted(made, key=lambda group: -group.profit)


def _group(name: str, total: dict[str, Any]) -> Group:
    count = total["trades"]
    return Group(
        name=name,
        trades=int(count),
        won=int(total["won"]),
        drawn=int(total["drawn"]),
        lost=int(total["lost"]),
        profit=total["profit"],
        mean=total["rate"] / count,
        average_duration_s=total["held"] / count,
    )


def distribution(results: Floats) -> list[Bin]:
    """How many trades had which result, in bins of one round width with an edge at 0."""
    if len(results) < 2:
        return []
    outer = OUTER if len(results) >= MANY else 0.0
    low, high = np.quantile(results, (outer, 1.0 - outer)).tolist()
    low, high = min(low, 0.0), max(high, 0.0)
    width = rounded((high - low) / BINS)
    first, last = math.floor(low / width), max(math.ceil(high / width), 1)
    edges = np.arange(first, last + 1) * width
    counts = np.bincount(np.clip(np.floor(results / width).astype(np.int64) - first, 0, last - first - 1),
                         minlength=last - first)  # fmt: skip
    return [Bin(a, b, n) for a, b, n in zip(edges.tolist(), edges[1:].tolist(), counts.tolist(), strict=False)]


def rounded(width: float) -> float:
    """The next larger of 1, 2 and 5 times a power of ten."""
    if width <= 0.0:
        return 0.001
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= width)


def rolling(days: Floats, first_day: int) -> Rolling | None:
    """The Sharpe ratio over the last days, at the end of each; None where the run is too short for it.

    `days` are daily returns, the first one of UTC day `first_day` (days since 1970).
    """
    window = next((size for least, size in WINDOWS if len(days) >= least), 0)
    if not window:
        return None
    seen = np.lib.stride_tricks.sliding_window_view(days, window)
    mean, deviation = seen.mean(1), seen.std(1, ddof=1)
    moved = deviation > 1e-15
    ratio = np.where(moved, mean / np.where(moved, deviation, 1.0) * math.sqrt(YEAR_DAYS), np.nan)
    ends = (first_day + window + np.arange(len(ratio))) * DAY
    told = [None if value != value else round(value, 4) for value in ratio.tolist()]
    return Rolling(window, ends.tolist(), told)


def rates(trips: Floats) -> Floats:
    """The profit of each trip over what was put in."""
    return trips[:, T_PROFIT] / (trips[:, T_QTY] * trips[:, T_ENTRY_PRICE])
