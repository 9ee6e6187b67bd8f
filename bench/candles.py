"""A million one-minute candles that look like a market, the same everywhere; or somebody's Parquet file.

BENCH_DATA names a Parquet file with the columns ts (milliseconds), open, high, low, close, volume.
"""

from __future__ import annotations

import os

import numpy as np

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE

ROWS = 1_000_000
STEPS = 8  # of the walk inside each candle
START = 1_640_995_200_000_000  # 2022-01-01


def frame() -> CandleFrame:
    return of_file(os.environ["BENCH_DATA"]) if os.environ.get("BENCH_DATA") else synthetic()


def synthetic(rows: int = ROWS, seed: int = 1) -> CandleFrame:
    """Prices on a tick of 0.01 with slowly changing volatility, small gaps, and a path that ends where it began."""
    random = np.random.Generator(np.random.PCG64(seed))
    coarse = np.cumsum(random.standard_normal(rows // 1_000 + 2)) * 0.05
    calm = np.interp(np.arange(rows), np.arange(len(coarse)) * 1_000, coarse - coarse.mean())
    spread = 0.0008 * np.exp(np.clip(calm, -1.0, 1.0))
    inside = random.standard_normal((rows, STEPS)) * (spread / np.sqrt(STEPS))[:, None]
    gaps = random.standard_normal(rows) * spread * 0.05
    walk = np.cumsum(inside, axis=1)
    ends = np.cumsum(gaps + walk[:, -1])
    starts = np.concatenate(([0.0], ends[:-1])) - ends[-1] / rows * np.arange(rows) + gaps
    path = 30_000.0 * np.exp(starts[:, None] + walk)
    opens = 30_000.0 * np.exp(starts)
    columns = {
        "ts": START + MINUTE * np.arange(rows, dtype=np.int64),
        "open": np.round(opens, 2),
        "high": np.round(np.maximum(path.max(axis=1), opens), 2),
        "low": np.round(np.minimum(path.min(axis=1), opens), 2),
        "close": np.round(path[:, -1], 2),
        "volume": np.round(np.exp(random.standard_normal(rows)), 4),
    }
    return CandleFrame.of("bench", "BTC-USDT", "1m", columns)


def of_file(path: str) -> CandleFrame:
    import polars as pl

    table = pl.read_parquet(path)
    columns: dict[str, object] = {name: table[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}
    return CandleFrame.of("bench", "BTC-USDT", "1m", columns | {"ts": table["ts"].to_numpy() * 1_000})
