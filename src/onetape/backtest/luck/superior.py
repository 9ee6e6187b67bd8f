"""Hansen's test for superior predictive ability (2005), by the library `arch`: is the best of many really better?"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from onetape.domain.frame import Floats

DRAWS: Final = 1_000


class Superior(NamedTuple):
    """p-values: the share of histories in which the best of trials without merit looks as good as ours. The truth is
    between `lower` and `upper`; `consistent` is the one to read."""

    lower: float
    consistent: float
    upper: float


def superior(returns: Floats, benchmark: Floats, block: float, seed: int, draws: int = DRAWS) -> Superior:
    """Of daily returns float64[days, trials] against those of the benchmark, float64[days] (zeros: holding cash)."""
    from arch.bootstrap import SPA

    moving = returns[:, returns.std(0) > 0.0]
    test = SPA(-benchmark, -moving, block_size=max(1, round(block)), reps=draws, bootstrap="stationary", seed=seed)
    test.compute()
    found = test.pvalues
    return Superior(*(float(np.clip(found[name], 0.0, 1.0)) for name in ("lower", "consistent", "upper")))
