"""Whatever the market and the parameters: what is quoted never sells what is not held or spends what is not there, and
the equity is what the fills make it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.backtest.dispatch import run
from onetape.core.state import F_BAR, F_FEE, F_PRICE, F_QTY, F_SIDE, resting
from onetape.domain.accounts import Costs, Terms
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import MINUTE
from onetape.strategies.dca import Dca
from onetape.strategies.grid import Grid
from onetape.strategies.market_maker import MarketMaker
from onetape.strategies.quoting import Quoting

GRIDS = st.builds(
    Grid,
    levels=st.integers(1, 10),
    spacing=st.floats(0.001, 0.05),
    size=st.floats(0.01, 0.1),
    length=st.integers(1, 50),
)
DCAS = st.builds(
    Dca, orders=st.integers(0, 4), step=st.floats(0.001, 0.05), scale=st.floats(0.5, 1.3),
    take=st.floats(0.001, 0.05), stop=st.sampled_from([0.0, 0.03]),
)  # fmt: skip
MAKERS = st.builds(
    MarketMaker, fair=st.integers(1, 9), length=st.integers(1, 30), width=st.floats(0.1, 3.0),
    size=st.floats(0.01, 0.5), most=st.floats(0.5, 1.0), skew=st.floats(0.0, 3.0),
)  # fmt: skip


def market(seed: int, n: int = 250) -> CandleFrame:
    """A jumpy walk, with holes."""
    draw = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, draw.choice([0.001, 0.01, 0.03]), n)))
    opens = np.concatenate(([100.0], close[:-1])) * np.exp(draw.normal(0.0, 0.002, n))
    high = np.maximum(opens, close) * np.exp(np.abs(draw.normal(0.0, 0.003, n)))
    low = np.minimum(opens, close) * np.exp(-np.abs(draw.normal(0.0, 0.003, n)))
    ts = np.cumsum(draw.choice([1, 1, 1, 1, 3], n)) * MINUTE
    columns = {"ts": ts, "open": opens, "high": high, "low": low, "close": close, "volume": np.ones(n)}
    return CandleFrame.of("x", "A-B", "1m", columns)


def ran(strategy: Quoting, seed: int) -> Result:
    terms = [Terms(), Terms(0.01, 0.001, 0.01, 5.0), Terms(0.5, 0.1)][seed % 3]
    spec = BacktestSpec(
        strategy=strategy.name(), exchange="x", symbol="A-B", timeframe="1m", costs=Costs(0.0008, 0.001, 0.0005),
        terms=terms,
    )  # fmt: skip
    return run(spec, market(seed), None, strategy)


@pytest.mark.parametrize("strategies", [GRIDS, DCAS, MAKERS], ids=["grid", "dca", "market_maker"])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_nothing_is_sold_short_or_bought_on_credit_and_equity_folds_from_fills(
    strategies: st.SearchStrategy[Any], data: st.DataObject, seed: int
) -> None:
    result = ran(data.draw(strategies), seed)
    tape, fills = result.tape, result.tape.fills
    signed = fills[:, F_SIDE] * fills[:, F_QTY]
    held = np.cumsum(signed)
    cash = 10_000.0 - np.cumsum(signed * fills[:, F_PRICE] + fills[:, F_FEE])
    assert (held > -1e-9).all()
    assert (cash > -1e-6).all()
    last = np.searchsorted(fills[:, F_BAR], np.arange(len(tape.ts)), side="right")
    held_at, cash_at = np.concatenate(([0.0], held))[last], np.concatenate(([10_000.0], cash))[last]
    np.testing.assert_allclose(tape.equity, cash_at + held_at * tape.candles.close, rtol=1e-9)
    assert len(resting(tape.book)) <= 16
    assert tape.account.qty == pytest.approx(held_at[-1], abs=1e-9)
