"""Random markets, signals and rules; and the batch loop and the single steps over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from onetape.core import loop, step
from onetape.core.bars import Bar, bars_of, fixed, funding_of
from onetape.core.state import F_BAR, MAX_FILLS, REASONS, empty_book, fill_buffer
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Rules, Sizing, Terms


class Case(NamedTuple):
    bars: np.ndarray  # open, high, low, close
    known: np.ndarray  # signal rows known after each fill candle; empty: one each
    rows: np.ndarray  # target, stop, take, trail, limit
    rules: Rules


class Ran(NamedTuple):
    account: Account
    equity: np.ndarray
    fills: np.ndarray
    rejected: np.ndarray
    book: np.ndarray


def market(random: np.random.Generator, n: int) -> np.ndarray:
    """Prices on a tick of 0.01 that move, gap and now and then stand still."""
    move = random.standard_normal((n, 4)) * random.choice([0.002, 0.01, 0.04])
    move[random.random(n) < 0.1] = 0.0
    close = 100.0 * np.exp(np.cumsum(move[:, 0]))
    opens = np.concatenate(([100.0], close[:-1])) * np.exp(move[:, 1] * 0.3)
    high = np.maximum(opens, close) * np.exp(np.abs(move[:, 2]))
    low = np.minimum(opens, close) * np.exp(-np.abs(move[:, 3]))
    bars = np.round(np.stack([opens, high, low, close], axis=1), 2)
    bars[:, 1] = bars.max(axis=1)
    bars[:, 2] = bars.min(axis=1)
    return np.maximum(bars, 0.01)


def sometimes(random: np.random.Generator, n: int, share: float, low: float, high: float) -> np.ndarray:
    return np.where(random.random(n) < share, random.uniform(low, high, n), np.nan)


def rules_from(random: np.random.Generator) -> Rules:
    sizing = str(random.choice(["fraction:0.95", "fraction:1", "quote:2000", "qty:3", "risk:0.01"]))
    rate = [float(x) for x in sometimes(random, 3, 0.4, 0.005, 0.1)]
    terms = random.choice(4)
    return Rules(
        Costs(float(random.uniform(-0.0002, 0.002)), float(random.uniform(0, 0.003)), float(random.choice([0, 0.001]))),
        Sizing.parse(sizing),
        RiskLimits(
            max_exposure=float(random.choice([0.5, 1.0])),
            max_drawdown=float(random.choice([0.2, 1.0])),
            allow_short=float(random.random() < 0.5),
        ),
        Exits(*rate),
        (Terms(), Terms(0.01, 0.001), Terms(0.01, 0.1, 0.2, 20.0), Terms(0.5, 0.01))[terms],
    )


def make(seed: int, n: int = 300, ratio: int = 1) -> Case:
    """A case from a seed; with `ratio` > 1 there are so many fill candles to a signal row, some of them missing."""
    random = np.random.default_rng(seed)
    bars = market(random, n)
    if ratio > 1:
        slots = np.flatnonzero(random.random(n * 2) < 0.8)[:n]  # the grid places that have a candle
        after = np.append(slots[1:], slots[-1] + 1)
        known = after[: len(bars)] // ratio
        rows = int(known[-1])
        bars = bars[: len(known)]
        close = bars[np.minimum(np.searchsorted(known, np.arange(rows), side="right"), len(bars) - 1), 3]
    else:
        known, rows, close = np.empty(0, np.int64), n, bars[:, 3]
    target = random.choice([1.0, 0.5, 0.0, -1.0, np.nan], rows, p=[0.15, 0.05, 0.15, 0.1, 0.55])
    stop, take, trail = (sometimes(random, rows, share, 0.003, 0.1) for share in (0.3, 0.3, 0.2))
    limit = close * sometimes(random, rows, 0.2, 0.97, 1.03)
    return Case(bars, known, np.stack([target, stop, take, trail, limit], axis=1), rules_from(random))


def start() -> Account:
    return Account(cash=10_000.0, peak=10_000.0)


def by_loop(case: Case, room: int = 20_000) -> Ran:
    """With little `room` for fills the loop stops and goes on, as it does in a long run."""
    equity, fills, rejected = np.empty(len(case.bars)), fill_buffer(room), np.zeros(len(REASONS), np.int64)
    columns: Any = tuple(fixed(column) for column in case.rows.T)
    prices: Any = bars_of(tuple(case.bars.T))
    account, book, at, n = start(), empty_book(), (0, 0, 0, 0), len(case.bars)
    while True:
        account, *where = loop.run(
            prices, case.known, columns, account, book, case.rules, funding_of(), at, n, equity, fills, rejected
        )
        at = (where[0], where[1], where[2], where[3])
        if at[0] == len(case.bars):
            return Ran(Account(*account), equity, fills[: at[2]], rejected, book)
        fills = np.concatenate((fills, fill_buffer(MAX_FILLS)))


def by_steps(case: Case) -> Ran:
    equity, fills, rejected = np.empty(len(case.bars)), fill_buffer(20_000), np.zeros(len(REASONS), np.int64)
    account, book, n, s = start(), empty_book(), 0, 0
    rows = [tuple(row) for row in case.rows.tolist()]
    for i, candle in enumerate(case.bars.tolist()):
        before = n
        account, n = step.on_candle(account, book, Bar(*candle), case.rules, fills, n)
        fills[before:n, F_BAR] = i
        equity[i] = account.cash + account.qty * candle[3]
        until = int(case.known[i]) if len(case.known) else i + 1
        while s < until:
            account, reason = step.on_signal(account, book, rows[s], candle[3], case.rules)
            rejected[reason] += reason != 0
            s += 1
    return Ran(Account(*account), equity, fills[:n], rejected, book)


class Tools(NamedTuple):
    make: Any = make
    by_loop: Any = by_loop
    by_steps: Any = by_steps


@pytest.fixture(scope="session")
def tapes() -> Tools:
    return Tools()
