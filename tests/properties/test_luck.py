"""What must hold of the figures on luck whatever the returns are."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
import scipy.special  # noqa: F401 - loaded before the first example is timed
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.backtest.luck import overfitting, sharpe
from onetape.backtest.luck.block import interval, of_trials
from onetape.backtest.luck.bootstrap import block_length, resample
from onetape.backtest.luck.drawdowns import of_order
from onetape.backtest.luck.sharpe import Moments
from onetape.domain.trials import LedgerView


@st.composite
def some_moments(draw: st.DrawFn) -> Moments:
    """Any that returns can have: the kurtosis is at least 1 + skew^2."""
    skew = draw(st.floats(-5, 5))
    return Moments(draw(st.integers(2, 5_000)), draw(st.floats(-2, 2)), skew, 1 + skew**2 + draw(st.floats(0, 50)))


@given(some_moments(), st.floats(-1, 1), st.floats(0, 1))
def test_a_higher_benchmark_is_never_more_likely_beaten(found: Moments, benchmark: float, more: float) -> None:
    low, high = sharpe.probabilistic(found, benchmark), sharpe.probabilistic(found, benchmark + more)
    assert 0.0 <= high <= low <= 1.0


@given(some_moments(), st.integers(1, 5_000))
def test_a_longer_record_is_more_certain(found: Moments, more: int) -> None:
    short = sharpe.probabilistic(found)
    long = sharpe.probabilistic(found._replace(days=found.days + more))
    assert long >= short - 1e-12 if found.sharpe >= 0 else long <= short + 1e-12


@given(st.floats(-2, 2), st.floats(0, 2), st.floats(-0.4, 0.4))
def test_a_higher_ratio_of_the_same_shape_is_more_likely_true(ratio: float, more: float, skew: float) -> None:
    one = Moments(500, ratio, skew, 3.0)
    assert sharpe.probabilistic(one._replace(sharpe=ratio + more)) >= sharpe.probabilistic(one) - 1e-12


@given(some_moments(), st.floats(1, 1e6), st.floats(0, 5), st.floats(1, 10))
def test_trials_only_ever_deflate(found: Moments, trials: float, spread: float, times: float) -> None:
    deflated = sharpe.deflated(found, trials, spread)
    assert deflated <= sharpe.probabilistic(found)
    assert sharpe.deflated(found, trials * times, spread) <= deflated


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(9, 400), st.floats(1.0, 50.0))
def test_resampled_figures_are_finite_and_drawn_again_the_same(seed: int, n: int, block: float) -> None:
    returns = np.maximum(np.random.default_rng(seed).standard_t(2, n) * 0.02, -0.9)
    assert 1.0 <= block_length(returns) <= 3.0 * np.sqrt(n) + 1.0
    first = resample(returns, block, 30, np.random.default_rng(seed))
    again = resample(returns, block, 30, np.random.default_rng(seed))
    for one, other in zip(first, again, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_array_equal(one, other)
    assert ((first.drawdown >= 0.0) & (first.drawdown < 1.0)).all()
    assert (first.total > -1.0).all()


@settings(max_examples=40)
@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=60), st.integers(0, 2**32 - 1))
def test_no_order_of_the_trades_is_deeper_than_all_losses_in_a_row(rates: list[float], seed: int) -> None:
    found = of_order(np.array(rates), np.random.default_rng(seed))
    worst = 1.0 - np.prod([1.0 + rate for rate in rates if rate < 0.0])
    least = max(0.0, -min(rates))
    assert least - 1e-9 <= found.median <= found.p95 <= found.p99 <= worst + 1e-9
    assert 0.0 <= found.deeper <= 1.0


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12), st.sampled_from([4, 6, 8]))
def test_overfitting_is_a_probability_and_the_order_of_the_trials_does_not_matter(seed: int, n: int, s: int) -> None:
    random = np.random.default_rng(seed)
    days = random.standard_normal((8 * s + 3, n)) + random.normal(0, 0.2, n)
    found = overfitting.cscv(days, s)
    assert 0.0 <= found.probability <= 1.0
    assert overfitting.cscv(days[:, ::-1], s).probability == found.probability


@pytest.mark.parametrize(("phi", "least"), [(0.0, 0.92), (0.3, 0.87)])
def test_the_interval_covers_the_true_ratio_nearly_as_often_as_it_says(phi: float, least: float) -> None:
    """300 samples of 500 days: intervals of 95 % from independent days cover it about as often; from days that hang
    together (autoregressive, 0.3 is far more than markets have) a little less, as every bootstrap of blocks does."""
    random, mean = np.random.default_rng(11), 0.05
    true = mean * np.sqrt(1 - phi**2)  # the noise has a deviation of 1
    covered = 0
    for sample in range(300):
        noise = random.standard_normal(600)
        level = list(accumulate(noise.tolist(), lambda before, new: phi * before + new))
        returns = (np.array(level[100:]) + mean) * 0.01
        found = interval(resample(returns, block_length(returns), 300, np.random.default_rng(sample)).sharpe)
        covered += found.low <= true <= found.high
    assert least <= covered / 300 <= 0.98


def test_deflated_ratios_of_noise_are_as_rare_as_they_say() -> None:
    """Best of 50 without skill, 500 times: a deflated ratio of 95 % comes up about once in 20, not every time."""
    random = np.random.default_rng(12)
    passed = undeflated = 0
    for _ in range(500):
        days = random.standard_normal((250, 50))
        ratios = days.mean(0) / days.std(0, ddof=1)
        found = sharpe.moments(days[:, ratios.argmax()])
        assert found is not None
        passed += sharpe.deflated(found, 50, float(ratios.std(ddof=1))) > 0.95
        undeflated += sharpe.probabilistic(found) > 0.95
    assert passed / 500 < 0.05
    assert undeflated / 500 > 0.85


@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_the_best_of_trials_that_are_alike_is_not_taken_for_skill(correlation: float) -> None:
    """A grid of 60 neighbours without skill, 150 times: no more than one in 20 passes, few as they are worth."""
    random, passed = np.random.default_rng(13), 0
    for _ in range(150):
        common, own = random.standard_normal((400, 1)), random.standard_normal((400, 60))
        days = 0.01 * (np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * own)
        ratios = days.mean(0) / days.std(0, ddof=1) * np.sqrt(365)
        view = LedgerView(60, 60, ratios, tuple((0, column) for column in days.T))
        figures, _ = of_trials(days[:, ratios.argmax()], view)
        assert figures["independent_trials"] == pytest.approx(correlation + (1 - correlation) * 60, rel=0.25)
        passed += figures["deflated_sharpe"] > 0.95
    assert passed / 150 <= 0.05
