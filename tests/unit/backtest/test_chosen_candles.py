"""Which stored candles a backtest runs on."""

from __future__ import annotations

import numpy as np

from onetape.backtest.candles import choose
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec
from onetape.domain.units import DAY, parse_time
from onetape.storage.memory import MemoryCandleStore


async def test_months_are_warmed_up_by_as_many_as_were_asked_for() -> None:
    """A hundred months are 3,044 days and not a hundred times thirty."""
    store, n = MemoryCandleStore(), 20 * 366
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close", "volume"), np.ones(n))
    columns["ts"] = parse_time("2000-01-01") + np.arange(n) * DAY
    await store.append(CandleFrame.of("x", "A-B", "1d", columns))
    spec = BacktestSpec(strategy="sma_cross", symbol="A-B", timeframe="1M", start_ts=parse_time("2012-01-01"))
    chosen = await choose(store, spec, warmup=100)
    assert (chosen.frame.ts < parse_time("2012-01-01")).sum() >= 100
