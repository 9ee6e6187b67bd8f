"""Whatever orders a strategy makes up, on whatever market and venue: nothing is sold that is not held, nothing bought
on credit, and the equity is what the fills make it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape import OrderKind, Quote, Quoting, Side, View
from onetape.backtest.dispatch import run
from onetape.core.state import F_BAR, F_FEE, F_PRICE, F_QTY, F_SIDE, resting
from onetape.domain.accounts import Costs, Execution, RiskLimits, Terms
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.results import BacktestSpec
from onetape.domain.units import MINUTE

KINDS = list(OrderKind)
FORCES = ["gtc", "ioc", "fok", "post_only"]


class Anything(Quoting, frozen=True, tag="anything"):
    """Orders drawn by a seed and the time: a pure function of its view."""

    seed: int = 0

    def warmup(self) -> int:
        return 1

    def quotes(self, now: View) -> Sequence[Quote]:
        draw = np.random.default_rng((self.seed, now.ts))
        return [self.quote(draw, now) for _ in range(draw.integers(0, 8))]

    def quote(self, draw: np.random.Generator, now: View) -> Quote:
        kind = KINDS[draw.integers(len(KINDS))]
        side = Side.BUY if draw.random() < 0.5 else Side.SELL
        price = now.close * (1.0 + draw.normal(0.0, 0.01))
        rate = (None, 0.002, 0.01)
        return Quote(
            side,
            float(draw.choice([0.0, 0.01, 5.0, 30.0, 80.0, 500.0])),
            0.0 if kind == OrderKind.MARKET else price,
            kind,
            worst=price * (1.0 + side * 0.002) if kind == OrderKind.STOP_LIMIT else 0.0,
            reduce_only=bool(draw.random() < 0.3),
            force=FORCES[draw.integers(4)] if kind == OrderKind.LIMIT else "gtc",
            life_s=float(draw.choice([0.0, 0.0, 45.0, 200.0])),
            group=int(draw.choice([0, 0, 1, 2])),
            stop=rate[draw.integers(3)],
            take=rate[draw.integers(3)],
            trail=rate[draw.integers(3)],
        )


def market(draw: np.random.Generator, n: int = 200) -> CandleFrame:
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, draw.choice([0.001, 0.01]), n)))
    opens = np.concatenate(([100.0], close[:-1])) * np.exp(draw.normal(0.0, 0.002, n))
    high = np.maximum(opens, close) * np.exp(np.abs(draw.normal(0.0, 0.003, n)))
    low = np.minimum(opens, close) * np.exp(-np.abs(draw.normal(0.0, 0.003, n)))
    ts = np.cumsum(draw.choice([1, 1, 1, 1, 3], n)) * MINUTE
    columns = {"ts": ts, "open": opens, "high": high, "low": low, "close": close}
    return CandleFrame.of("x", "A-B", "1m", columns | {"volume": draw.exponential(40.0, n)})


def ran(seed: int, longer: bool, **limits: Any) -> Any:
    draw = np.random.default_rng(seed)
    spec = BacktestSpec(
        strategy="anything", exchange="x", symbol="A-B", timeframe="5m" if longer else "1m",
        costs=Costs(0.0008, 0.001, 0.0005, share_impact=float(draw.choice([0.0, 0.1]))),
        terms=[Terms(), Terms(0.01, 0.001, 0.01, 5.0), Terms(0.5, 0.1)][draw.integers(3)],
        limits=RiskLimits(**limits),
        execution=Execution(
            latency=float(draw.choice([0.0, 3e5, 9e7])), share=float(draw.choice([0.0, 0.2])),
            stop_limit=float(draw.choice([0.0, 0.002])),
        ),
    )  # fmt: skip
    frame = market(draw)
    return run(spec, resample(frame, spec.timeframe), frame, Anything(seed))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), longer=st.booleans())
def test_nothing_is_sold_short_or_bought_on_credit_and_equity_folds_from_fills(seed: int, longer: bool) -> None:
    tape = ran(seed, longer).tape
    held, cash = folded(tape)
    assert (held > -1e-9).all()
    assert (cash > -1e-6).all()
    assert len(resting(tape.book)) <= 16


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), longer=st.booleans())
def test_with_short_sales_the_account_still_adds_up(seed: int, longer: bool) -> None:
    result = ran(seed, longer, allow_short=1.0)
    tape = result.tape
    held, _ = folded(tape)
    assert tape.account.qty == pytest.approx(held[-1] if len(held) else 0.0, abs=1e-9)
    assert result.metrics["final_equity"] == tape.equity[-1]


def folded(tape: Any) -> tuple[Any, Any]:
    """Position and cash after each fill; proves the equity by them."""
    fills = tape.fills
    signed = fills[:, F_SIDE] * fills[:, F_QTY]
    held = np.cumsum(signed)
    cash = 10_000.0 - np.cumsum(signed * fills[:, F_PRICE] + fills[:, F_FEE])
    last = np.searchsorted(fills[:, F_BAR], np.arange(len(tape.ts)), side="right")
    held_at, cash_at = np.concatenate(([0.0], held))[last], np.concatenate(([10_000.0], cash))[last]
    np.testing.assert_allclose(tape.equity, cash_at + held_at * tape.candles.close, rtol=1e-9, atol=1e-6)
    return held, cash
