"""Signals over candles of a minute: `run` runs a case through the batch loop and through the single steps."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onetape.core import loop, step
from onetape.core.bars import Bar, bars_of, fixed, funding_of
from onetape.core.state import F_BAR, REASONS, empty_book, fill_buffer, resting
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Rules, Sizing, Terms

NAN = math.nan
MINUTE = 60_000_000
SECOND = 1_000_000


def run(
    bars: list[tuple[float, float, float, float, float]],
    signals: list[Any],
    *,
    cash: float = 10_000.0,
    funding: Any = None,
    depth: Any = None,
    length: int = MINUTE,
    **parts: Any,
) -> tuple[Account, np.ndarray, np.ndarray, dict[str, int]]:
    """Bars are (open, high, low, close, volume), a minute each; both ways must agree bit for bit."""
    plain: dict[str, Any] = {
        "costs": Costs(0.0, 0.0), "sizing": Sizing.parse("qty:1"), "limits": RiskLimits(), "exits": Exits(),
        "terms": Terms(0.01, 0.01),
    }  # fmt: skip
    rules = Rules(**(plain | parts))
    table = np.full((len(bars), 5), NAN)
    for i, said in enumerate(signals):
        given = said if isinstance(said, dict) else {"target": said}
        table[i] = [given.get(name, NAN) for name in ("target", "stop", "take", "trail", "limit")]
    array = np.array(bars, float)
    n, ts = len(bars), np.arange(len(bars)) * (length or 1)
    start = Account(cash=cash, peak=cash)
    equity, fills, rejected, book = np.empty(n), fill_buffer(1000), np.zeros(len(REASONS), np.int64), empty_book()
    books = (np.zeros(n, np.int64), depth) if depth is not None else (None, None)
    columns: Any = tuple(fixed(column) for column in table.T)
    account, _, _, count, _ = loop.run(
        bars_of(tuple(array.T[:4]), array[:, 4], ts, length, *books),  # type: ignore[arg-type]
        np.empty(0, np.int64), columns, start, book, rules, funding or funding_of(), (0, 0, 0, 0), n,
        equity, fills, rejected,
    )  # fmt: skip
    if funding is None and depth is None:
        single, other, rows, m = start, empty_book(), fill_buffer(1000), 0
        for i, bar in enumerate(array.tolist()):
            before = m
            single, m = step.on_candle(single, other, Bar(*bar, float(ts[i]), float(length)), rules, rows, m)
            rows[before:m, F_BAR] = i
            single, _ = step.on_signal(single, other, tuple(table[i]), bar[3], rules)  # type: ignore[arg-type]
        np.testing.assert_array_equal(np.array(account), np.array(single))
        np.testing.assert_array_equal(fills[:count], rows[:m])
        np.testing.assert_array_equal(resting(book), resting(other))
    return Account(*account), fills[:count], book, {REASONS[k]: int(rejected[k]) for k in np.flatnonzero(rejected)}


def flat(price: float, volume: float = 100.0) -> tuple[float, float, float, float, float]:
    return (price, price, price, price, volume)
