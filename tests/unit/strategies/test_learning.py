"""Learning strategies: the engine cuts the time. What a fit sees, where its model counts, what is told of a failure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onetape import Learning, Market, Refit, Signals
from onetape.domain.errors import BadInput
from onetape.strategies.contract import evaluate, signalling
from onetape.strategies.learning import Fit, fits_of, learn
from onetape.strategies.registry import Registry

nan = np.nan
REGISTRY = Registry.load(None)


class Number(Learning, frozen=True, tag="number"):
    """Its model is the last close that it saw; it says 1 where a close is above it."""

    first: int = 3
    every: int = 4
    window: int = 0
    embargo: int = 0
    fault: str = ""

    def warmup(self) -> int:
        return 2

    def schedule(self) -> Refit:
        if self.fault == "schedule":
            return (3, 4)  # type: ignore[return-value]
        return Refit(self.first, self.every, self.window, self.embargo)

    def fit(self, past: Market) -> Any:
        if self.fault == "fit":
            raise ArithmeticError("singular")
        return float(past.close[-1])

    def signals(self, market: Market, model: Any) -> Signals:
        if self.fault == "signals":
            return Signals.holding(market.close)
        if self.fault == "rows":
            return Signals.holding(np.zeros(3))
        if self.fault == "line":
            raise KeyError("slope")
        stop = None if model < 15 else 0.02
        return Signals.holding(np.where(market.close > model, 1.0, 0.0), 0.5, stop=stop, tag="number")


def test_fits_come_at_times_that_do_not_depend_on_where_the_data_begin(frames) -> None:
    # turns every 4 minutes: at minutes 4, 8, 12; minute 4 has only 2 candles before it
    frame = frames(list(range(10)), minutes=list(range(2, 12)))
    assert fits_of(frame, Refit(first=3, every=4)) == (Fit(0, 6, 6, 10),)
    assert fits_of(frames(list(range(13))), Refit(3, 4)) == (Fit(0, 4, 4, 8), Fit(0, 8, 8, 12), Fit(0, 12, 12, 13))


def test_a_window_rolls_and_an_embargo_is_kept_from_the_fit(frames) -> None:
    frame = frames(list(range(13)))
    assert fits_of(frame, Refit(first=3, every=4, window=5)) == (Fit(0, 4, 4, 8), Fit(3, 8, 8, 12), Fit(7, 12, 12, 13))
    assert fits_of(frame, Refit(first=3, every=4, window=3, embargo=2)) == (Fit(3, 6, 8, 12), Fit(7, 10, 12, 13))


def test_a_hole_over_a_turn_refits_at_the_first_candle_after_it(frames) -> None:
    frame = frames(list(range(6)), minutes=[0, 1, 2, 9, 10, 11])
    assert fits_of(frame, Refit(first=3, every=4)) == (Fit(0, 3, 3, 6),)


def test_each_stretch_is_answered_by_a_model_of_the_candles_before_it(frames) -> None:
    #          minute 0   1   2   3 |  4   5   6   7 |  8   9
    frame = frames([10, 11, 12, 13, 14, 12, 13, 20, 20, 21])
    found = learn(Number(), Market(frame))
    # the first model is 13 (the close of minute 3), the second 20 (that of minute 7)
    np.testing.assert_array_equal(found.signals.target, [nan] * 4 + [1, 0, 0, 1] + [0, 1])
    np.testing.assert_array_equal(found.signals.confidence, [0.0] * 4 + [0.5] * 6)
    np.testing.assert_array_equal(found.signals.stop, [nan] * 8 + [0.02] * 2)
    assert len(found.signals.take) == 0
    assert found.signals.tag == "number"
    assert [fit.use for fit in found.fits] == [4, 8]
    np.testing.assert_array_equal(evaluate(Number(), Market(frame)).target, found.signals.target)


def test_a_fit_sees_nothing_but_its_cut_and_signals_nothing_after_their_stretch(frames) -> None:
    seen: list[tuple[str, int, int]] = []

    class Watching(Number, frozen=True, tag="watching"):
        def fit(self, past: Market) -> Any:
            seen.append(("fit", int(past.close[0]), int(past.close[-1])))
            return 0.0

        def signals(self, market: Market, model: Any) -> Signals:
            seen.append(("signals", int(market.close[0]), int(market.close[-1])))
            return super().signals(market, model)

    learn(Watching(first=2, window=3, embargo=1), Market(frames(list(range(10)))))
    assert seen == [("fit", 0, 2), ("signals", 3, 7), ("fit", 4, 6), ("signals", 7, 9)]


def test_too_few_candles_for_a_fit_say_nothing(frames) -> None:
    found = learn(Number(first=9), Market(frames([1, 2, 3, 4, 5])))
    assert found.fits == ()
    assert np.isnan(found.signals.target).all()
    assert len(found.signals) == 5


def test_history_is_the_warm_up_and_the_oldest_fit_behind_it() -> None:
    assert Number(first=3, every=4, window=9, embargo=2).history() == 2 + 4 + 2 + 9
    assert Number(first=3, every=4).history() == 2 + 4 + 3


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (Number(fault="schedule"), "schedule of number.*not a Refit"),
        (Number(every=0), "every.*not a whole number of candles from 1 on"),
        (Number(embargo=-1), "embargo.*from 0 on"),
        (Number(first=5, window=4), "first.*more than the window, which is 4"),
        (
            Number(fault="fit"),
            r"fit of number on 4 candles from 1970-01-01T00:00:00Z to 1970-01-01T00:04:00Z.*line \d+ of "
            "test_learning.py: ArithmeticError: singular",
        ),
        (Number(fault="line"), r"signals of number on 5 candles.*line \d+ of test_learning.py: KeyError"),
        (Number(fault="signals"), r"number: signals.target\[0\].*outside"),
        (Number(fault="rows"), "not one row for each of 5 candles"),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence(strategy: Number, words: str, frames) -> None:
    with pytest.raises(BadInput, match=words):
        learn(strategy, Market(frames(list(range(8)))))


def test_no_bot_runs_a_learning_or_a_quoting_strategy() -> None:
    for name, kind in (("ridge_returns", "learning"), ("grid", "quoting")):
        with pytest.raises(BadInput, match=f"{name}.*a {kind} strategy, which no bot can run"):
            signalling(REGISTRY.build(name))


# --- the built-in learners


@pytest.fixture(scope="module")
def swinging(frames):
    """Returns that alternate: +1 %, -1 %, with a little noise: what lags can learn."""
    draw = np.random.default_rng(3)
    steps = np.where(np.arange(1_500) % 2 == 0, 0.01, -0.01) + draw.normal(0.0, 0.001, 1_500)
    return frames((100.0 * np.exp(np.cumsum(steps))).tolist())


def test_ridge_learns_that_a_rise_follows_a_fall(swinging) -> None:
    strategy = REGISTRY.build("ridge_returns", {"lags": 3, "ahead": 1, "window": 400, "every": 100})
    found = learn(strategy, Market(swinging))
    rows = np.arange(found.fits[0].use, 1_499)
    rises = swinging.close[rows + 1] > swinging.close[rows]
    assert np.mean((found.signals.target[rows] == 1.0) == rises) > 0.99
    assert found.signals.confidence[rows].mean() > 0.7


def test_ridge_slopes_are_those_of_the_normal_equations(frames) -> None:
    # one lag, one candle ahead: slope = cov / (var + penalty * var), with the means taken out
    close = [100.0, 103.0, 101.0, 102.0, 106.0, 104.0, 103.0, 107.0]
    strategy = REGISTRY.build("ridge_returns", {"lags": 1, "ahead": 1, "window": 10, "penalty": 0.5})
    line = strategy.fit(Market(frames(close)))  # type: ignore[attr-defined]
    steps = np.diff(np.log(close))
    x, y = steps[:-1], steps[1:]
    assert line.slopes[0] == pytest.approx(np.cov(x, y, ddof=0)[0, 1] / (1.5 * x.var()))
    assert line.level == pytest.approx(y.mean() - line.slopes[0] * x.mean())


@pytest.mark.parametrize(("name", "parameters"), [
    ("ridge_returns", {"lags": 3, "window": 400, "every": 100}),
    ("learned_direction", {"length": 8, "ahead": 2, "window": 400, "every": 200}),
    ("learned_direction", {"length": 8, "ahead": 2, "window": 400, "every": 200, "model": "forest"}),
])  # fmt: skip
def test_learners_say_the_same_twice_and_nothing_before_their_first_fit(name, parameters, swinging) -> None:
    strategy = REGISTRY.build(name, parameters)
    one, two = learn(strategy, Market(swinging)), learn(strategy, Market(swinging))
    assert one.signals.target.tobytes() == two.signals.target.tobytes()
    assert one.signals.confidence.tobytes() == two.signals.confidence.tobytes()
    assert np.isnan(one.signals.target[: one.fits[0].use]).all()
    assert set(one.signals.target[one.fits[0].use :]) <= {0.0, 1.0}


@pytest.mark.parametrize("name", ["ridge_returns", "learned_direction"])
def test_a_flat_market_teaches_nothing(name, frames) -> None:
    found = learn(REGISTRY.build(name), Market(frames([7654.32] * 4_500)))
    assert len(found.fits) > 0
    assert not (found.signals.target == 1.0).any()
    assert (found.signals.confidence == 0.0).all()


def test_classifier_learns_that_the_price_is_higher_after_a_fall(swinging) -> None:
    parameters = {"length": 8, "ahead": 1, "window": 400, "every": 200}
    found = learn(REGISTRY.build("learned_direction", parameters), Market(swinging))
    rows = np.arange(found.fits[0].use, 1_499)
    rises = swinging.close[rows + 1] > swinging.close[rows]
    assert np.mean((found.signals.target[rows] == 1.0) == rises) > 0.99


def test_without_scikit_learn_it_is_said_what_to_install(swinging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.ensemble", None)
    with pytest.raises(BadInput, match=r"needs scikit-learn.*pip install 'onetape\[learn\]'"):
        learn(REGISTRY.build("learned_direction", {"length": 8, "window": 400}), Market(swinging))
