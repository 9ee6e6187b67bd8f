"""What must hold for any two series of daily returns that are compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.backtest.beside import beside, inverse_volatility

NAMES = ["a", "b"]


def series(seed: int, days: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(4, days).clip(-9, 9) * 0.02


@given(seed=st.integers(0, 2**32), days=st.integers(30, 200))
@settings(max_examples=15, deadline=None)
def test_equal_series_are_ahead_of_each_other_half_of_the_time(seed: int, days: int) -> None:
    x = series(seed, days)
    pair = beside(np.column_stack([x, x]), NAMES, seed).pairs[0]
    for found in (pair.cagr, pair.sharpe):
        assert found.real == 0.0
        assert found.turned == 0.5
        assert found.interval.low <= 0.0 <= found.interval.high
        assert found.adjusted == 1.0


@given(seed=st.integers(0, 2**32), days=st.integers(30, 200))
@settings(max_examples=15, deadline=None)
def test_two_compared_the_other_way_round_say_the_opposite(seed: int, days: int) -> None:
    a, b = series(seed, days), series(seed + 1, days)
    one = beside(np.column_stack([a, b]), NAMES, seed).pairs[0]
    other = beside(np.column_stack([b, a]), NAMES[::-1], seed).pairs[0]
    for x, y in ((one.cagr, other.cagr), (one.sharpe, other.sharpe)):
        assert x.real == -y.real
        assert x.turned == pytest.approx(y.turned)
        assert x.adjusted == pytest.approx(y.adjusted)
        assert (x.interval.low, x.interval.high) == pytest.approx((-y.interval.high, -y.interval.low))


@given(seed=st.integers(0, 2**32), days=st.integers(30, 120), count=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_weights_are_shares_of_one(seed: int, days: int, count: int) -> None:
    weights = inverse_volatility(np.column_stack([series(seed + i, days) for i in range(count)]))
    assert (weights >= 0.0).all()
    assert weights.sum(1) == pytest.approx(np.ones(days))
