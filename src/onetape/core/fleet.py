"""Many books in time order: bots side by side under common limits, and one account over several instruments.

The steps are those of every run (core.step), taken for one book after the other as time goes on. What a book needs
lies in rows of numbers: accounts float64[k, ACCOUNT], rules float64[k, RULES], books float64[k, ...]. Candles stand in
common columns, those of book j in rows `begin[j]` to `end[j]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from onetape.core.bars import Bar
from onetape.core.compiled import inlined, kernel
from onetape.core.portfolio import charged
from onetape.core.sizing import smallest
from onetape.core.snap import below, nearest
from onetape.core.state import (
    ACTIVE,
    COUNT,
    ENTRY,
    EXIT,
    F_BAR,
    F_WIDTH,
    HALTED,
    ID,
    KIND,
    MARKET,
    MAX_FILLS,
    NO_SHORT,
    NOTHING,
    PRICE,
    QTY,
    REASONS,
    ROLE,
    SIDE,
    SLOTS,
    add_order,
    arrival,
    drop_order,
    drop_role,
    make_room,
    watch,
)
from onetape.core.step import halt, on_candle, on_signal
from onetape.domain.accounts import Account, Costs, Execution, Exits, RiskLimits, Rules, Sizing, Terms
from onetape.domain.frame import Floats, Ints
from onetape.domain.units import Money

ACCOUNT: Final = len(Account._fields)
RULES: Final = sum(len(part._fields) for part in (Costs, Sizing, RiskLimits, Exits, Terms, Execution))
F_BOOK: Final = F_WIDTH  # a further column of a fill row: which book made it
FILL_WIDTH: Final = F_WIDTH + 1
COMMON_LIMIT: Final = len(REASONS)  # a reason of its own, behind those of one book


class CommonLimits(NamedTuple):
    """What all books together must not do; infinite (1 for the drawdown) = no limit."""

    max_exposure: float = float("inf")  # value of all positions and waiting entries over the equity of all
    max_positions: float = float("inf")  # books that hold something or wait to
    max_drawdown: float = 1.0  # of the equity of all from its highest: then everything is closed and halted


class Series(NamedTuple):
    """Fill candles of all books, and the signal rows that act on them. `volume` may be empty: nothing depends on it.

    `known[i]` counts the book's own signal rows that are known when its candle i + 1 opens; `funding` is the rate that
    is due at the open of candle i (0 = none), or empty.
    """

    begin: Ints  # int64[k]: the first candle of book j, and the one behind its last; books may share candles
    end: Ints
    own: Ints  # int64[k]: where the rows of book j begin in `known`, `funding` and the curve, one for each candle
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    length: Floats  # float64[k], micros
    funding: Floats
    rows: Ints  # int64[k + 1]: signal rows of book j are rows[j] to rows[j + 1] of `signals`
    known: Ints
    signals: Floats  # float64[m, 5]: target, stop, take, trail, limit


def account_rows(accounts: Sequence[Account]) -> Floats:
    return np.array([tuple(account) for account in accounts], np.float64)


def rule_rows(rules: Sequence[Rules]) -> Floats:
    """One flat row for each; `rules_at` reads it."""
    return np.array([[value for part in one for value in part] for one in rules], np.float64)


@inlined
def account_at(accounts: Floats, k: int) -> Account:
    a = accounts[k]
    return Account(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13])


@inlined
def keep(accounts: Floats, k: int, account: Account) -> None:
    for column in range(ACCOUNT):
        accounts[k, column] = account[column]


@inlined
def rules_at(rules: Floats, k: int) -> Rules:
    r = rules[k]
    return Rules(
        Costs(r[0], r[1], r[2], r[3], r[4], r[5]),
        Sizing(r[6], r[7]),
        RiskLimits(r[8], r[9], r[10], r[11], r[12]),
        Exits(r[13], r[14], r[15]),
        Terms(r[16], r[17], r[18], r[19], r[20], r[21]),
        Execution(r[22], r[23], r[24], r[25], r[26], r[27]),
    )


@inlined
def bar_of(series: Series, k: int, i: int) -> Bar:
    return Bar(
        series.open[i], series.high[i], series.low[i], series.close[i],
        series.volume[i] if len(series.volume) else np.inf, float(series.ts[i]), series.length[k],
    )  # fmt: skip


@kernel
def earliest(ts: Ints, at: Ints, end: Ints) -> int:
    """The open time of the candle that is next in any book, or -1 when all are at their end."""
    found = -1
    for k in range(len(at)):
        if at[k] < end[k] and (found < 0 or ts[at[k]] < found):
            found = ts[at[k]]
    return found


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
        held = abs(accounts[k, 1]) * closes[k] if closes[k] > 0.0 else 0.0
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


@kernel
def run_fleet(
    series: Series,
    accounts: Floats,
    rules: Floats,
    books: Floats,
    limits: CommonLimits,
    shared: bool,
    state: Floats,
    at: Ints,
    row_at: Ints,
    counts: Ints,
    closes: Floats,
    equity: Floats,
    whole: Floats,
    fills: Floats,
    rejected: Ints,
) -> bool:
    """Goes on until all candles are over (True) or `fills` is full (False: call again with a larger copy).

    Each book has an account of its own, or (`shared`) all have the same cash. `state`: cash of the shared account, the
    highest equity of all so far, 1 when all are halted. `at` and `row_at` say where each book goes on, `counts`: fills
    written, rows of `whole` written. `equity[own[j] + i]` is book j's equity at its candle i (of a shared account: its
    position and the cash of all); `whole[g]` = (open time, equity of all) after each time at which a candle closed.
    `rejected` int64[k, len(REASONS) + 1] counts what was not sent, its last column what the common limits took back.
    """
    while True:
        ts = earliest(series.ts, at, series.end)
        if ts < 0:
            return True
        if counts[0] + MAX_FILLS * len(at) > len(fills):
            return False
        for k in range(len(at)):
            if at[k] < series.end[k] and series.ts[at[k]] == ts:
                candle(series, accounts, rules, books, shared, state, at, counts, closes, k, equity, fills)
        worth = together(accounts, closes, shared, state)
        for k in range(len(at)):
            if at[k] < series.end[k] and series.ts[at[k]] == ts:
                decisions(series, accounts, rules, books, limits, shared, state, at, row_at, closes, k, worth, rejected)
                at[k] += 1
        state[1] = max(state[1], worth)
        if state[2] == 0.0 and worth < state[1] * (1.0 - limits.max_drawdown):
            state[2] = 1.0
            for k in range(len(at)):
                keep(accounts, k, halt(account_at(accounts, k), books[k], HALTED, rules_at(rules, k).execution.latency))
        whole[counts[1], 0], whole[counts[1], 1] = float(ts), worth
        counts[1] += 1


@kernel
def together(accounts: Floats, closes: Floats, shared: bool, state: Floats) -> Money:
    """The equity of all books at their last closes."""
    worth = state[0] if shared else 0.0
    for k in range(len(accounts)):
        worth += accounts[k, 1] * closes[k] if accounts[k, 1] != 0.0 else 0.0
        if not shared:
            worth += accounts[k, 0]
    return worth


@kernel
def candle(
    series: Series, accounts: Floats, rules: Floats, books: Floats, shared: bool, state: Floats, at: Ints, counts: Ints,
    closes: Floats, k: int, equity: Floats, fills: Floats,
) -> None:  # fmt: skip
    """The next candle of one book: funding, fills, and its equity at the close."""
    i, n = at[k], counts[0]
    mine_at = series.own[k] + i - series.begin[k]
    if shared:
        accounts[k, 0] = state[0]
    account, mine = account_at(accounts, k), rules_at(rules, k)
    if len(series.funding) > 0 and series.funding[mine_at] != 0.0 and account.qty != 0.0:
        account = charged(account, account.qty * series.open[i] * series.funding[mine_at], 0.0)
    account, n = on_candle(account, books[k], bar_of(series, k, i), mine, fills, n)
    for row in range(counts[0], n):
        fills[row, F_BAR], fills[row, F_BOOK] = float(i - series.begin[k]), float(k)
    counts[0] = n
    closes[k] = series.close[i]
    equity[mine_at] = account.cash + account.qty * series.close[i]
    keep(accounts, k, account)
    if shared:
        state[0] = account.cash


@kernel
def decisions(
    series: Series, accounts: Floats, rules: Floats, books: Floats, limits: CommonLimits, shared: bool, state: Floats,
    at: Ints, row_at: Ints, closes: Floats, k: int, worth: Money, rejected: Ints,
) -> None:  # fmt: skip
    """The signal rows of one book that are known at its candle's close, each within the common limits."""
    until = series.rows[k] + series.known[series.own[k] + at[k] - series.begin[k]]
    while row_at[k] < until:
        s = row_at[k]
        row_at[k] += 1
        if shared:
            accounts[k, 0] = state[0]
        before, book = account_at(accounts, k), books[k]
        signal = (
            series.signals[s, 0], series.signals[s, 1], series.signals[s, 2], series.signals[s, 3], series.signals[s, 4]
        )  # fmt: skip
        account, reason = on_signal(before, book, signal, closes[k], rules_at(rules, k))
        if reason != NOTHING:
            rejected[k, reason] += 1
        keep(accounts, k, account)
        if account.next_id > before.next_id and exceeds(accounts, books, closes, worth, limits):
            gone = withdraw_from(book, before.next_id)
            if gone > 0:
                rejected[k, COMMON_LIMIT] += gone
                accounts[k, 9] = before.target if account.qty != 0.0 else 0.0


