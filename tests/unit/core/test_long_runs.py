"""Runs that are longer than what the loop looks at together: candle by candle they give the same."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onetape.core.loop import AHEAD, STRETCH
from onetape.domain.accounts import Exits, RiskLimits

NAN = math.nan
QUIET = (100.0, 101.0, 99.0, 100.0)


def wander(rows: int, seed: int) -> list[tuple[float, float, float, float]]:
    random = np.random.default_rng(seed)
    ends = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.002, rows)))
    begins = np.concatenate(([100.0], ends[:-1]))
    spread = np.abs(random.normal(0.0, 0.001, (2, rows)))
    highs, lows = np.maximum(begins, ends) * (1.0 + spread[0]), np.minimum(begins, ends) * (1.0 - spread[1])
    return list(zip(begins.tolist(), highs.tolist(), lows.tolist(), ends.tolist(), strict=True))


@pytest.mark.parametrize("exits", [Exits(), Exits(stop=0.02, take=0.04), Exits(trail=0.03)])
@pytest.mark.parametrize("fall", [1.0, 0.2])
def test_a_long_run_is_the_fold_of_its_steps(play, exits, fall):
    rows = 2 * AHEAD + 3 * STRETCH + 1
    random = np.random.default_rng(7)
    wishes = np.where(random.random(rows) < 1 / 60, random.choice([1.0, 0.0, -1.0], rows), NAN).tolist()
    limits = RiskLimits(allow_short=1.0, max_drawdown=fall)
    assert len(play(wander(rows, 3), wishes, exits=exits, limits=limits, cash=300.0).fills) > 10


@pytest.mark.parametrize("row", [0, STRETCH - 1, STRETCH, AHEAD - 1, AHEAD, AHEAD + 1])
def test_a_wish_is_heard_wherever_it_stands(play, row):
    wishes = [NAN] * row + [1.0, 1.0, NAN, 0.0]
    assert [bar for bar, *_ in play([QUIET] * (row + 6), wishes).rows] == [row + 1, row + 4]
