"""A whole backtest against plain integer arithmetic: prices in ticks, means as sums, money in thousandths of a tick.

No float takes part in the expected numbers, so a tie of two means is a tie and every fee is exact.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest

from onetape.backtest.run import run
from onetape.core.state import TAKE_PROFIT
from onetape.core.stats import T_OPEN, T_ROLE
from onetape.domain.accounts import Costs, Exits, Sizing
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import MINUTE
from onetape.strategies.registry import Registry

FAST, SLOW, CASH = 10, 50, 10_000_000
MILLE = 1000  # the fee is one of it


def ticks(n: int = 20_000) -> np.ndarray:
    """Open, high, low, close in ticks of 0.01: a walk around 30,000.00 on a coarse grid, so that means tie."""
    random = np.random.default_rng(11)
    walk = np.cumsum(random.integers(-2, 3, (n, 4)).ravel()).reshape(n, 4)
    walk = 3_000_000 + 2_000 * (walk - np.linspace(0, walk[-1, -1], n).astype(np.int64)[:, None])
    gap = np.where(random.random(n) < 0.2, 2_000 * random.integers(-9, 10, n), 0)
    opens = np.concatenate(([walk[0, 0]], walk[:-1, 3])) + gap
    high = np.maximum(walk.max(axis=1), opens)
    low = np.minimum(walk.min(axis=1), opens)
    return np.stack([opens, high, low, walk[:, 3]], axis=1)


def crosses(close: list[int]) -> list[int]:
    """1 where the fast mean goes above the slow one, -1 where it goes below, 0 elsewhere."""
    total = [0, *accumulate(close)]
    sign, before = [0] * len(close), None
    for i in range(SLOW - 1, len(close)):
        fast, slow = total[i + 1] - total[i + 1 - FAST], total[i + 1] - total[i + 1 - SLOW]
        gap = fast * SLOW - slow * FAST
        if before is not None and (gap > 0) != (before > 0) and gap > 0:
            sign[i] = 1
        if before is not None and (gap < 0) != (before < 0) and gap < 0:
            sign[i] = -1
        before = gap
    return sign


def oracle(bars: np.ndarray, leave_at_cross: bool, stop: int, take: int) -> tuple[int, int, int, int]:
    """Percent of `stop` and `take` (0 = none). Number of closed trades, of takes and of gapped takes; final equity.

    Units of money: 1/100,000 of a tick (a fee is 1/1000, an exit price lies on 1/100 of a tick).
    """
    cash, entry, trades, takes, gapped, due = CASH * 100 * 100 * MILLE, 0, 0, 0, 0, 0
    sign = crosses(bars[:, 3].tolist())
    for i, (opened, high, low, _) in enumerate(bars.tolist()):
        out = 0  # exit price in 1/100 tick
        if due == 1 and not entry:
            entry = opened
            cash -= opened * 100 * (MILLE + 1)
        elif due == -1 and entry:
            out = opened * 100
        if entry and not out and stop and low * 100 <= entry * (100 - stop):
            out = min(opened * 100, entry * (100 - stop))
        elif entry and not out and take and high * 100 > entry * (100 + take):
            out = entry * (100 + take)  # a resting order, never filled better than its own price
            takes += 1
            gapped += opened * 100 > out
        if out:
            cash += out * (MILLE - 1)
            entry, trades = 0, trades + 1
        due = sign[i] if sign[i] == 1 or leave_at_cross else 0
    return trades, takes, gapped, cash + (int(bars[-1, 3]) * 100 * MILLE if entry else 0)


def backtest(bars: np.ndarray, exits: Exits, leave: str) -> Result:
    columns = dict(zip(("open", "high", "low", "close"), (bars / 100.0).T, strict=True))
    columns |= {"ts": MINUTE * np.arange(len(bars)), "volume": np.ones(len(bars))}
    frame = CandleFrame.of("test", "BTC-USD", "1m", columns)
    sizing, costs = Sizing.parse("qty:1"), Costs(0.001, 0.001, 0.0)
    spec = BacktestSpec(strategy="sma_cross", timeframe="1m", cash=float(CASH), costs=costs, sizing=sizing, exits=exits)
    strategy = Registry.load(None).build("sma_cross", {"fast": FAST, "slow": SLOW, "exit": leave})
    return run(spec, frame, None, strategy)


def test_a_cross_with_fees_is_exact_to_the_hundredth_of_a_cent() -> None:
    bars = ticks()
    trades, _, _, equity = oracle(bars, True, 0, 0)
    result = backtest(bars, Exits(), "cross")
    assert trades > 200
    assert int((result.tape.trips[:, T_OPEN] == 0).sum()) == trades
    assert result.tape.equity[-1] == pytest.approx(equity / 1e7, abs=1e-4)


def test_stop_and_take_are_exact_gaps_included() -> None:
    bars = ticks()
    trades, takes, gapped, equity = oracle(bars, False, 2, 4)
    result = backtest(bars, Exits(stop=0.02, take=0.04), "none")
    closed = result.tape.trips[result.tape.trips[:, T_OPEN] == 0]
    assert trades > 50
    assert gapped > 0
    assert len(closed) == trades
    assert int((closed[:, T_ROLE] == TAKE_PROFIT).sum()) == takes
    assert result.tape.equity[-1] == pytest.approx(equity / 1e7, abs=1e-4)


def test_the_market_of_this_test_has_means_that_are_equal() -> None:
    close = ticks()[:, 3].tolist()
    total = [0, *accumulate(close)]
    equal = sum(
        (total[i + 1] - total[i + 1 - FAST]) * SLOW == (total[i + 1] - total[i + 1 - SLOW]) * FAST
        for i in range(SLOW - 1, len(close))
    )
    assert equal > 0