# --- one account over several instruments


@kernel
def run_portfolio(
    series: Series,
    accounts: Floats,
    rules: Floats,
    books: Floats,
    weights: Floats,
    known: Ints,
    band: float,
    state: Floats,
    at: Ints,
    counts: Ints,
    closes: Floats,
    equity: Floats,
    whole: Floats,
    fills: Floats,
    rejected: Ints,
) -> bool:
    """As `run_fleet` for one account whose target weights `weights` float64[m, k] are known from the close times
    `known` (micros, rising) on. A change smaller than `band` of the equity is not traded. `counts`: fills written, rows
    of `whole` written, weight rows used. What sells at a time comes before what buys, so that the cash is there."""
    while True:
        ts = earliest(series.ts, at, series.end)
        if ts < 0:
            return True
        if counts[0] + MAX_FILLS * len(at) > len(fills):
            return False
        for buys in (False, True):
            for k in range(len(at)):
                there = 0 <= at[k] < series.end[k] and series.ts[at[k]] == ts
                if there and wants_to_buy(books[k]) == buys:
                    candle(series, accounts, rules, books, True, state, at, counts, closes, k, equity, fills)
                    at[k] = -at[k] - 1  # done at this time
        close_ts = ts
        for k in range(len(at)):
            if at[k] < 0:
                at[k] = -at[k]
                close_ts = max(close_ts, ts + int(series.length[k]))
        worth = together(accounts, closes, True, state)
        state[1] = max(state[1], worth)
        last = counts[2]
        while counts[2] < len(known) and known[counts[2]] <= close_ts:
            counts[2] += 1
        if counts[2] > last and state[2] == 0.0:
            for k in range(len(at)):
                weight = weights[counts[2] - 1, k]
                if weight == weight and closes[k] > 0.0:
                    reason = rebalance(accounts, books[k], rules_at(rules, k), k, weight, worth, closes[k], band)
                    if reason != NOTHING:
                        rejected[k, reason] += 1
        whole[counts[1], 0], whole[counts[1], 1] = float(ts), worth
        counts[1] += 1


