"""A market to search in: two thousand hourly candles that wander."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.backtest.candles import Chosen
from onetape.backtest.holdout import Allowed
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec

ROWS = 2_000


def frame_of(rows: int = ROWS, seed: int = 1) -> CandleFrame:
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.006, rows))), 2)
    columns = {"ts": np.arange(rows) * 3_600_000_000, "open": close, "high": close + 1, "low": close - 1}
    return CandleFrame.of("t", "A-B", "1h", columns | {"close": close, "volume": np.ones(rows)})


@pytest.fixture(scope="session")
def frame() -> CandleFrame:
    return frame_of()


@pytest.fixture
def spec() -> BacktestSpec:
    return BacktestSpec(strategy="sma_cross", exchange="t", symbol="A-B", timeframe="1h")


@pytest.fixture
def may(frame: CandleFrame, spec: BacktestSpec) -> Allowed:
    return Allowed(Chosen(frame, frame), spec, None, {})
