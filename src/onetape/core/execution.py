"""One order is filled: how much, at which price, and what it brings about in the book."""

from __future__ import annotations

import numpy as np

from onetape.core.bars import Bar
from onetape.core.compiled import inlined, kernel, merged
from onetape.core.costs import bankrupt, liquidated, taken
from onetape.core.portfolio import apply_fill, watched
from onetape.core.sizing import smallest
from onetape.core.snap import below, beyond, nearest
from onetape.core.state import (
    AHEAD,
    BUYS,
    COUNT,
    ENTRY,
    F_DELAY,
    F_FEE,
    F_ID,
    F_MAKER,
    F_PART,
    F_PRICE,
    F_QTY,
    F_REALISED,
    F_ROLE,
    F_SIDE,
    F_SLIP,
    FRESH,
    GROUP,
    ID,
    KIND,
    LIMIT,
    LIQUIDATION,
    MARKET,
    PART,
    PRICE,
    QTY,
    READY,
    REDUCE,
    ROLE,
    SIDE,
    SLOTS,
    STOP,
    STOP_KIND,
    STOP_LIMIT,
    STOP_LOSS,
    TAKE,
    TAKE_PROFIT,
    TRAIL,
    TRAILING,
    USED,
    WORST,
    add_order,
    drop_exits,
    drop_order,
    make_room,
)
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats
from onetape.domain.units import Price, Qty

TAKING, RESTING, FORCED = 0.0, 1.0, 2.0  # how a fill came about; FORCED = at its own price, but as a taker


@merged
def fill(
    account: Account, book: Floats, row: int, price: Price, how: float, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int, bool]:
    """Fills the order in `row` as far as the candle has volume left for it, and writes the fill.

    `price` is the undisturbed one: what takes pays slippage on top, a limit never more than its own price. Gives the
    account, the row after the last fill, and whether the order is gone. A buy that cash no longer covers is cut to what
    it covers, or dropped when the venue takes nothing so small.
    """
    side, role, limits = book[row, SIDE], book[row, ROLE], rules.limits
    rate = rules.costs.maker if how == RESTING else rules.costs.taker
    whole = book[row, QTY]
    if book[row, REDUCE] == 1.0:
        whole = min(whole, abs(account.qty)) if account.qty * side < 0.0 else 0.0
    qty = whole if role == LIQUIDATION else min(whole, free_volume(book, row, bar, rules, how))
    if whole > 0.0 and qty <= 0.0:
        return account, n, False
    paid = price
    if role == LIQUIDATION:
        paid, rate = bankrupt(account.entry_price, account.qty, limits.leverage), 0.0
    elif how == TAKING and qty > 0.0:
        paid = taken(book, price, side, qty, bar, rules)
        worst = book[row, PRICE] if book[row, KIND] == LIMIT else book[row, WORST]
        if worst > 0.0 and book[row, KIND] != MARKET:
            paid = min(paid, worst) if side == BUYS else max(paid, worst)
    if book[row, REDUCE] == 0.0 and side == BUYS and limits.max_exposure <= 1.0:
        if qty * paid * (1.0 + rate) > account.cash:
            affordable = below(max(account.cash, 0.0) / (paid * (1.0 + rate)), rules.terms.lot)
            qty, _ = smallest(affordable, paid, rules)
            whole = qty
    if qty <= 0.0:
        drop_order(book, row)
        return account, n, True
    fee, slip = qty * paid * rate, qty * abs(paid - price)
    account, realised = apply_fill(account, side, qty, paid, fee, slip, rules.terms.lot)
    write(book, row, qty, paid, how, fills, n)
    fills[n, F_FEE] = fee
    fills[n, F_SLIP] = slip
    fills[n, F_REALISED] = realised
    book[SLOTS, USED] += qty
    account, gone = settle(account, book, row, qty, whole, rules)
    return account, n + 1, gone


@kernel
def execute(
    account: Account, book: Floats, row: int, price: Price, how: float, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int, bool]:
    """`fill`, called: for all but the orders that a run is full of."""
    return fill(account, book, row, price, how, bar, rules, fills, n)


@inlined
def write(book: Floats, row: int, qty: Qty, paid: Price, how: float, fills: Floats, n: int) -> None:
    """What the fill of an order says, but for the money."""
    fills[n, F_ID] = book[row, ID]
    fills[n, F_SIDE] = book[row, SIDE]
    fills[n, F_ROLE] = book[row, ROLE]
    fills[n, F_MAKER] = 1.0 if how == RESTING else 0.0
    fills[n, F_QTY] = qty
    fills[n, F_PRICE] = paid
    fills[n, F_PART] = book[row, PART] + 1.0
    fills[n, F_DELAY] = 0.0


@inlined
def free_volume(book: Floats, row: int, bar: Bar, rules: Rules, how: float) -> Qty:
    """Base units that an order may still have of a candle."""
    free = np.inf
    if rules.execution.share > 0.0:
        free = below(max(rules.execution.share * bar.volume - book[SLOTS, USED], 0.0), rules.terms.lot)
    if how == RESTING and book[row, AHEAD] == book[row, AHEAD]:
        free = min(free, below(book[row, READY], rules.terms.lot))
    return free


