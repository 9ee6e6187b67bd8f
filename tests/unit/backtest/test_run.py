"""One run: what the loop is given."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from onetape.backtest.run import simulate
from onetape.core import loop
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec
from onetape.domain.signals import Signals
from onetape.domain.units import MINUTE


@pytest.mark.parametrize("missing", [(), ("stop",), ("take", "trail"), ("stop", "limit")])
def test_the_loop_is_compiled_once_whatever_columns_a_strategy_gives(
    missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    n = 50
    price = 100.0 + np.arange(n) % 7
    columns = {"ts": np.arange(n) * MINUTE, "open": price, "high": price + 1.0, "low": price - 1.0, "close": price}
    candles = CandleFrame.of("x", "A-B", "1m", {**columns, "volume": np.ones(n)})
    kinds: list[str] = []
    real = loop.run

    def seen(*args: object) -> object:
        kinds.append(str([numba.typeof(part) for part in args]))  # type: ignore[no-untyped-call]
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "run", seen)
    given = {name: np.full(n, np.nan) for name in ("stop", "take", "trail", "limit") if name not in missing}
    spec = BacktestSpec(strategy="any", exchange="x", symbol="A-B", timeframe="1m")
    nothing: dict[str, np.ndarray] = {}
    for more in (nothing, given):
        simulate(spec, candles, candles, Signals.holding(np.ones(n), **more), 0)
    assert len(kinds) == 2
    assert kinds[0] == kinds[1]
