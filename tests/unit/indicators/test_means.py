"""Means: equal to TA-Lib, exact where equality matters, and functions of their window alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape import indicators as ta
from onetape.domain.errors import BadInput


def walk(n: int, seed: int = 1, digits: int = 2) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.round(7000 + np.cumsum(rng.normal(0, 5, n)), digits)


@pytest.mark.parametrize("n", [2, 10, 50, 200])
def test_sma_and_ema_are_talibs(n: int) -> None:
    x = walk(5000)
    np.testing.assert_allclose(ta.sma(x, n), talib.SMA(x, n), rtol=1e-10)
    np.testing.assert_allclose(ta.ema(x, n), talib.EMA(x, n), rtol=1e-12)


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (26, 12, 9), (3, 4, 1), (5, 5, 2), (2, 200, 30)])
def test_macd_is_talibs(fast: int, slow: int, signal: int) -> None:
    x = walk(5000)
    for ours, theirs in zip(ta.macd(x, fast, slow, signal), talib.MACD(x, fast, slow, signal), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("price", [0.1, 0.3, 7654.32, 1e-8, 0.00001234, 1 / 3, 0.1234567891, 1.5e9, 3.3e-12])
def test_flat_market_has_equal_means_for_every_window(price: float) -> None:
    flat = np.full(1500, price)
    for n in (1, 2, 3, 7, 10, 49, 50, 200, 1201):
        assert (ta.sma(flat, n)[n - 1 :] == price).all()
        assert (ta.ema(flat, n)[n - 1 :] == price).all()
        assert (ta.stdev(flat, n)[n - 1 :] == 0.0).all()


def test_flat_market_after_a_fall_ends_in_ties() -> None:
    # 12 and 26 candles: after 1,500 flat ones both averages have arrived at the price itself, and MACD is 0
    x = np.concatenate((walk(300), np.full(1500, 7654.32)))
    assert ta.ema(x, 12)[-1] == ta.ema(x, 26)[-1] == 7654.32
    line, signal, histogram = ta.macd(x)
    assert line[-1] == signal[-1] == histogram[-1] == 0.0


def test_equal_rational_means_of_different_windows_are_equal_floats() -> None:
    # the last 10 values and the last 50 have the mean 0.3 exactly in decimals, by values that are not 0.3
    ten = [0.1, 0.5, 0.2, 0.4, 0.3, 0.3, 0.25, 0.35, 0.15, 0.45]
    x = np.array([0.29, 0.31] * 20 + ten)
    assert ta.sma(x, 10)[-1] == ta.sma(x, 50)[-1] == 0.3


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 10**13), min_size=1, max_size=80), st.integers(1, 40))
def test_mean_of_decimals_is_the_rational_mean_to_half_a_unit(steps: list[int], n: int) -> None:
    x = np.array([k / 1e8 for k in steps])
    got = ta.sma(x, n)
    for i in range(n - 1, len(x)):
        exact = Fraction(sum(steps[i - n + 1 : i + 1]), n * 10**8)
        assert abs(Fraction(float(got[i])) - exact) <= Fraction(float(np.spacing(got[i])))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(-1e6, 1e6) | st.integers(0, 10**6).map(lambda k: k / 100), min_size=3, max_size=700),
    st.integers(1, 30),
)
def test_a_mean_depends_on_its_window_alone_bit_for_bit(values: list[float], n: int) -> None:
    x = np.array(values)
    whole, spread = ta.sma(x, n), ta.stdev(x, n)
    for i in range(n - 1, len(x), 1 + len(x) // 20):
        assert ta.sma(x[i - n + 1 : i + 1], n)[-1] == whole[i]
        assert ta.stdev(x[i - n + 1 : i + 1], n)[-1] == spread[i]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=100), st.integers(1, 20))
def test_mean_off_the_grid_is_near_the_exact_one(values: list[float], n: int) -> None:
    got = ta.sma(values, n)
    for i in range(n - 1, len(values)):
        exact = sum(map(Fraction, values[i - n + 1 : i + 1]), Fraction(0)) / n
        largest = max(abs(v) for v in values[i - n + 1 : i + 1])
        assert abs(Fraction(float(got[i])) - exact) <= Fraction(largest) * Fraction(1, 2**52)


def test_crosses_of_real_prices_are_those_of_whole_numbers() -> None:
    from onetape.archive import sample_frame

    close = sample_frame().close[:20_000]
    cents = np.round(close * 1e8).astype(np.int64)
    sums = {n: np.convolve(cents, np.ones(n, np.int64), "valid") for n in (10, 50)}
    fast, slow = sums[10][40:] * 5, sums[50]  # both times 50: compared without any division
    exact = np.flatnonzero((fast[1:] > slow[1:]) & (fast[:-1] <= slow[:-1])) + 50
    got = np.flatnonzero(ta.crossed_above(ta.sma(close, 10), ta.sma(close, 50)))
    np.testing.assert_array_equal(got, exact)


def test_unknown_values_make_their_windows_unknown_and_no_others() -> None:
    x = walk(40)
    x[:3] = np.nan
    x[20] = np.nan
    got = ta.sma(x, 5)
    known = [i for i in range(40) if i >= 7 and not 20 <= i < 25]
    assert np.flatnonzero(~np.isnan(got)).tolist() == known
    np.testing.assert_array_equal(got[25:], ta.sma(x[21:], 5)[4:])


def test_ema_begins_after_leading_unknowns_and_keeps_later_ones() -> None:
    x = walk(60)
    x[:10] = np.nan
    np.testing.assert_allclose(ta.ema(x, 5)[10:], talib.EMA(x[10:], 5), rtol=1e-12)
    x[30] = np.nan
    assert np.isnan(ta.ema(x, 5)[30:]).all()


def test_window_longer_than_the_data_gives_no_value() -> None:
    for function in (ta.sma, ta.ema, ta.stdev, ta.highest, ta.lowest, ta.rsi, ta.roc):
        assert np.isnan(function(walk(9), 10)).all()
        assert len(function([], 10)) == 0
    assert all(np.isnan(part).all() for part in ta.macd(walk(33)))
    assert [int(np.isnan(part).sum()) for part in ta.macd(walk(34))] == [33, 33, 33]


def test_inputs_are_left_alone_and_may_be_read_only() -> None:
    x = walk(100)
    before = x.copy()
    x.flags.writeable = False
    np.testing.assert_array_equal(ta.sma(x, 7), ta.sma(before, 7))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_impossible_period_is_refused(n: float) -> None:
    with pytest.raises(BadInput, match="whole number of candles"):
        ta.sma(walk(10), n)  # type: ignore[arg-type]


def test_table_instead_of_a_column_is_refused() -> None:
    with pytest.raises(BadInput, match="not one column"):
        ta.sma(np.zeros((3, 3)), 2)


def test_compiled_means_are_the_interpreted_ones() -> None:
    from onetape.core.compiled import interpreted
    from onetape.indicators import trend

    x = walk(3000)
    x[700] = 1 / 3
    for n in (3, 50):
        plain = np.empty(len(x))
        first_bad = interpreted(trend._grid_means)(x, n, 2.0**52, plain)
        interpreted(trend._direct_means)(x, n, 2.0**52, first_bad, plain)
        assert first_bad == 0  # the block that holds row 700
        np.testing.assert_array_equal(ta.sma(x, n), plain)
