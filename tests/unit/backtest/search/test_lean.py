"""Trials of which only sums are kept come to the very numbers of a whole run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.backtest.metrics import daily_returns, measure
from onetape.backtest.run import simulate
from onetape.backtest.search import lean
from onetape.backtest.search.lean import Lean
from onetape.backtest.used import used_of
from onetape.core.state import MAX_FILLS
from onetape.core.sweep import PIECE, Room, room_for
from onetape.domain.accounts import Costs, Execution, Exits, RiskLimits, Sizing, Terms
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec
from onetape.domain.signals import Signals
from onetape.domain.units import MINUTE

START = 1_700_000_000_000_000 // MINUTE * MINUTE


def market(seed: int, n: int) -> CandleFrame:
    random = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0.0, 0.01, n))), 2)
    opens = np.concatenate((close[:1], close[:-1]))
    high = np.round(np.maximum(opens, close) * (1.0 + abs(random.normal(0.0, 0.004, n))), 2)
    low = np.round(np.minimum(opens, close) * (1.0 - abs(random.normal(0.0, 0.004, n))), 2)
    columns = {"open": opens, "high": high, "low": low, "close": close, "volume": random.uniform(1.0, 50.0, n)}
    return CandleFrame.of("x", "A-B", "1m", {"ts": START + MINUTE * np.arange(n), **columns})


def said(seed: int, n: int, dense: float) -> Signals:
    random = np.random.default_rng(seed + 1)
    target = np.where(random.random(n) < dense, random.choice([-1.0, 0.0, 0.5, 1.0], n), np.nan)
    stop = np.where(random.random(n) < 0.5, 0.02, np.nan)
    return Signals.holding(target, 1.0, stop=stop)


RULES = st.fixed_dictionaries(
    {
        "costs": st.sampled_from([Costs(), Costs(0.0, 0.0, 0.0), Costs(0.001, 0.001, 0.0002, root_impact=0.1)]),
        "sizing": st.sampled_from([Sizing(), Sizing.parse("qty:1"), Sizing.parse("risk:0.01")]),
        "exits": st.sampled_from([Exits(), Exits(stop=0.02, take=0.04), Exits(stop=0.03, trail=0.02)]),
        "limits": st.sampled_from([RiskLimits(), RiskLimits(allow_short=1.0), RiskLimits(max_drawdown=0.05)]),
        "terms": st.sampled_from([Terms(0.01, 1e-8), Terms(0.01, 0.001, 0.01, 5.0)]),
        "execution": st.sampled_from([Execution(), Execution(latency=90e6), Execution(share=0.1)]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5_000), st.floats(0.001, 0.9), st.floats(0.0, 0.9), RULES)
def test_sums_are_those_of_the_whole_run(
    seed: int, n: int, dense: float, warm: float, rules: dict[str, object]
) -> None:
    frame, signals, first = market(seed, n), said(seed, n, dense), int(warm * (n - 1))
    spec = BacktestSpec(strategy="x", exchange="x", symbol="A-B", timeframe="1m", **rules)  # type: ignore[arg-type]
    tape = simulate(spec, frame, frame, signals, first)
    whole = measure(frame, tape, spec.cash)
    lean = Lean(spec, frame, frame)
    for _ in range(2):  # the arrays of a worker are used again
        figures, days = lean.trade(signals, first)
        assert figures == {name: whole[name] for name in figures}
        assert np.array_equal(days, daily_returns(tape, spec.cash))


@pytest.mark.parametrize("start", [0, 7])
def test_sums_on_shorter_candles_are_those_of_the_whole_run(start: int) -> None:
    fills = market(3, 3_000)
    frame = resample(fills, "15m")
    fills = fills.rows(start, len(fills))
    signals, first = said(3, len(frame), 0.3), 5
    spec = BacktestSpec(strategy="x", exchange="x", symbol="A-B", timeframe="15m")
    tape = simulate(spec, frame, fills, signals, first)
    whole = measure(frame, tape, spec.cash)
    figures, _ = Lean(spec, frame, fills).trade(signals, first)
    assert figures == {name: whole[name] for name in figures}
    assert whole["trades"] > 10


def test_a_wish_that_stands_before_the_first_row_is_heard_there() -> None:
    fills = market(3, 3_000)
    frame = resample(fills, "15m")
    signals, spec = Signals.holding(np.ones(len(frame))), BacktestSpec(strategy="x", exchange="x", timeframe="15m")
    tape = simulate(spec, frame, fills, signals, 5)
    assert len(tape.fills) == 1
    whole = measure(frame, tape, spec.cash)
    figures, _ = Lean(spec, frame, fills).trade(signals, 5)
    assert figures == {name: whole[name] for name in figures}


def small_room(days: int, payments: int) -> Room:
    room = room_for(days, payments)
    return room._replace(fills=room.fills[: 2 * MAX_FILLS])


def test_more_fills_than_there_is_room_for_are_looked_at_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "room_for", small_room)
    frame, signals = market(5, 2_000), said(5, 2_000, 0.9)
    spec = BacktestSpec(strategy="x", exchange="x", symbol="A-B", timeframe="1m")
    tape = simulate(spec, frame, frame, signals, 1)
    assert len(tape.fills) > 100
    whole = measure(frame, tape, spec.cash)
    figures, _ = Lean(spec, frame, frame).trade(signals, 1)
    assert figures == {name: whole[name] for name in figures}


def test_piece_after_piece_with_funding_is_the_whole_run() -> None:
    n = 2 * PIECE + 17
    frame, signals = market(11, n), said(11, n, 0.01)
    every = 8 * 60 * MINUTE
    moments = np.arange(START // every * every, int(frame.ts[-1]), every)
    recorded = Recorded(funding_ts=moments, funding_rate=np.linspace(-0.001, 0.002, len(moments)), funding_every=every)
    spec = BacktestSpec(strategy="x", exchange="x", symbol="A-B-SWAP", timeframe="1m", detail="candles")
    tape = simulate(spec, frame, frame, signals, 3, used_of(spec, frame, recorded))
    assert tape.account.funding != 0.0
    whole = measure(frame, tape, spec.cash)
    figures, days = Lean(spec, frame, frame, recorded).trade(signals, 3)
    assert figures == {name: whole[name] for name in figures}
    assert np.array_equal(days, daily_returns(tape, spec.cash))
