"""Candles for strategies: small ones made by hand, and the recorded sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from onetape.domain.frame import CandleFrame

MINUTE = 60_000_000
FOLDER = Path(__file__).resolve().parents[2] / "data" / "strategies"

Frames = Callable[..., CandleFrame]


@pytest.fixture(scope="session")
def frames() -> Frames:
    """Makes a frame of one-minute candles from closes; `minutes` places them."""

    def make(closes: list[float], minutes: list[int] | None = None, timeframe: str = "1m") -> CandleFrame:
        close = np.array(closes, np.float64)
        ts = np.array(range(len(closes)) if minutes is None else minutes, np.int64) * MINUTE
        columns = {"ts": ts, "open": close, "high": close + 1, "low": close - 1, "close": close, "volume": close}
        return CandleFrame.of("okx", "BTC-USDT", timeframe, columns)

    return make


@pytest.fixture(scope="session")
def sample() -> CandleFrame:
    from onetape.archive import sample_frame

    return sample_frame()


@pytest.fixture(scope="session")
def faulty() -> Path:
    """The folder of strategies that are wrong on purpose."""
    return FOLDER