@kernel
def wants_to_buy(book: Floats) -> bool:
    """Whether an order at the market waits that buys."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, KIND] == MARKET and book[row, SIDE] > 0.0:
            return True
    return False


@kernel
def rebalance(
    accounts: Floats, book: Floats, rules: Rules, k: int, weight: float, worth: Money, close: float, band: float
) -> int:
    """Places the orders at the market that bring one instrument to its weight; gives why none was sent."""
    held, lot, number = accounts[k, 1], rules.terms.lot, accounts[k, 11]
    if weight < 0.0 and rules.limits.allow_short == 0.0:
        return NO_SHORT
    drop_role(book, ENTRY)
    drop_role(book, EXIT)
    side = 1.0 if weight >= 0.0 else -1.0
    wanted = side * below(abs(weight) * max(worth, 0.0) / close, lot)
    change = nearest(wanted - held, lot)
    watch(book)
    if change == 0.0 or (abs(change) * close < band * worth and wanted != 0.0):
        return NOTHING
    reason = NOTHING
    if held != 0.0 and change * held < 0.0:
        out = min(abs(change), abs(held))
        number = market(book, number, EXIT, -1.0 if held > 0.0 else 1.0, out, rules)
        change = nearest(change + (out if held > 0.0 else -out), lot)
    if change != 0.0:
        qty, reason = smallest(abs(change), close, rules)
        if reason == NOTHING:
            number = market(book, number, ENTRY, 1.0 if change > 0.0 else -1.0, qty, rules)
    accounts[k, 9], accounts[k, 11] = weight, number
    watch(book)
    return reason


@kernel
def market(book: Floats, number: float, role: float, side: float, qty: float, rules: Rules) -> float:
    """Sends an order at the market; gives the next free number."""
    make_room(book)
    row = add_order(book, number, MARKET, role, side, qty, 0.0)
    book[row, ACTIVE] = arrival(book, rules.execution.latency)
    return number + 1.0


def lists_of(parts: Sequence[Any]) -> Ints:
    """Where each of several arrays begins in all of them one after the other, and where the last one ends."""
    return np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)
