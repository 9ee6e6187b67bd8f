"""Whatever the schedule and the candles: no signal knows a later candle, and none forgets where the data began."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape import Market, Signals
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.strategies.learning import learn
from onetape.strategies.ridge_returns import RidgeReturns

SEEDS = st.integers(0, 2**32 - 1)
MANY = settings(max_examples=60, deadline=None)


def market(seed: int, n: int = 400) -> CandleFrame:
    draw = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01, n)))
    ts = np.cumsum(draw.choice([1, 1, 1, 1, 1, 7], n)) * MINUTE
    columns = {"ts": ts, "open": close, "high": close, "low": close, "close": close, "volume": np.ones(n)}
    return CandleFrame.of("x", "A-B", "1m", columns)


RIDGES = st.builds(
    RidgeReturns, lags=st.integers(1, 4), ahead=st.integers(1, 5), window=st.integers(20, 80), every=st.integers(1, 60)
)


def same(one: Signals, two: Signals, row: int, other: int) -> bool:
    return bool(
        np.array_equal(one.target[row], two.target[other], equal_nan=True)
        and abs(one.confidence[row] - two.confidence[other]) < 1e-9
    )


@MANY
@given(strategy=RIDGES, seed=SEEDS, k=st.integers(50, 399))
def test_signals_of_the_first_candles_are_the_first_signals(strategy: RidgeReturns, seed: int, k: int) -> None:
    frame = market(seed)
    whole, part = learn(strategy, Market(frame)), learn(strategy, Market(frame.rows(0, k)))
    assert all(same(whole.signals, part.signals, row, row) for row in range(k))
    assert part.fits == tuple(fit._replace(end=min(fit.end, k)) for fit in whole.fits if fit.use < k)


@MANY
@given(strategy=RIDGES, seed=SEEDS, row=st.integers(200, 399))
def test_a_window_of_the_history_gives_the_last_signal_of_the_whole(
    strategy: RidgeReturns, seed: int, row: int
) -> None:
    frame = market(seed)
    whole = learn(strategy, Market(frame)).signals
    window = frame.rows(row + 1 - strategy.history(), row + 1)
    assert same(whole, learn(strategy, Market(window)).signals, row, len(window) - 1)


@MANY
@given(strategy=RIDGES, seed=SEEDS)
def test_every_fit_ends_before_its_use_by_the_embargo_and_uses_lie_side_by_side(
    strategy: RidgeReturns, seed: int
) -> None:
    fits = learn(strategy, Market(market(seed))).fits
    refit = strategy.schedule()
    for fit in fits:
        assert fit.use - fit.stop == refit.embargo
        assert refit.first <= fit.stop - fit.start <= refit.window
        assert 0 < fit.end - fit.use <= refit.every
    assert [fit.end for fit in fits[:-1]] == [fit.use for fit in fits[1:]]
    assert not fits or fits[-1].end == 400
