"""The other indicators: equal to TA-Lib, or to numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from onetape import indicators as ta
from onetape.domain.errors import BadInput

RNG = np.random.default_rng(7)
CLOSE = np.round(7000 + np.cumsum(RNG.normal(0, 5, 4000)), 2)
HIGH = CLOSE + np.round(RNG.uniform(0, 6, 4000), 2)
LOW = CLOSE - np.round(RNG.uniform(0, 6, 4000), 2)


def test_rsi_atr_roc_and_true_range_are_talibs() -> None:
    np.testing.assert_allclose(ta.rsi(CLOSE, 14), talib.RSI(CLOSE, 14), rtol=1e-9)
    np.testing.assert_allclose(ta.atr(HIGH, LOW, CLOSE, 14), talib.ATR(HIGH, LOW, CLOSE, 14), rtol=1e-9)
    np.testing.assert_allclose(ta.true_range(HIGH, LOW, CLOSE), talib.TRANGE(HIGH, LOW, CLOSE), rtol=1e-9)
    np.testing.assert_allclose(ta.roc(CLOSE, 10) * 100, talib.ROC(CLOSE, 10), rtol=1e-9, atol=1e-12)


def test_bollinger_bands_are_talibs() -> None:
    for ours, theirs in zip(ta.bollinger(CLOSE, 20, 2.0), talib.BBANDS(CLOSE, 20, 2.0, 2.0), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_stdev_worked_by_hand() -> None:
    # 1, 2, 3, 4: mean 2.5, squares 2.25 + 0.25 + 0.25 + 2.25 = 5, / 4 = 1.25
    assert ta.stdev([1.0, 2.0, 3.0, 4.0], 4)[-1] == np.sqrt(1.25)


def test_donchian_worked_by_hand() -> None:
    upper, middle, lower = ta.donchian([3, 5, 4, 2, 2], [1, 2, 3, 1, 0], 3)
    np.testing.assert_array_equal(upper, [np.nan, np.nan, 5, 5, 4])
    np.testing.assert_array_equal(lower, [np.nan, np.nan, 1, 1, 0])
    np.testing.assert_array_equal(middle, [np.nan, np.nan, 3, 3, 2])


def test_highest_and_lowest_are_talibs() -> None:
    for n in (2, 20, 300):
        np.testing.assert_array_equal(ta.highest(CLOSE, n), talib.MAX(CLOSE, n))
        np.testing.assert_array_equal(ta.lowest(CLOSE, n), talib.MIN(CLOSE, n))


def test_highest_is_unknown_while_an_unknown_value_is_in_the_window() -> None:
    got = ta.highest([1, np.nan, 3, 2, 1, 0], 2)
    np.testing.assert_array_equal(got, [np.nan, np.nan, np.nan, 3, 2, 1])


def test_crosses_count_a_touch_before_and_need_both_values() -> None:
    a = [1.0, 2.0, 3.0, 2.0, 1.0, np.nan, 3.0, 4.0]
    b = [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    assert np.flatnonzero(ta.crossed_above(a, b)).tolist() == [2]  # 3 > 2 after 2 <= 2; not after an unknown
    assert np.flatnonzero(ta.crossed_below(a, b)).tolist() == [4]
    np.testing.assert_array_equal(ta.crossed_above(a, 2.0), ta.crossed_above(a, b))


def test_previous_shifts_into_the_past_only() -> None:
    np.testing.assert_array_equal(ta.previous([1, 2, 3], 1), [np.nan, 1, 2])
    np.testing.assert_array_equal(ta.previous([1, 2, 3], 5), [np.nan] * 3)
    with pytest.raises(BadInput, match="candles is -1"):
        ta.previous([1, 2, 3], -1)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(BadInput, match="different lengths"):
        ta.atr(HIGH, LOW[1:], CLOSE)


def test_columns_that_are_unknown_throughout_give_nothing() -> None:
    unknown = np.full(50, np.nan)
    assert np.isnan(ta.rsi(unknown)).all()
    assert np.isnan(ta.atr(unknown, unknown, unknown)).all()