@inlined
def settle(account: Account, book: Floats, row: int, qty: Qty, whole: Qty, rules: Rules) -> tuple[Account, bool]:
    """The book after a fill of `qty` out of `whole`; the account (its next number), and whether the order is gone."""
    role, side, group = book[row, ROLE], book[row, SIDE], book[row, GROUP]
    stop, take, trail = book[row, STOP], book[row, TAKE], book[row, TRAIL]
    left = 0.0
    if qty < whole:
        left = nearest(whole - qty, rules.terms.lot)
    if left > 0.0:
        remain(book, row, left, qty)
    else:
        drop_order(book, row)
    if group != 0.0:
        cancel_group(book, group, qty, row if left > 0.0 else -1, rules.terms.lot)
    turned = account.qty * side > 0.0 and abs(account.qty) < qty * (1.0 - 1e-9)
    if account.qty == 0.0 or turned:
        drop_exits(book)
    if role == ENTRY and account.qty * side > 0.0:
        plain = stop != stop and take != take and trail != trail and rules.limits.leverage == 0.0
        if not plain or book[SLOTS, COUNT] > 0.0:
            account = protect(account, book, stop, take, trail, rules)
    elif account.qty != 0.0:
        shrink(book, abs(account.qty))
    return account, left <= 0.0


@kernel
def remain(book: Floats, row: int, left: Qty, qty: Qty) -> None:
    """What a fill has left of an order: a stop that was touched is at the market from now on."""
    book[row, QTY] = left
    book[row, PART] += 1.0
    book[row, READY] = max(book[row, READY] - qty, 0.0)
    if book[row, KIND] == STOP_LIMIT:
        book[row, KIND], book[row, PRICE] = LIMIT, book[row, WORST]
    elif book[row, KIND] != LIMIT:
        book[row, KIND], book[row, PRICE] = MARKET, 0.0


@kernel
def cancel_group(book: Floats, group: float, qty: Qty, kept: int, lot: Qty) -> None:
    """The other orders of a group are smaller by what was filled of one, and gone when that is gone (`kept` = -1)."""
    row = int(book[SLOTS, COUNT]) - 1
    while row >= 0:
        if book[row, GROUP] == group and row != kept:
            left = nearest(max(book[row, QTY] - qty, 0.0), lot)
            if kept < 0 or left == 0.0:
                drop_order(book, row)
                kept -= 1 if row < kept else 0
            else:
                book[row, QTY] = left
        row -= 1


@kernel
def shrink(book: Floats, held: float) -> None:
    """Protective exits never cover more than the position."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, REDUCE] == 1.0 and book[row, QTY] > held:
            book[row, QTY] = held


@kernel
def protect(account: Account, book: Floats, stop: float, take: float, trail: float, rules: Rules) -> Account:
    """Sets the protective exits for the whole position, from its average entry price; a trailing stop from its best
    price. On the tick they are never nearer than asked. A rate of NaN keeps the exit of that kind that an earlier entry
    brought, and lets it cover what was added; a trailing stop that is kept follows the entry's price too."""
    leverage, tick = rules.limits.leverage, rules.terms.tick
    side = 1.0 if account.qty > 0.0 else -1.0
    entry, held, number = account.entry_price, abs(account.qty), account.next_id
    lower = beyond(entry * (1.0 - side * stop), tick, -side)
    drawn = beyond(account.best * (1.0 - side * trail), tick, -side)
    target = beyond(entry * (1.0 + side * take), tick, side)
    number = renew(book, STOP_LOSS, stop, lower, -side * held, number)
    number = renew(book, TRAILING, trail, drawn, -side * held, number)
    number = renew(book, TAKE_PROFIT, take, target, -side * held, number)
    if leverage > 0.0:
        gone = liquidated(entry, account.qty, leverage, rules.terms.maintenance)
        number = renew(book, LIQUIDATION, 1.0, gone, -side * held, number)
    if rules.execution.stop_limit > 0.0:
        limit_stops(book, rules)
    if rules.execution.queue > 0.0:
        queue_takes(book)
    follow(book, account.best, tick)
    return watched(account, account.best, account.peak, account.halted, number)


@kernel
def limit_stops(book: Floats, rules: Rules) -> None:
    """Makes stop-losses become limits when they are touched."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == STOP_LOSS and book[row, KIND] == STOP_KIND:
            side = book[row, SIDE]
            book[row, KIND] = STOP_LIMIT
            book[row, WORST] = beyond(
                book[row, PRICE] * (1.0 + side * rules.execution.stop_limit), rules.terms.tick, side
            )


@kernel
def queue_takes(book: Floats) -> None:
    """Take-profits that have met no candle yet have to look at what stands before them."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == TAKE_PROFIT and book[row, FRESH] == 1.0:
            book[row, AHEAD] = np.inf


@kernel
def renew(book: Floats, role: float, rate: float, price: Price, signed: float, number: float) -> float:
    """Replaces the protective order of one role by one at `price`, or keeps it at the new quantity when `rate`
    is NaN; gives the next free number. It always finds a slot: the youngest entry makes room."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == role:
            if rate != rate:
                book[row, QTY] = abs(signed)
                return number
            drop_order(book, row)
            break
    if rate != rate:
        return number
    make_room(book)
    kind = LIMIT if role == TAKE_PROFIT else STOP_KIND
    row = add_order(book, number, kind, role, 1.0 if signed > 0.0 else -1.0, abs(signed), price)
    if role == TRAILING:
        book[row, TRAIL] = rate
    return number + 1.0


@kernel
def follow(book: Floats, best: Price, tick: float) -> None:
    """Draws trailing stops after the best price; they never go back."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == TRAILING:
            side = -book[row, SIDE]
            level = beyond(best * (1.0 - side * book[row, TRAIL]), tick, -side)
            if (level - book[row, PRICE]) * side > 0.0:
                book[row, PRICE] = level
