"""Many books in time order: bots side by side under common limits, and one account over several instruments. The steps
are those of every run (core.step), taken for one book after the other as time goes on."""

from __future__ import annotations

import numpy as np

from onetape.core.compiled import kernel, merged
from onetape.core.many import (
    ALL_HALTED,
    CASH,
    COMMON_CASH,
    COMMON_LIMIT,
    HELD,
    HIGHEST,
    MADE,
    SAID,
    TARGET,
    TOLD,
    Aim,
    CommonLimits,
    Going,
    Series,
    account_at,
    candle,
    due,
    earliest,
    halt_all,
    keep,
    passed,
    rules_at,
    together,
)
from onetape.core.state import (
    COUNT,
    ENTRY,
    ID,
    KIND,
    MARKET,
    MAX_FILLS,
    NOTHING,
    PRICE,
    QTY,
    ROLE,
    SLOTS,
    drop_order,
    watch,
)
from onetape.core.step import acts, on_signal
from onetape.core.weights import rebalance_all, sales_first
from onetape.domain.frame import Floats
from onetape.domain.units import Money


@kernel
def run_together(series: Series, limits: CommonLimits, shared: bool, aim: Aim, now: Going, fills: Floats) -> bool:
    """Goes on until all bars are over (True) or `fills` float64[n, FILL_WIDTH] is full (False: call again with a larger
    copy).

    Each book has an account of its own, or (`shared`) all have the same cash. Books follow their signals within the
    common limits, bar by bar and in their order; those of a portfolio are brought to the weights of `aim` before the
    next bar of any of them opens, and what sells at a time comes before what buys, so that the cash is there.
    """
    weighed = aim.weights.shape[1] > 0
    while True:
        ts = earliest(series.ts, now.at, series.end)
        if ts < 0:
            return True
        if now.counts[MADE] + MAX_FILLS * len(now.at) > len(fills):
            return False
        if weighed:
            sales_first(series, now, ts, fills)
        else:
            for k in range(len(now.at)):
                if due(series, now, k, ts) and not passed(series, shared, now, k):
                    candle(series, shared, now, k, fills)
        worth = together(now, shared)
        for k in range(len(now.at)):
            if due(series, now, k, ts):
                if not weighed:
                    decisions(series, limits, shared, now, k, worth)
                now.at[k] += 1
        now.state[HIGHEST] = max(now.state[HIGHEST], worth)
        if now.state[ALL_HALTED] == 0.0 and worth < now.state[HIGHEST] * (1.0 - limits.max_drawdown):
            halt_all(now)
        if weighed:
            rebalance_all(series, aim, now, worth)
        now.whole[now.counts[TOLD], 0], now.whole[now.counts[TOLD], 1] = float(ts), worth
        now.counts[TOLD] += 1


@merged
def decisions(series: Series, limits: CommonLimits, shared: bool, now: Going, k: int, worth: Money) -> None:
    """The signal rows of one book that are known at its bar's close."""
    until = series.rows[k] + series.known[series.own[k] + now.at[k] - series.begin[k]]
    while now.row_at[k] < until:
        if acts(now.accounts[k, SAID], series.target[now.row_at[k]]):
            decision(series, limits, shared, now, k, worth)
        now.row_at[k] += 1


@kernel
def decision(series: Series, limits: CommonLimits, shared: bool, now: Going, k: int, worth: Money) -> None:
    """A signal row that says something new, within the common limits."""
    row, book, rates = now.row_at[k], now.books[k], (np.nan, np.nan, np.nan, np.nan)
    if series.brings[k] >= 0:
        there = series.brings[k] + row - series.rows[k]
        rates = (series.rates[there, 0], series.rates[there, 1], series.rates[there, 2], series.rates[there, 3])
    if shared:
        now.accounts[k, CASH] = now.state[COMMON_CASH]
    before = account_at(now.accounts, k)
    signal = (series.target[row], rates[0], rates[1], rates[2], rates[3])
    account, reason = on_signal(before, book, signal, now.closes[k], rules_at(now.rules, k))
    if reason != NOTHING:
        now.rejected[k, reason] += 1
    keep(now.accounts, k, account)
    if account.next_id > before.next_id and exceeds(now.accounts, now.books, now.closes, worth, limits):
        gone = withdraw_from(book, before.next_id)
        if gone > 0:
            now.rejected[k, COMMON_LIMIT] += gone
            now.accounts[k, TARGET] = before.target if account.qty != 0.0 else 0.0


@kernel
def waiting(book: Floats, close: float) -> Money:
    """The value of the entries that wait."""
    value = 0.0
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == ENTRY:
            value += book[row, QTY] * (book[row, PRICE] if book[row, KIND] != MARKET else close)
    return value


@kernel
def exceeds(accounts: Floats, books: Floats, closes: Floats, equity: Money, limits: CommonLimits) -> bool:
    """Whether what all books hold and wait for is more than they may."""
    value, taken = 0.0, 0.0
    for k in range(len(accounts)):
        entries = waiting(books[k], closes[k])
        held = abs(accounts[k, HELD]) * closes[k] if closes[k] > 0.0 else 0.0
        value += entries + held
        taken += 1.0 if entries + held > 0.0 else 0.0
    return value > limits.max_exposure * max(equity, 0.0) or taken > limits.max_positions


@kernel
def withdraw_from(book: Floats, number: float) -> int:
    """Takes back the entries from a number on; gives how many."""
    gone, row = 0, int(book[SLOTS, COUNT]) - 1
    while row >= 0:
        if book[row, ROLE] == ENTRY and book[row, ID] >= number:
            drop_order(book, row)
            gone += 1
        row -= 1
    watch(book)
    return gone
