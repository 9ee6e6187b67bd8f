"""The deepest fall of a curve, stretch by stretch, is that of a plain walk over it, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.core.stats import deepest


def plain(curve: list[float], start: float) -> tuple[float, int, int]:
    peak, at, worst, high, low, floor = start, -1, 0.0, -1, -1, start
    for i, value in enumerate(curve):
        if value > peak:
            peak, at, floor = value, i, value * (1.0 - worst)
        elif value < floor:
            worst, floor, high, low = 1.0 - value / peak, value, at, i
    return worst, high, low


@pytest.mark.parametrize("drift", [-0.0004, 0.0, 0.0004])
@pytest.mark.parametrize("digits", [1, 9])
def test_it_is_that_of_a_plain_walk(drift, digits):
    random = np.random.default_rng(11)
    curve = np.round(100.0 * np.exp(np.cumsum(random.normal(drift, 0.002, 10_000))), digits)
    assert deepest(curve, 100.0) == plain(curve.tolist(), 100.0)
