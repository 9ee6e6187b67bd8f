"""A learning strategy as a run: it trades from its first model on, and its fits are in the manifest."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.backtest.dispatch import run
from onetape.core.state import F_BAR
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec
from onetape.domain.signals import Signals
from onetape.domain.units import MINUTE
from onetape.strategies.learning import joined, learn
from onetape.strategies.market import Market
from onetape.strategies.ridge_returns import RidgeReturns

RIDGE = RidgeReturns(lags=2, ahead=2, window=40, every=30, edge=0.0)
SPEC = BacktestSpec(strategy="ridge_returns", exchange="x", symbol="A-B", timeframe="1m")


def frame_of(n: int) -> CandleFrame:
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.01, n)))
    columns = {"ts": np.arange(n) * MINUTE, "open": close, "high": close, "low": close, "close": close}
    return CandleFrame.of("x", "A-B", "1m", columns | {"volume": np.ones(n)})


def test_fits_and_their_spans_are_in_the_manifest() -> None:
    result = run(SPEC, frame_of(130), None, RIDGE)
    fits = result.manifest["fits"]
    assert fits["count"] == 3
    # turns at minutes 30, 60, 90, 120; the first that has 40 candles and 2 of embargo before it is minute 60
    assert fits["spans"][0] == {
        "candles": 40,
        "fitted_from": "1970-01-01T00:18:00Z",
        "fitted_to": "1970-01-01T00:58:00Z",
        "used_from": "1970-01-01T01:00:00Z",
        "used_to": "1970-01-01T01:30:00Z",
    }
    assert fits["spans"][2]["used_to"] == "1970-01-01T02:10:00Z"


def test_trading_begins_with_the_first_model_and_the_result_has_its_signals() -> None:
    frame = frame_of(130)
    result = run(SPEC, frame, None, RIDGE)
    assert result.tape.fills[:, F_BAR].min() > 60
    assert result.metrics["trading_from_ts"] == 61 * MINUTE
    np.testing.assert_array_equal(result.signals.target, learn(RIDGE, Market(frame)).signals.target)
    again = run(SPEC, frame, None, RIDGE)
    assert again.tape.equity.tobytes() == result.tape.equity.tobytes()
    assert again.manifest == result.manifest


def test_candles_before_the_start_are_learned_from() -> None:
    result = run(BacktestSpec(**{**_fields(SPEC), "start_ts": 100 * MINUTE}), frame_of(130), None, RIDGE)
    assert result.metrics["trading_from_ts"] == 101 * MINUTE
    assert result.metrics["fill_bars"] == 30
    assert result.manifest["fits"]["count"] == 3


def test_too_short_for_one_fit_is_refused_with_the_number_that_is_needed() -> None:
    with pytest.raises(BadInput, match=r"45 1m candles.*too short: ridge_returns is fitted on 40 at least"):
        run(SPEC, frame_of(45), None, RIDGE)


def _fields(spec: BacktestSpec) -> dict[str, object]:
    return {name: getattr(spec, name) for name in spec.__struct_fields__}


def test_names_of_rules_are_kept_from_fit_to_fit() -> None:
    one = Signals.holding([1.0, 0.0], tag=["a", "b"])
    two = Signals.holding([1.0, 0.0, np.nan], tag=["b", "c", ""])
    three = Signals.holding([1.0], tag="d")
    found = joined([one, two, three], silent=2)
    assert [found.tag_of(i) for i in range(8)] == ["", "", "a", "b", "b", "c", "", "d"]
    assert joined([three], silent=1).tag == "d"
