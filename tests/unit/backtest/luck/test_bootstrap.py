"""The stationary bootstrap against the library `arch`, which draws the same blocks with other numbers."""

from __future__ import annotations

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length

from onetape.backtest.luck import bootstrap, drawdowns


def autoregressive(n: int, phi: float, seed: int, mean: float = 0.0005) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0.0, 0.01, n)
    out = np.empty(n)
    level = 0.0
    for i in range(n):
        level = phi * level + noise[i]
        out[i] = level
    return out + mean


@pytest.mark.parametrize("n", [40, 250, 700, 3000])
@pytest.mark.parametrize("phi", [-0.4, 0.0, 0.3, 0.8])
def test_the_block_length_is_that_of_arch(n: int, phi: float) -> None:
    returns = autoregressive(n, phi, seed=n)
    expected = max(1.0, float(optimal_block_length(returns)["stationary"].iloc[0]))
    assert bootstrap.block_length(returns) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("block", [1.0, 8.0])
def test_resampled_figures_are_distributed_as_those_of_arch(block: float) -> None:
    returns = autoregressive(400, 0.5, seed=3)

    def figures(x: np.ndarray) -> np.ndarray:
        level = np.cumsum(np.log1p(x))
        fall = -np.expm1((level - np.maximum(np.maximum.accumulate(level), 0.0)).min())
        return np.array([x.mean() / x.std(ddof=1), np.expm1(level[-1]), fall])

    theirs = np.stack([figures(d[0][0]) for d in StationaryBootstrap(block, returns, seed=1).bootstrap(4_000)])
    ours = np.stack(bootstrap.resample(returns, block, 4_000, np.random.default_rng(2)), axis=1)
    for share in (0.05, 0.5, 0.95):
        a, b = np.quantile(theirs, share, axis=0), np.quantile(ours, share, axis=0)
        np.testing.assert_allclose(b, a, atol=0.12 * theirs.std(axis=0).max(), rtol=0.05)
    np.testing.assert_allclose(ours.mean(0), theirs.mean(0), atol=4 * theirs.std(0).max() / np.sqrt(4_000))
    np.testing.assert_allclose(ours.std(0), theirs.std(0), rtol=0.08)


def test_blocks_have_the_mean_length_that_was_asked_for_and_wrap_around() -> None:
    [index] = list(bootstrap.rows(np.random.default_rng(5), 200, 10.0, 500))
    assert index.shape == (500, 200)
    assert index.min() == 0
    assert index.max() == 199
    steps = (np.diff(index, axis=1) - 1) % 200
    assert 1 / (steps != 0).mean() == pytest.approx(10.0, rel=0.03)


def test_long_histories_come_in_pieces_of_the_same_number() -> None:
    parts = list(bootstrap.rows(np.random.default_rng(5), 90_000, 10.0, 12))
    assert [len(part) for part in parts] == [5, 5, 2]


def test_the_drawdown_of_a_history_is_measured_from_its_start_too() -> None:
    # 100 -> 90 -> 99 -> 49.5: from the high of 100 to 49.5
    assert drawdowns.of_equity(np.array([-0.1, 0.1, -0.5])) == pytest.approx(0.505)
    assert drawdowns.of_equity(np.array([0.1, 0.2])) == 0.0


def test_trades_in_another_order_end_where_they_ended() -> None:
    """Profits +10, -20, +30 on 100: rates 10 %, -18.18 %, 33.33 %; in each order the one loss is the deepest fall."""
    rates = drawdowns.rates_on_equity(np.array([10.0, -20.0, 30.0]), 100.0)
    assert rates is not None
    np.testing.assert_allclose(rates, [0.1, -20 / 110, 30 / 90])
    found = drawdowns.of_order(rates, np.random.default_rng(1))
    assert (found.median, found.p99, found.actual, found.deeper) == pytest.approx((20 / 110,) * 3 + (0.0,))


def test_losses_in_a_row_are_deeper_than_losses_apart() -> None:
    rates = np.array([-0.1, 0.2] * 10)
    found = drawdowns.of_order(rates, np.random.default_rng(1))
    assert found.actual == pytest.approx(0.1)
    assert found.median > 0.15
    assert found.deeper > 0.99


def test_trades_that_used_up_the_cash_have_no_rates() -> None:
    assert drawdowns.rates_on_equity(np.array([-60.0, -40.0, 50.0]), 100.0) is None
    assert drawdowns.rates_on_equity(np.array([50.0, -150.0]), 100.0) is None
