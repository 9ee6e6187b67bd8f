"""How many of the trials are independent looks at the data: a grid of neighbours is a few, not a thousand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onetape.domain.frame import Floats

SAMPLE: Final = 200  # trials whose returns are compared
COMMON: Final = 20  # days that two trials must share


def sampled(trials: int) -> range:
    """Which trials of a search to compare, and to keep the returns of: all of a small one, else evenly spread ones."""
    return range(0, trials, max(1, -(-trials // SAMPLE)))


def independent(trials: int, correlation: float | None) -> float:
    """c + (1 - c) * trials with c the mean correlation of the trials' daily returns (Bailey and López de Prado 2014,
    appendix 3); a correlation below 0, or one that is not known, counts as none: all trials are independent."""
    mean = min(max(correlation or 0.0, 0.0), 1.0)
    return mean + (1.0 - mean) * trials


def mean_correlation(series: Sequence[tuple[int, Floats]]) -> float | None:
    """The mean over all pairs that share enough days; None when there is no such pair.

    Each series is (UTC day of the first return, daily returns). A series without movement says nothing.
    """
    moving = [(first, returns) for first, returns in series if len(returns) and returns.std() > 0.0][:SAMPLE]
    if len(moving) < 2:
        return None
    begin, end = min(first for first, _ in moving), max(first + len(returns) for first, returns in moving)
    there, value = np.zeros((len(moving), end - begin)), np.zeros((len(moving), end - begin))
    for row, (first, returns) in enumerate(moving):
        there[row, first - begin : first - begin + len(returns)] = 1.0
        value[row, first - begin : first - begin + len(returns)] = returns - returns.mean()
    shared = there @ there.T
    spread = np.square(value) @ there.T  # of each row on the days it shares with the other
    enough = np.triu((shared >= COMMON) & (spread > 0.0) & (spread.T > 0.0), 1)
    if not enough.any():
        return None
    found = (value @ value.T)[enough] / np.sqrt(spread[enough] * spread.T[enough])
    return float(np.clip(found, -1.0, 1.0).mean())
