"""Crosses of two means found from one shared column are those that the strategy itself says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.backtest.search.crosses import Crosses
from onetape.domain.frame import CandleFrame
from onetape.domain.signals import Signals
from onetape.strategies.market import Market
from onetape.strategies.rsi_reversion import RsiReversion
from onetape.strategies.sma_cross import SmaCross


def market(close: np.ndarray) -> Market:
    columns = {"ts": np.arange(len(close)) * 3_600_000_000, "open": close, "high": close, "low": close, "close": close}
    return Market(CandleFrame.of("t", "A-B", "1h", columns | {"volume": np.ones(len(close))}))


def walked(seed: int, n: int, tick: float, price: float) -> np.ndarray:
    """Prices on a tick that stand still now and then, so that means are equal."""
    random = np.random.default_rng(seed)
    steps = random.integers(-3, 4, n) * (random.random(n) < 0.5)
    return np.round(np.maximum(round(price / tick) + np.cumsum(steps), 1)) * tick


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(60, 3_000),
    st.sampled_from([(1e-8, 0.001), (0.01, 100.0), (0.5, 60_000.0), (10.0, 1e6)]),
    st.integers(1, 20),
    st.integers(1, 30),
    st.sampled_from([("cross", False), ("cross", True), ("none", False)]),
)
def test_crosses_are_those_of_the_strategy(
    seed: int, n: int, prices: tuple[float, float], fast: int, more: int, way: tuple[str, bool]
) -> None:
    tick, price = prices
    shown = market(np.round(walked(seed, n, tick, price), 8))
    strategy = SmaCross(fast=fast, slow=fast + more, exit=way[0], short=way[1])  # type: ignore[arg-type]
    crosses, expected = Crosses(shown.close), strategy.signals(shown).target
    for first in (strategy.warmup() - 1, n // 2 + strategy.warmup()):
        if first >= n:
            continue
        found = crosses.signals(strategy, first)
        assert found is not None
        np.testing.assert_array_equal(found.target[first:], expected[first:])
        assert np.isnan(found.target[:first]).all()


def test_a_coarse_tick_lets_far_apart_lengths_be_compared() -> None:
    shown = market(np.round(walked(3, 4_000, 0.01, 30_000.0), 2))
    strategy = SmaCross(fast=51, slow=250)
    found = Crosses(shown.close).signals(strategy, 250)
    assert found is not None
    np.testing.assert_array_equal(found.target[250:], strategy.signals(shown).target[250:])
    assert (found.target == 1.0).sum() > 5


@pytest.mark.parametrize(
    "closes",
    [walked(1, 500, 0.01, 100.0) / 3.0, np.round(walked(1, 500, 1e-8, 90_000.0), 8), np.full(500, 1e8) + 1e-7],
    ids=["off the grid", "too fine for their size", "too large"],
)
def test_prices_that_whole_numbers_cannot_tell_are_left_to_the_strategy(closes: np.ndarray) -> None:
    assert Crosses(closes).signals(SmaCross(fast=51, slow=250), 250) is None


def test_means_that_are_not_known_at_the_first_row_are_left_to_the_strategy() -> None:
    assert Crosses(walked(1, 500, 0.01, 100.0)).signals(SmaCross(fast=5, slow=20), 19) is None


class Contrary(SmaCross, frozen=True, tag="contrary"):
    def signals(self, market: Market) -> Signals:
        return Signals.holding(-super().signals(market).target)


@pytest.mark.parametrize("strategy", [Contrary(), RsiReversion()])
def test_a_strategy_with_signals_of_its_own_is_asked_itself(strategy: SmaCross) -> None:
    assert Crosses(walked(1, 500, 0.01, 100.0)).signals(strategy, 100) is None
