"""Many books at once: what they are made of, and the next bar of one of them.

What a book needs lies in rows of numbers: accounts float64[k, ACCOUNT], rules float64[k, RULES], books float64[k, ...].
Bars stand in common columns, those of book j in rows `begin[j]` to `end[j]`. A bar in which nothing can happen to a
book is passed on its row of numbers alone, as the loop of one book coasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from onetape.core.bars import Bar
from onetape.core.compiled import inlined, kernel, merged
from onetape.core.loop import show, tally
from onetape.core.portfolio import charged
from onetape.core.state import (
    F_BAR,
    F_WIDTH,
    HALTED,
    HIGH,
    LOST,
    LOW,
    NEXT,
    NOW,
    REASONS,
    SLOTS,
    SPAN,
    TRAILS,
)
from onetape.core.step import halt, on_candle
from onetape.domain.accounts import Account, Costs, Execution, Exits, RiskLimits, Rules, Sizing, Terms
from onetape.domain.frame import Floats, Ints
from onetape.domain.units import Money

ACCOUNT: Final = len(Account._fields)
RULES: Final = sum(len(part._fields) for part in (Costs, Sizing, RiskLimits, Exits, Terms, Execution))
F_BOOK: Final = F_WIDTH  # a further column of a fill row: which book made it
FILL_WIDTH: Final = F_WIDTH + 1
COMMON_LIMIT: Final = len(REASONS)  # a reason of its own, behind those of one book

# columns of a row of an account, and of its rules
CASH: Final = Account._fields.index("cash")
HELD: Final = Account._fields.index("qty")
PEAK: Final = Account._fields.index("peak")
TARGET: Final = Account._fields.index("target")
SAID: Final = Account._fields.index("said")
NEXT_ID: Final = Account._fields.index("next_id")
DRAWDOWN: Final = len(Costs._fields) + len(Sizing._fields) + RiskLimits._fields.index("max_drawdown")

# what `Going.state` and `Going.counts` hold
COMMON_CASH, HIGHEST, ALL_HALTED = 0, 1, 2
MADE, TOLD, WEIGHED = 0, 1, 2


class CommonLimits(NamedTuple):
    """What all books together must not do; infinite (1 for the drawdown) = no limit."""

    max_exposure: float = float("inf")  # value of all positions and waiting entries over the equity of all
    max_positions: float = float("inf")  # books that hold something or wait to
    max_drawdown: float = 1.0  # of the equity of all from its highest: then everything is closed and halted


class Series(NamedTuple):
    """Bars of all books (candles, single trades), and the signal rows that act on them. `volume` may be empty: nothing
    depends on it."""

    begin: Ints  # int64[k]: the first bar of book j, and the one behind its last; books may share bars
    end: Ints
    own: Ints  # int64[k]: where the rows of book j begin in `known` and the curve, one for each bar
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    length: Floats  # micros, as in core.bars: of each bar, or of all bars of book j
    depth_at: Ints  # the order book last recorded before each bar, as in core.bars; empty where none was
    depth: Floats
    pays: Ints  # int64[k + 1]: funding payments of book j are pays[j] to pays[j + 1]
    pay_at: Ints  # the bar of the book, from 0 on, at whose open each is due
    pay_rate: Floats  # > 0: longs pay
    rows: Ints  # int64[k + 1]: signal rows of book j are rows[j] to rows[j + 1]
    known: Ints  # the book's own signal rows that are known when its next bar opens
    target: Floats
    brings: Ints  # int64[k]: where the rows of book j begin in `rates`, -1 = its signals bring none
    rates: Floats  # float64[., 4]: stop, take, trail, limit


class Aim(NamedTuple):
    """Target weights of a portfolio float64[m, k], each row known from a time on (micros, rising). A change smaller
    than `band` of the equity is not traded. Without columns the books follow their own signals."""

    weights: Floats
    known: Ints
    band: float


class Going(NamedTuple):
    """Where all books are, changed in place."""

    accounts: Floats
    rules: Floats
    books: Floats
    state: Floats  # float64[3]: cash of a shared account, the highest equity of all so far, 1 when all are halted
    at: Ints  # the next bar of each book, its next signal row, its next payment
    row_at: Ints
    pay_at: Ints
    counts: Ints  # int64[3]: fills written, rows of `whole` written, weight rows used
    closes: Floats  # the last close of each book
    equity: Floats  # equity[own[j] + i]: of book j at its bar i (of a shared account: its position and all cash)
    whole: Floats  # float64[g, 2]: open time, equity of all, after each time at which a bar closed
    rejected: Ints  # int64[k, len(REASONS) + 1]: what was not sent, the last column what the common limits took back


def no_aim() -> Aim:
    return Aim(np.empty((0, 0)), np.empty(0, np.int64), 0.0)


def going(series: Series, accounts: Sequence[Account], rules: Sequence[Rules], books: Floats, cash: Money,
          times: int) -> Going:  # fmt: skip
    """All books at their beginning. `cash` is what all have together, `times` the most at which bars can close."""
    k = len(accounts)
    return Going(
        account_rows(accounts), rule_rows(rules), books, np.array([cash, cash, 0.0]), series.begin.copy(),
        series.rows[:-1].copy(), series.pays[:-1].copy(), np.zeros(3, np.int64), np.zeros(k),
        np.empty(len(series.known)), np.empty((times, 2)), np.zeros((k, COMMON_LIMIT + 1), np.int64),
    )  # fmt: skip


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


def lists_of(sizes: Sequence[int]) -> Ints:
    """Where each of several arrays begins in all of them one after the other, and where the last one ends."""
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


@kernel
def earliest(ts: Ints, at: Ints, end: Ints) -> int:
    """The open time of the candle that is next in any book, or -1 when all are at their end."""
    found = -1
    for k in range(len(at)):
        if at[k] < end[k] and (found < 0 or ts[at[k]] < found):
            found = ts[at[k]]
    return found


@merged
def due(series: Series, now: Going, k: int, ts: int) -> bool:
    """Whether the next bar of a book opens at this time."""
    return bool(now.at[k] < series.end[k] and series.ts[now.at[k]] == ts)


@merged
def together(now: Going, shared: bool) -> Money:
    """The equity of all books at their last closes."""
    worth = now.state[COMMON_CASH] if shared else 0.0
    for k in range(len(now.accounts)):
        worth += now.accounts[k, HELD] * now.closes[k] if now.accounts[k, HELD] != 0.0 else 0.0
        if not shared:
            worth += now.accounts[k, CASH]
    return worth


@merged
def passed(series: Series, shared: bool, now: Going, k: int) -> bool:
    """Passes a bar in which nothing can happen to a book but a new equity; False when something may."""
    i, accounts = now.at[k], now.accounts
    head, mine = now.books[k, SLOTS], i - series.begin[k]
    if series.low[i] <= head[LOW] or series.high[i] >= head[HIGH] or head[TRAILS] > 0.0 or series.ts[i] >= head[NEXT]:
        return False
    f = now.pay_at[k]
    if f < series.pays[k + 1] and series.pay_at[f] <= mine:
        return False
    cash = now.state[COMMON_CASH] if shared else accounts[k, CASH]
    worth = cash + accounts[k, HELD] * series.close[i]
    if worth < accounts[k, PEAK] * (1.0 - now.rules[k, DRAWDOWN]):
        return False
    accounts[k, CASH], accounts[k, PEAK] = cash, max(accounts[k, PEAK], worth)
    head[NOW], head[SPAN] = float(series.ts[i]), length_at(series, k, i)
    now.closes[k], now.equity[series.own[k] + mine] = series.close[i], worth
    return True


@inlined
def length_at(series: Series, k: int, i: int) -> float:
    return float(series.length[i] if len(series.length) == len(series.ts) else series.length[k])


@kernel
def candle(series: Series, shared: bool, now: Going, k: int, fills: Floats) -> None:
    """The next bar of one book: funding, fills, and its equity at the close."""
    i, n, book = now.at[k], now.counts[MADE], now.books[k]
    mine = i - series.begin[k]
    if shared:
        now.accounts[k, CASH] = now.state[COMMON_CASH]
    account, rules = account_at(now.accounts, k), rules_at(now.rules, k)
    while now.pay_at[k] < series.pays[k + 1] and series.pay_at[now.pay_at[k]] <= mine:
        account = charged(account, account.qty * series.open[i] * series.pay_rate[now.pay_at[k]], 0.0)
        now.pay_at[k] += 1
    if len(series.depth_at) > 0:
        show(book, series.depth_at[i], series.depth)
    volume = series.volume[i] if len(series.volume) else np.inf
    bar = Bar(series.open[i], series.high[i], series.low[i], series.close[i], volume, float(series.ts[i]),
              length_at(series, k, i))  # fmt: skip
    account, n = on_candle(account, book, bar, rules, fills, n)
    for row in range(now.counts[MADE], n):
        fills[row, F_BAR], fills[row, F_BOOK] = float(mine), float(k)
    if book[SLOTS, LOST] > 0.0:
        tally(book, now.rejected[k])
    now.counts[MADE], now.closes[k] = n, series.close[i]
    now.equity[series.own[k] + mine] = account.cash + account.qty * series.close[i]
    keep(now.accounts, k, account)
    if shared:
        now.state[COMMON_CASH] = account.cash


@kernel
def halt_all(now: Going) -> None:
    """The drawdown of all has reached its limit."""
    now.state[ALL_HALTED] = 1.0
    for k in range(len(now.at)):
        latency = rules_at(now.rules, k).execution.latency
        keep(now.accounts, k, halt(account_at(now.accounts, k), now.books[k], HALTED, latency))
