"""From the orders that a quoting strategy wants to rest to those that do: what is there already stays where it is in
the queue, the rest is amended, taken back or placed. A plan is float64[m, PLAN_WIDTH], one row an order, most important
first: when something runs out (cash, slots, what may be sold) the first rows get it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.core.compiled import inlined, kernel
from onetape.core.portfolio import heard
from onetape.core.sizing import smallest
from onetape.core.snap import below, beyond, nearest
from onetape.core.state import (
    ACTIVE,
    AHEAD,
    BUYS,
    COUNT,
    ENTRY,
    EXIT,
    EXPIRES,
    FORCE,
    FRESH,
    GROUP,
    KIND,
    LEAVING,
    LIMIT,
    MARKET,
    NO_CASH,
    NO_SHORT,
    NO_SLOT,
    NOTHING,
    OUT_OF_BAND,
    PRICE,
    QTY,
    REDUCE,
    ROLE,
    SIDE,
    SLOTS,
    STOP,
    STOP_LIMIT,
    TAKE,
    TOO_LARGE,
    TRAIL,
    WORST,
    add_order,
    arrival,
    drop_order,
    ended,
    watch,
)
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats, Ints
from onetape.domain.units import Money, Price, Qty

# columns of a plan row
P_KIND: Final = 0  # market, limit, stop, stop_limit, touch
P_SIDE: Final = 1  # 1 buy, -1 sell
P_QTY: Final = 2
P_PRICE: Final = 3  # limit or trigger
P_WORST: Final = 4  # of a stop_limit: the limit it becomes; 0 = none
P_REDUCE: Final = 5  # 1 = may only reduce the position
P_FORCE: Final = 6  # core.state GTC, IOC, FOK, POST_ONLY
P_LIFE: Final = 7  # micros until it is taken back; 0 = never
P_GROUP: Final = 8  # orders of one group cancel each other; 0 = none
P_STOP: Final = 9  # rates of the exits that a fill brings; NaN = none
P_TAKE: Final = 10
P_TRAIL: Final = 11
PLAN_WIDTH: Final = 12


def blank_plan(rows: int) -> Floats:
    """Rows in which nothing but kind, side, quantity and price has to be written."""
    plan = np.zeros((rows, PLAN_WIDTH))
    plan[:, P_KIND] = LIMIT
    plan[:, P_STOP:] = np.nan
    return plan


@kernel
def on_plan(account: Account, book: Floats, plan: Floats, close: Price, rules: Rules, rejected: Ints) -> Account:
    """Makes `book` hold the orders of `plan` (beside the protective exits, which are not the plan's). Counts in
    `rejected`, by reason, those that were not sent; gives the account (its next number). `close` is the last price."""
    withdraw(book, plan, rules)
    number = account.next_id
    for k in range(len(plan)):
        if kept(book, plan, k, rules):
            continue
        row, reason = enter(account, book, plan, k, number, close, rules)
        if reason != NOTHING:
            rejected[reason] += 1
        if row >= 0:
            number += 1.0
    watch(book)
    return heard(account, account.said, account.target, number)


@inlined
def same(book: Floats, row: int, plan: Floats, k: int, rules: Rules) -> bool:
    """Whether an order of the book is the one that a plan row wants, but perhaps for its quantity."""
    reduces = plan[k, P_REDUCE] == 1.0 or (plan[k, P_SIDE] < 0.0 and rules.limits.allow_short == 0.0)
    return bool(
        book[row, LEAVING] == 0.0
        and (book[row, ROLE] == ENTRY or book[row, ROLE] == EXIT)
        and book[row, KIND] == plan[k, P_KIND]
        and book[row, SIDE] == plan[k, P_SIDE]
        and book[row, PRICE] == price_of(plan, k, rules)
        and (book[row, REDUCE] == 1.0) == reduces
        and book[row, GROUP] == plan[k, P_GROUP]
    )


@inlined
def price_of(plan: Floats, k: int, rules: Rules) -> Price:
    """The price of a plan row on the venue's step, never worse than it was said."""
    kind, side = plan[k, P_KIND], plan[k, P_SIDE]
    if kind == MARKET:
        return 0.0
    return beyond(plan[k, P_PRICE], rules.terms.tick, -side if kind == LIMIT else side)


@kernel
def withdraw(book: Floats, plan: Floats, rules: Rules) -> None:
    """Takes back what the plan does not want any more; with a delay it may fill until the cancel arrives."""
    row = int(book[SLOTS, COUNT]) - 1
    while row >= 0:
        wanted = book[row, LEAVING] == 1.0 or (book[row, ROLE] != ENTRY and book[row, ROLE] != EXIT)
        for k in range(len(plan)):
            wanted = wanted or same(book, row, plan, k, rules)
        if not wanted:
            until = arrival(book, rules.execution.latency)
            if until == 0.0:
                drop_order(book, row)
            else:
                book[row, LEAVING] = 1.0
                book[row, EXPIRES] = until if book[row, EXPIRES] == 0.0 else min(until, book[row, EXPIRES])
        row -= 1


@kernel
def kept(book: Floats, plan: Floats, k: int, rules: Rules) -> bool:
    """Whether a plan row is in the book already; its quantity is amended, which loses the place in the queue when it
    grows."""
    for row in range(int(book[SLOTS, COUNT])):
        if not same(book, row, plan, k, rules):
            continue
        qty = below(plan[k, P_QTY], rules.terms.lot)
        if qty <= 0.0 or twice(plan, k, rules):
            return True
        if qty > book[row, QTY] and rules.execution.queue > 0.0 and book[row, KIND] == LIMIT:
            book[row, AHEAD], book[row, FRESH] = np.inf, 1.0
        book[row, QTY] = qty
        return True
    return False


@kernel
def twice(plan: Floats, k: int, rules: Rules) -> bool:
    """Whether an earlier row of the plan is the same order."""
    for j in range(k):
        alike = plan[j, P_KIND] == plan[k, P_KIND] and plan[j, P_SIDE] == plan[k, P_SIDE]
        if alike and price_of(plan, j, rules) == price_of(plan, k, rules) and plan[j, P_REDUCE] == plan[k, P_REDUCE]:
            return True
    return False


@kernel
def enter(
    account: Account, book: Floats, plan: Floats, k: int, number: float, close: Price, rules: Rules
) -> tuple[int, int]:
    """Places a plan row that is new; gives its row in the book (-1 = none) and why it was not sent."""
    side, kind = plan[k, P_SIDE], plan[k, P_KIND]
    price = price_of(plan, k, rules)
    at = close if kind == MARKET else price
    reduces = plan[k, P_REDUCE] == 1.0 or (side < 0.0 and rules.limits.allow_short == 0.0)
    if not reduces and account.halted != 0.0:
        return -1, int(account.halted)
    if kind == LIMIT and rules.terms.band > 0.0 and (price - close * (1.0 + side * rules.terms.band)) * side > 0.0:
        return -1, OUT_OF_BAND
    qty = below(max(plan[k, P_QTY], 0.0), rules.terms.lot)
    if reduces:
        free = free_to_sell(account, book, side, rules)
        if free <= 0.0:
            return -1, NO_SHORT
        qty = min(qty, free)
    else:
        reason = affordable(account, book, side, qty, at, close, rules)
        if reason != NOTHING:
            return -1, reason
    if not (reduces and qty == abs(account.qty)):
        qty, reason = smallest(qty, at, rules)
        if reason != NOTHING:
            return -1, reason
    row = add_order(book, number, kind, EXIT if reduces else ENTRY, side, qty, price)
    if row < 0:
        return -1, NO_SLOT
    detail(book, row, plan, k, rules)
    return row, NOTHING


@inlined
def detail(book: Floats, row: int, plan: Floats, k: int, rules: Rules) -> None:
    """What a plan row says beside side, quantity and price."""
    how = rules.execution
    book[row, STOP], book[row, TAKE], book[row, TRAIL] = plan[k, P_STOP], plan[k, P_TAKE], plan[k, P_TRAIL]
    book[row, GROUP] = plan[k, P_GROUP]
    book[row, ACTIVE] = arrival(book, how.latency)
    if book[row, KIND] == LIMIT:
        book[row, FORCE] = plan[k, P_FORCE]
        if how.queue > 0.0:
            book[row, AHEAD] = np.inf
    elif book[row, KIND] == STOP_LIMIT:
        book[row, WORST] = beyond(plan[k, P_WORST], rules.terms.tick, plan[k, P_SIDE])
    if plan[k, P_LIFE] > 0.0:
        book[row, EXPIRES] = ended(book) + how.latency + plan[k, P_LIFE]


@kernel
def free_to_sell(account: Account, book: Floats, side: float, rules: Rules) -> Qty:
    """What of the position no other reducing order of the plan covers (orders of one group cover the same)."""
    free = abs(account.qty) if account.qty * side < 0.0 else 0.0
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == EXIT and book[row, SIDE] == side and book[row, GROUP] == 0.0:
            free -= book[row, QTY]
    return nearest(max(free, 0.0), rules.terms.lot)


@kernel
def affordable(account: Account, book: Floats, side: float, qty: Qty, at: Price, close: Price, rules: Rules) -> int:
    """Why an order that enlarges a position (or opens one) cannot be sent beside those that wait, or NOTHING."""
    limits, equity = rules.limits, account.cash + account.qty * close
    if equity <= 0.0:
        return NO_CASH
    if qty * at > limits.max_order_notional:
        return TOO_LARGE
    value: Money = qty * at
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == ENTRY and book[row, SIDE] == side:
            value += book[row, QTY] * (book[row, PRICE] if book[row, KIND] != MARKET else close)
    if side == BUYS and limits.max_exposure <= 1.0:
        rate = rules.costs.slippage + rules.costs.taker
        if value * (1.0 + rate) > account.cash:
            return NO_CASH
    held = account.qty * side * close  # what is held on the other side makes room
    return TOO_LARGE if held + value > limits.max_exposure * equity else NOTHING
