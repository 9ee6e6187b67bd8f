"""Stored runs beside each other: their days, their names, and what is said of a thinned curve."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.backtest import stored
from onetape.backtest.beside import days_of
from onetape.backtest.report import kept
from onetape.backtest.run import run
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import DAY
from onetape.strategies.sma_cross import SmaCross

MINUTE = 60_000_000


def a_run(days: int, fast: int = 3, step: int = MINUTE, timeframe: str = "1m", symbol: str = "A-B") -> Result:
    n = days * DAY // step
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.0004, n))), 4)
    columns: dict[str, object] = {
        "ts": np.arange(n) * step, "open": close, "high": close, "low": close, "close": close, "volume": np.ones(n),
    }  # fmt: skip
    frame = CandleFrame.of("t", symbol, timeframe, columns)
    strategy = SmaCross(fast=fast, slow=90)
    spec = BacktestSpec(
        strategy="sma_cross", symbol=symbol, exchange="t", timeframe=timeframe, parameters=strategy.parameters()
    )
    return run(spec, frame, None, strategy)


def test_the_days_of_a_curve_that_is_stored_whole_are_those_of_the_run() -> None:
    result = a_run(10)
    for mine, exact in zip(stored.days_of(kept(result)), days_of(result), strict=True):
        np.testing.assert_array_equal(mine, exact)


def test_a_thinned_curve_ends_its_days_a_little_early_and_one_of_years_says_so() -> None:
    result = a_run(40)
    run = kept(result)
    assert len(run.ts) < len(result.tape.ts)
    days, returns = stored.days_of(run)
    np.testing.assert_array_equal(days, days_of(result)[0])
    np.testing.assert_allclose(returns, days_of(result)[1], atol=0.01)
    assert stored.coarse([run], ["x"]) == []  # a value every twelve minutes
    long = kept(a_run(400))
    assert stored.coarse([long], ["x"]) == [
        "The stored curve of x tells its values every 1.9 hours: its days end so much early."
    ]  # 576,000 minutes in 5,000 stretches: 116 minutes each


def test_runs_are_named_by_what_tells_them_apart() -> None:
    views = [kept(a_run(3, fast)).view for fast in (3, 4)]
    assert stored.names_of(views) == ["sma_cross fast 3", "sma_cross fast 4"]
    assert stored.names_of([views[0], views[0]]) == ["sma_cross (run 1)", "sma_cross (run 2)"]
    other = kept(a_run(3, 3, symbol="C-D")).view
    assert stored.names_of([views[0], other]) == ["sma_cross on A-B 1m", "sma_cross on C-D 1m"]


def test_two_to_six_runs_are_compared_and_none_twice() -> None:
    assert stored.checked([" a ", "b", ""]) == ["a", "b"]
    for ids, problem in ((["a"], "1 run"), (list("abcdefg"), "7 runs"), (["a", "a"], "twice")):
        with pytest.raises(BadInput, match=problem):
            stored.checked(ids)
