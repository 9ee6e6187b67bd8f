"""Strategies beside each other, against figures worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onetape.backtest import beside
from onetape.backtest.compare import labels
from onetape.core.state import empty_book, fill_buffer
from onetape.core.stats import T_WIDTH
from onetape.domain.accounts import Account
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import DAY, parse_time

NAMES = ["a", "b"]


def test_only_the_days_that_all_have_are_compared() -> None:
    first = (np.array([1, 2, 3, 5]), np.array([0.1, 0.2, 0.3, 0.5]))
    second = (np.array([2, 3, 4, 5]), np.array([-0.2, -0.3, -0.4, -0.5]))
    assert beside.common([first, second]).tolist() == [[0.2, -0.2], [0.3, -0.3], [0.5, -0.5]]


def test_correlation_by_hand_and_none_with_what_never_moved() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    table = beside.correlation(np.column_stack([x, -2.0 * x, [1.0, 3.0, 2.0, 4.0], np.full(4, 0.1)]))
    assert table[0] == [1.0, pytest.approx(-1.0), pytest.approx(0.8), None]
    assert table[3] == [None] * 4


def test_shares_and_p_of_a_difference_are_counts_of_the_histories_a_tie_counting_half() -> None:
    found = beside.difference(1.0, np.array([2.0, 1.0, 1.0, 0.0, -1.0, 3.0, 1.0, 1.0, 1.0]))
    assert found.ahead == pytest.approx(7.5 / 9)
    assert found.turned == pytest.approx(1.5 / 9)
    assert found.p == pytest.approx(2 * 2.5 / 10)


def test_the_order_of_one_that_is_behind_turns_when_it_gets_ahead() -> None:
    found = beside.difference(-1.0, np.array([-1.0, -2.0, -1.0, 1.0]))
    assert (found.ahead, found.turned) == (0.25, 0.25)


def test_holm_by_hand() -> None:
    assert beside.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert beside.holm([0.9, 0.6]) == [1.0, 1.0]
    assert beside.holm([0.2]) == [0.2]


@pytest.mark.parametrize(
    ("real", "adjusted", "said"),
    [
        (0.3, 0.78, "a beats b in 61 % of the redrawn histories: no difference to speak of"),
        (-0.3, 0.01, "b beats a in 61 % of the redrawn histories: more than chance would easily give"),
    ],
)
def test_a_verdict_names_the_one_that_is_ahead(real: float, adjusted: float, said: str) -> None:
    interval = beside.interval(np.array([0.0, 1.0]))
    found = beside.Difference(real=real, interval=interval, ahead=0.61, turned=0.39, p=adjusted, adjusted=adjusted)
    assert beside.verdict("a", "b", found) == said


def test_an_equal_mix_of_opposites_never_moves() -> None:
    x = np.array([0.02, -0.01, 0.03, -0.02])
    found = beside.mix("equal", np.column_stack([x, -x]), np.full((4, 2), 0.5), NAMES)
    assert found.figures.total_return == pytest.approx(0.0, abs=1e-15)
    assert found.calmer == pytest.approx(1.0)
    assert found.shallower == pytest.approx(1.0)
    assert found.weights == {"a": 0.5, "b": 0.5}


def test_a_mix_is_brought_to_its_weights_every_day() -> None:
    returns = np.array([[0.10, 0.00], [0.10, -0.20]])
    found = beside.mix("equal", returns, np.full((2, 2), 0.5), NAMES)
    assert found.figures.total_return == pytest.approx(1.05 * 0.95 - 1.0)
    assert found.figures.max_drawdown == pytest.approx(0.05)
    assert found.figures.cagr == pytest.approx((1.05 * 0.95) ** (365 / 2) - 1.0)


def test_a_mix_of_one_thing_with_itself_gives_nothing() -> None:
    x = np.array([0.02, -0.01, 0.03, -0.02])
    found = beside.mix("equal", np.column_stack([x, x]), np.full((4, 2), 0.5), NAMES)
    assert (found.calmer, found.shallower) == (pytest.approx(0.0), pytest.approx(0.0))


def test_inverse_volatility_knows_only_the_days_before() -> None:
    swing = np.tile([1.0, -1.0], 40)
    returns = np.column_stack([0.01 * swing, 0.03 * swing, np.zeros(80)])
    weights = beside.inverse_volatility(returns)
    assert weights[29].tolist() == pytest.approx([1 / 3] * 3)
    assert weights[30].tolist() == pytest.approx([0.75, 0.25, 0.0])
    later = returns.copy()
    later[60:] *= 5.0
    assert np.array_equal(beside.inverse_volatility(later)[:61], weights[:61])


def test_a_clear_difference_is_one_after_the_correction_and_the_same_seed_gives_the_same_bits() -> None:
    random = np.random.default_rng(4)
    noise = random.normal(0.0, 0.01, 400)
    returns = np.column_stack([noise + 0.002, noise + random.normal(0.0, 0.001, 400), random.normal(0.0, 0.01, 400)])
    found = beside.beside(returns, ["good", "twin", "other"], 7)
    assert [(pair.first, pair.second) for pair in found.pairs] == [
        ("good", "twin"), ("good", "other"), ("twin", "other"),
    ]  # fmt: skip
    assert found.pairs[0].sharpe.adjusted < 0.01
    assert found.pairs[0].sharpe.interval.low > 0.0
    sharpe = [math.sqrt(365) * column.mean() / column.std(ddof=1) for column in returns.T]
    assert found.pairs[0].sharpe.real == pytest.approx(sharpe[0] - sharpe[1])
    assert found.pairs[2].cagr.adjusted > 0.05
    assert found == beside.beside(returns, ["good", "twin", "other"], 7)


@pytest.mark.parametrize(("shape", "says"), [((29, 2), "29 common days are too few"), ((90, 1), "two are needed")])
def test_what_is_too_little_to_compare_says_so(shape: tuple[int, int], says: str) -> None:
    found = beside.beside(np.zeros(shape), NAMES[: shape[1]], 1)
    assert says in found.notes[0]
    assert (found.pairs, found.mixes, found.correlation) == ([], [], [])


def test_runs_of_one_strategy_are_named_by_the_parameters_that_differ() -> None:
    specs = [
        BacktestSpec(strategy="x", parameters={"fast": 5, "slow": 9}),
        BacktestSpec(strategy="x", parameters={"fast": 7, "slow": 9}),
        BacktestSpec(strategy="y", parameters={"fast": 7}),
    ]
    assert labels(specs) == ["x:fast=5", "x:fast=7", "y"]


def result_of(equity: np.ndarray, seed: int) -> Result:
    level = np.full(len(equity), 100.0)
    columns = {"ts": parse_time("2019-01-01") + np.arange(len(level)) * DAY, "volume": np.ones(len(level))}
    candles = CandleFrame.of("t", "A-B", "1d", columns | dict.fromkeys(("open", "high", "low", "close"), level))
    tape = Tape(candles, equity, fill_buffer()[:0], np.empty((0, T_WIDTH)), Account(cash=1.0), empty_book(), {})
    spec = BacktestSpec(strategy="x", cash=100.0)
    return Result(
        "id", spec, candles, "1d", Signals(np.zeros(len(level)), np.zeros(len(level))), tape, {}, {"seed": seed}
    )


def test_a_run_that_used_up_its_equity_is_left_out_and_told_of() -> None:
    random = np.random.default_rng(9)
    a, b = (100.0 * np.cumprod(1.0 + random.normal(0.0, 0.01, 50)) for _ in range(2))
    ruined = np.linspace(100.0, -1.0, 50)
    found = beside.compare([result_of(a, 1), result_of(ruined, 2), result_of(b, 3)], ["a", "gone", "b"])
    assert found.names == ["a", "b"]
    assert found.notes == ["gone used up its equity: it has no daily returns and is left out here."]
    assert [each.total_return for each in found.each] == pytest.approx([a[-1] / 100.0 - 1.0, b[-1] / 100.0 - 1.0])
