"""Probabilistic and deflated Sharpe ratio and minimum track record length, against the examples in the papers.

[1] Bailey and López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012.
[2] Bailey and López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), 2014.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from onetape.backtest.luck import sharpe
from onetape.backtest.luck.sharpe import Moments

MONTHLY, WEEKLY, DAILY = math.sqrt(12), math.sqrt(52), math.sqrt(252)


def test_the_fund_of_the_paper_with_24_months_is_less_sure_than_its_normal_twin() -> None:
    """[1], section "Numerical example": SR 1.59 a year (0.458 a month), skew -2.448, kurtosis 10.164."""
    assert sharpe.probabilistic(Moments(24, 0.458, 0.0, 3.0)) == pytest.approx(0.982, abs=5e-4)
    assert sharpe.probabilistic(Moments(24, 0.458, -2.448, 10.164)) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(("root", "years"), [(DAILY, 2.73), (WEEKLY, 2.83), (MONTHLY, 3.24)])
def test_a_ratio_of_2_above_1_needs_the_years_of_the_paper(root: float, years: float) -> None:
    """[1], section "Minimum track record length": normal returns, 95 %, observed 2 a year against 1 a year."""
    found = sharpe.track_record(Moments(100, 2 / root, 0.0, 3.0), 0.95, 1 / root)
    assert found is not None
    assert found / root**2 == pytest.approx(years, abs=0.005)


def test_fat_left_tails_make_it_4_99_years() -> None:
    """[1], the same place: monthly returns with skew -0.72 and kurtosis 5.78, the average of hedge funds."""
    found = sharpe.track_record(Moments(100, 2 / MONTHLY, -0.72, 5.78), 0.95, 1 / MONTHLY)
    assert found is not None
    assert found / 12 == pytest.approx(4.99, abs=0.005)


PAPER = Moments(1250, 2.5 / math.sqrt(250), -3.0, 10.0)
SPREAD = math.sqrt(0.5 / 250)


def test_a_strategy_found_after_100_trials_is_deflated_as_in_the_paper() -> None:
    """[2], section "A numerical example": 5 years of daily returns, SR 2.5, 100 trials with a variance of 1/2."""
    assert sharpe.lucky(100, SPREAD) == pytest.approx(0.1132, abs=5e-5)
    assert sharpe.deflated(PAPER, 100, SPREAD) == pytest.approx(0.9004, abs=5e-5)


def test_fewer_trials_or_normal_returns_would_have_passed_as_in_the_paper() -> None:
    """[2], the same place: 46 trials give 0.9505; with normal returns 88 trials give as much."""
    assert sharpe.deflated(PAPER, 46, SPREAD) == pytest.approx(0.9505, abs=5e-5)
    assert sharpe.deflated(PAPER._replace(skew=0.0, kurtosis=3.0), 88, SPREAD) == pytest.approx(0.9505, abs=5e-5)


def test_a_single_trial_is_not_deflated() -> None:
    assert sharpe.lucky(1, 0.3) == 0.0
    assert sharpe.deflated(PAPER, 1, SPREAD) == sharpe.probabilistic(PAPER)


def test_moments_are_those_of_scipy() -> None:
    returns = np.random.default_rng(1).standard_t(4, 500) * 0.01 + 0.001
    found = sharpe.moments(returns)
    assert found is not None
    assert found.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1), rel=1e-12)
    assert found.skew == pytest.approx(stats.skew(returns), rel=1e-10)
    assert found.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-10)


@pytest.mark.parametrize("returns", [[], [0.1], [0.0] * 50, [0.01] * 50, [0.1] * 7])
def test_returns_that_do_not_differ_have_no_moments(returns: list[float]) -> None:
    assert sharpe.moments(np.array(returns)) is None


def test_a_ratio_that_is_not_above_the_benchmark_has_no_track_record() -> None:
    assert sharpe.track_record(Moments(100, -0.1, 0.0, 3.0), 0.95) is None
    assert sharpe.track_record(Moments(100, 0.1, 0.0, 3.0), 0.95, 0.1) is None


def test_after_the_track_record_the_probability_is_the_confidence() -> None:
    short = Moments(100, 0.05, -0.5, 6.0)
    needed = sharpe.track_record(short, 0.95)
    assert needed is not None
    sure = sharpe.probabilistic(short._replace(days=math.ceil(needed)))
    assert 0.95 <= sure < 0.951
