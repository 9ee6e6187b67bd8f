"""The fill model on a few candles: `play` runs a case through the batch loop and through the single steps."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from onetape.core import loop, step
from onetape.core.bars import Bar, bars_of, fixed, funding_of
from onetape.core.state import F_BAR, NOTHING, REASONS, empty_book, fill_buffer, resting
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Rules, Sizing, Terms

NAN = math.nan
FREE = Costs(0.0, 0.0, 0.0)
ONE = Sizing.parse("qty:1")


def rules_with(**parts: Any) -> Rules:
    """Rules without costs, limits, exits and steps, one unit a trade, but for what is given."""
    plain = {"costs": FREE, "sizing": ONE, "limits": RiskLimits(), "exits": Exits(), "terms": Terms()}
    return Rules(**(plain | parts))


@dataclasses.dataclass
class Played:
    account: Account
    fills: np.ndarray
    equity: np.ndarray
    rejected: dict[str, int]
    book: np.ndarray

    @property
    def rows(self) -> list[tuple[int, int, float, float]]:
        """Fills as (bar, role, signed quantity, price)."""
        return [(int(f[0]), int(f[3]), float(f[2] * f[5]), float(f[6])) for f in self.fills]

    @property
    def orders(self) -> list[tuple[int, float, float]]:
        """What still rests, as (role, signed quantity, price)."""
        return [(int(o[2]), float(o[3] * o[4]), float(o[5])) for o in resting(self.book)]


def table(signals: Sequence[Any], n: int) -> np.ndarray:
    """Rows of (target, stop, take, trail, limit); a number is a target alone; a mapping names what differs from NaN."""
    names = ("target", "stop", "take", "trail", "limit")
    rows = np.full((n, 5), NAN)
    for i, said in enumerate(signals):
        given = said if isinstance(said, dict) else {"target": said}
        rows[i] = [given.get(name, NAN) for name in names]
    return rows


def by_loop(bars: np.ndarray, rows: np.ndarray, rules: Rules, account: Account, book: np.ndarray) -> Played:
    equity, fills, rejected = np.empty(len(bars)), fill_buffer(1000), np.zeros(len(REASONS), np.int64)
    columns = tuple(fixed(c) for c in rows.T)
    prices = bars_of(tuple(bars.T))
    known = np.empty(0, np.int64)
    account, i, _, n, _ = loop.run(
        prices, known, columns, account, book, rules, funding_of(), (0, 0, 0, 0), len(bars), equity, fills, rejected
    )
    assert i == len(bars)
    named = {REASONS[k]: int(rejected[k]) for k in np.flatnonzero(rejected)}
    return Played(Account(*account), fills[:n], equity, named, book)


def by_steps(bars: np.ndarray, rows: np.ndarray, rules: Rules, account: Account, book: np.ndarray) -> Played:
    equity, fills, n, rejected = np.empty(len(bars)), fill_buffer(1000), 0, dict[str, int]()
    for i, (candle, row) in enumerate(zip(bars.tolist(), rows.tolist(), strict=True)):
        before = n
        account, n = step.on_candle(account, book, Bar(*candle), rules, fills, n)
        fills[before:n, F_BAR] = i
        equity[i] = account.cash + account.qty * candle[3]
        account, reason = step.on_signal(account, book, tuple(row), candle[3], rules)
        if reason != NOTHING:
            rejected[REASONS[reason]] = rejected.get(REASONS[reason], 0) + 1
    return Played(Account(*account), fills[:n], equity, rejected, book)


def play_both(
    bars: Sequence[tuple[float, float, float, float]],
    signals: Sequence[Any],
    *,
    cash: float = 10_000.0,
    account: Account | None = None,
    book: np.ndarray | None = None,
    **parts: Any,
) -> Played:
    """Bars are (open, high, low, close); signal row i is known when bar i closes. Both ways must agree bit for bit."""
    start = account or Account(cash=cash, peak=cash)
    candles, rows, rules = np.array(bars, float), table(signals, len(bars)), rules_with(**parts)
    first, second = (empty_book() if book is None else book.copy() for _ in range(2))
    batch = by_loop(candles, rows, rules, start, first)
    single = by_steps(candles, rows, rules, start, second)
    np.testing.assert_array_equal(np.array(batch.account), np.array(single.account))
    np.testing.assert_array_equal(batch.fills, single.fills)
    np.testing.assert_array_equal(batch.equity, single.equity)
    np.testing.assert_array_equal(batch.book, single.book)
    assert batch.rejected == single.rejected
    return batch


@pytest.fixture
def play() -> Callable[..., Played]:
    return play_both
