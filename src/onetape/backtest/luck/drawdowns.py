"""How deep the drawdown could as well have been: the same trades in another order, and blocks of days redrawn."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.backtest.luck.bootstrap import CHUNK, deepest, draws_for
from onetape.domain.frame import Floats
from onetape.domain.luck import Drawdowns

NEARLY: Final = 1e-12  # a redrawn history that is the real one is not deeper by its rounding


def told(found: Floats, actual: float) -> Drawdowns:
    median, p95, p99 = np.quantile(found, (0.5, 0.95, 0.99)).tolist()
    deeper = float((found > actual + NEARLY).mean())
    return Drawdowns(draws=len(found), median=median, p95=p95, p99=p99, actual=actual, deeper=deeper)


def of_equity(returns: Floats) -> float:
    """The drawdown of the returns in their own order."""
    return float(deepest(np.cumsum(np.log1p(returns))[None, :])[0])


def rates_on_equity(profits: Floats, cash: float) -> Floats | None:
    """What each trade made of the equity before it, trades alone; None when they used it up."""
    before = cash + np.concatenate(([0.0], np.cumsum(profits)[:-1]))
    if before.min() <= 0.0 or before[-1] + profits[-1] <= 0.0:
        return None
    rates: Floats = profits / before
    return rates


def of_order(rates: Floats, random: np.random.Generator) -> Drawdowns:
    """Over random orders of the trades: the end is the same in each of them, the way there is not."""
    draws, found, grown = draws_for(len(rates)), [], np.log1p(rates)
    left = draws
    while left > 0:
        count = min(left, max(1, CHUNK // len(grown)))
        shuffled = random.permuted(np.broadcast_to(grown, (count, len(grown))), axis=1)
        found.append(deepest(np.cumsum(shuffled, axis=1)))
        left -= count
    return told(np.concatenate(found), of_equity(rates))
