"""One fill candle against the resting orders: the fill model, stated for people in docs/fill-model.md.

The order within a candle is fixed. (1) Market orders at the open, exits before entries. (2) Protective stops, the one
that is reached first. So a stop and a take touched in one candle count as the stop. (3) Take-profits. (4) Resting
entries; an entry filled inside the candle may be stopped out in it, and takes its profit in it only when the candle
closes beyond the target, because nothing else proves that the price came later. So what is entered inside a candle
never profits from a take that the same candle reached. A public trade is a candle with one price.
"""

from __future__ import annotations

from typing import NamedTuple

from onetape.core.compiled import inlined, kernel
from onetape.core.portfolio import apply_fill, watched
from onetape.core.sizing import smallest
from onetape.core.snap import below, beyond
from onetape.core.state import (
    COUNT,
    ENTRY,
    F_FEE,
    F_ID,
    F_MAKER,
    F_PRICE,
    F_QTY,
    F_REALISED,
    F_ROLE,
    F_SIDE,
    F_SLIP,
    ID,
    KIND,
    LIMIT,
    MARKET,
    PRICE,
    QTY,
    REDUCE,
    ROLE,
    SIDE,
    SLOTS,
    STOP,
    STOP_KIND,
    STOP_LOSS,
    TAKE,
    TAKE_PROFIT,
    TRAIL,
    TRAILING,
    add_order,
    drop_exits,
    drop_order,
    make_room,
)
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats
from onetape.domain.units import Price


class Bar(NamedTuple):
    """What a fill candle shows: open, high, low, close."""

    open: Price
    high: Price
    low: Price
    close: Price


@inlined
def match_bar(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """The account after one candle, and the row after the last fill (all columns but F_BAR are written)."""
    account, n = market_orders(account, book, bar, rules, fills, n)
    if book[SLOTS, COUNT] == 0.0:
        return account, n
    account, n = protective_stops(account, book, bar, rules, fills, n)
    account, n = take_profits(account, book, bar, rules, fills, n)
    return resting_entries(account, book, bar, rules, fills, n)


@inlined
def market_orders(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """Fill at the open, worse by slippage, at the taker fee: what reduces first, then entries."""
    for reduce in (1.0, 0.0):
        row = 0
        while row < int(book[SLOTS, COUNT]):
            if book[row, KIND] == MARKET and book[row, REDUCE] == reduce:
                account, n = execute(account, book, row, bar.open, False, rules, fills, n)
                row = 0  # the rows behind a filled order have moved
            else:
                row += 1
    return account, n


@kernel
def protective_stops(
    account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """Of the stops that the candle touches the one it reaches first fills, at the worse of trigger and open."""
    while True:
        row = first_stop(book, bar.high, bar.low)
        if row < 0:
            return account, n
        trigger = book[row, PRICE]
        price = max(trigger, bar.open) if book[row, SIDE] > 0.0 else min(trigger, bar.open)
        account, n = execute(account, book, row, price, False, rules, fills, n)


@kernel
def first_stop(book: Floats, high: Price, low: Price) -> int:
    """The row of the touched reducing stop that the price meets first, or -1."""
    found = -1
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, KIND] != STOP_KIND or book[row, REDUCE] != 1.0:
            continue
        side, trigger = book[row, SIDE], book[row, PRICE]
        if (side > 0.0 and high >= trigger) or (side < 0.0 and low <= trigger):
            if found < 0 or (book[found, PRICE] - trigger) * side > 0.0:
                found = row
    return found


@kernel
def resting_entries(
    account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """Limit entries at their own price when the candle trades through it, at the taker fee when it opens there already
    (nothing proves that the order rested first); stop entries at the worse of trigger and open. Then what the rest of
    the same candle proves for the exits they brought."""
    row = 0
    while row < int(book[SLOTS, COUNT]):
        kind, side, price = book[row, KIND], book[row, SIDE], book[row, PRICE]
        limit = kind == LIMIT and book[row, REDUCE] == 0.0
        limit = limit and (bar.low < price if side > 0.0 else bar.high > price)
        stop = kind == STOP_KIND and book[row, REDUCE] == 0.0
        stop = stop and (bar.high >= price if side > 0.0 else bar.low <= price)
        if not limit and not stop:
            row += 1
            continue
        high, low = max(price, bar.open), min(price, bar.open)
        met = high if stop == (side > 0.0) else low  # where the market is when it meets the order
        maker = limit and (bar.open - price) * side > 0.0
        account, n = execute(account, book, row, met if stop else price, maker, rules, fills, n)
        account, n = same_candle_exit(account, book, bar, met, rules, fills, n)
        row = 0
    return account, n


@kernel
def same_candle_exit(
    account: Account, book: Floats, bar: Bar, met: Price, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """After an entry inside the candle: the stop counts when the candle touches it, the take when it closes beyond.

    `met` is where the market was at the entry: a stop that lies beyond it at once fills there, not at its trigger.
    """
    row = first_stop(book, bar.high, bar.low)
    if row >= 0:
        trigger = book[row, PRICE]
        price = max(trigger, met) if book[row, SIDE] > 0.0 else min(trigger, met)
        return execute(account, book, row, price, False, rules, fills, n)
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == TAKE_PROFIT and (bar.close - book[row, PRICE]) * book[row, SIDE] < 0.0:
            return execute(account, book, row, book[row, PRICE], True, rules, fills, n)
    return account, n


@kernel
def take_profits(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """Reducing limits that the candle trades through: own price, maker fee."""
    row = 0
    while row < int(book[SLOTS, COUNT]):
        side, price = book[row, SIDE], book[row, PRICE]
        mine = book[row, KIND] == LIMIT and book[row, REDUCE] == 1.0
        if mine and (bar.low < price if side > 0.0 else bar.high > price):
            account, n = execute(account, book, row, price, True, rules, fills, n)
            row = 0
        else:
            row += 1
    return account, n


@kernel
def execute(
    account: Account, book: Floats, row: int, price: Price, maker: bool, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """Fills the order in `row` at an undisturbed `price` (slippage comes on top but for limits), writes the fill,
    removes the order, sets or removes protective exits. A buy that cash no longer covers is cut to what it covers, or
    dropped when the venue takes nothing so small."""
    side, role = book[row, SIDE], book[row, ROLE]
    costs, terms = rules.costs, rules.terms
    rate = costs.maker if maker else costs.taker
    paid = price if book[row, KIND] == LIMIT else price * (1.0 + side * costs.slippage)
    qty = book[row, QTY]
    if book[row, REDUCE] == 1.0:
        qty = min(qty, abs(account.qty)) if account.qty * side < 0.0 else 0.0
    elif side > 0.0 and rules.limits.max_exposure <= 1.0 and qty * paid * (1.0 + rate) > account.cash:
        qty, _ = smallest(below(max(account.cash, 0.0) / (paid * (1.0 + rate)), terms.lot), paid, rules)
    number = book[row, ID]
    stop, take, trail = book[row, STOP], book[row, TAKE], book[row, TRAIL]
    drop_order(book, row)
    if qty <= 0.0:
        return account, n
    fee, slip = qty * paid * rate, qty * abs(paid - price)
    account, realised = apply_fill(account, side, qty, paid, fee, slip, terms.lot)
    fills[n, F_ID] = number
    fills[n, F_SIDE] = side
    fills[n, F_ROLE] = role
    fills[n, F_MAKER] = 1.0 if maker else 0.0
    fills[n, F_QTY] = qty
    fills[n, F_PRICE] = paid
    fills[n, F_FEE] = fee
    fills[n, F_SLIP] = slip
    fills[n, F_REALISED] = realised
    if account.qty == 0.0:
        drop_exits(book)
    elif role == ENTRY:
        account = protect(account, book, stop, take, trail, terms.tick)
    else:
        shrink(book, abs(account.qty))
    return account, n + 1


@kernel
def shrink(book: Floats, held: float) -> None:
    """Protective exits never cover more than the position."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, REDUCE] == 1.0 and book[row, QTY] > held:
            book[row, QTY] = held


@kernel
def protect(account: Account, book: Floats, stop: float, take: float, trail: float, tick: float) -> Account:
    """Sets the protective exits for the whole position, from its average entry price; a trailing stop from its best
    price. On the tick they are never nearer than asked. A rate of NaN keeps the exit of that kind that an earlier entry
    brought, and lets it cover what was added; a trailing stop that is kept follows the entry's price too."""
    if stop != stop and take != take and trail != trail and book[SLOTS, COUNT] == 0.0:
        return account
    side = 1.0 if account.qty > 0.0 else -1.0
    entry, held, number = account.entry_price, abs(account.qty), account.next_id
    lower = beyond(entry * (1.0 - side * stop), tick, -side)
    drawn = beyond(account.best * (1.0 - side * trail), tick, -side)
    target = beyond(entry * (1.0 + side * take), tick, side)
    number = renew(book, STOP_LOSS, stop, lower, -side * held, number)
    number = renew(book, TRAILING, trail, drawn, -side * held, number)
    number = renew(book, TAKE_PROFIT, take, target, -side * held, number)
    follow(book, account.best, tick)
    return watched(account, account.best, account.peak, account.halted, number)


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
