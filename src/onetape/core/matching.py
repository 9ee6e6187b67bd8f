"""One fill candle against the resting orders: the fill model, stated for people in docs/fill-model.md.

The order within a candle is fixed. (1) Exits at the market; then what meets its first candle: post-only, immediate and
all-or-nothing orders are settled at the open. (2) Entries at the market. (3) Protective stops, the one that is reached
first. So a stop and a take touched in one candle count as the stop. (4) Take-profits. (5) Resting entries; an entry
filled inside the candle may be stopped out in it, and takes its profit in it only when the candle closes beyond the
target, because nothing else proves that the price came later. So what is entered inside a candle never profits from a
take that the same candle reached. A public trade is a candle with one price.
"""

from __future__ import annotations

import numpy as np

from onetape.core.bars import Bar
from onetape.core.compiled import inlined, kernel
from onetape.core.costs import delayed, shown_at
from onetape.core.execution import FORCED, RESTING, TAKING, execute, fill
from onetape.core.portfolio import charged, heard
from onetape.core.state import (
    ACTIVE,
    AHEAD,
    BUYS,
    COUNT,
    F_DELAY,
    F_QTY,
    FIRST,
    FIRSTS,
    FOK,
    FORCE,
    FRESH,
    GTC,
    ID,
    KIND,
    LIMIT,
    LOST,
    MARKET,
    PARTED,
    POST_ONLY,
    PRICE,
    QTY,
    READY,
    REDUCE,
    ROLE,
    SIDE,
    SLOTS,
    STOP_KIND,
    STOP_LIMIT,
    TAKE_PROFIT,
    TOOK,
    TOUCH,
    USED,
    WORST,
    asleep,
    drop_order,
    unmet,
)
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats
from onetape.domain.units import Price

__all__ = ["Bar", "match_bar"]


@inlined
def match_bar(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """The account after one candle, and the row after the last fill (all columns but F_BAR are written)."""
    book[SLOTS, USED] = 0.0
    firsts = book[SLOTS, FIRSTS]
    if firsts > 0.0:
        account, n = exits_first(account, book, bar, rules, fills, n)
        account, n = first_meeting(account, book, bar, rules, fills, n)
    if rules.execution.queue > 0.0:
        move_queues(book, bar)
    account, n = market_orders(account, book, bar, rules, fills, n, 0.0)
    if book[SLOTS, COUNT] > 0.0:
        account, n = protective_stops(account, book, bar, rules, fills, n)
        account, n = take_profits(account, book, bar, rules, fills, n)
        account, n = resting_entries(account, book, bar, rules, fills, n)
    if firsts > 0.0:
        age(book)
    return account, n


@kernel
def age(book: Floats) -> None:
    """The first candle of some orders is over."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, FRESH] == 2.0:
            book[row, FRESH] = 0.0


@kernel
def first_meeting(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """What is decided when an order reaches the venue: a post-only order that would take is refused, what must trade at
    once takes the open up to its price or goes, and the others find their place in the queue."""
    row = FIRST
    while row < int(book[SLOTS, COUNT]):
        if not unmet(book, row) or asleep(book, row):
            row += 1
            continue
        side, price, force = book[row, SIDE], book[row, PRICE], book[row, FORCE]
        takes = book[row, KIND] == LIMIT and (price - bar.open) * side >= 0.0
        if force == GTC or (force == POST_ONLY and not takes):
            book[row, FRESH] = 2.0
            if book[row, AHEAD] == np.inf:
                book[row, AHEAD] = np.nan if takes else shown_at(book, side, price)
            row += 1
            continue
        if takes and force != POST_ONLY and (force != FOK or not_capped(book, row, bar, rules)):
            book[row, AHEAD] = np.nan
            number = book[row, ID]
            account, n, gone = execute(account, book, row, bar.open, TAKING, bar, rules, fills, n)
            if gone:
                row = FIRST
                continue
            while book[row, ID] != number:  # exits that were renewed before it have moved it up
                row -= 1
        book[SLOTS, LOST] = 1.0
        book[SLOTS, TOOK if force == POST_ONLY else PARTED] += 1.0
        if book[row, REDUCE] == 0.0:  # what was wished is not what is held: the same wish, said again, completes it
            account = heard(account, account.said, 0.0, account.next_id)
        drop_order(book, row)
        row = FIRST
    return account, n


@inlined
def not_capped(book: Floats, row: int, bar: Bar, rules: Rules) -> bool:
    """Whether the candle has volume left for all of an order."""
    share = rules.execution.share
    return share == 0.0 or book[row, QTY] <= share * bar.volume - book[SLOTS, USED]


@kernel
def move_queues(book: Floats, bar: Bar) -> None:
    """What trades at a limit's price trades before it, until nothing is left there; a trade through it frees it. Of a
    candle that only touches the price nobody knows how much traded there: the place is kept."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, KIND] != LIMIT or book[row, AHEAD] != book[row, AHEAD] or book[row, AHEAD] == np.inf:
            continue
        if asleep(book, row):
            continue
        price, side = book[row, PRICE], book[row, SIDE]
        if (price - (bar.low if side == BUYS else bar.high)) * side > 0.0:
            book[row, READY] = book[row, QTY]
        elif bar.low <= price <= bar.high and bar.length <= 0.0:
            left = book[row, AHEAD] - bar.volume
            book[row, AHEAD] = max(left, 0.0)
            book[row, READY] = min(max(-left, 0.0), book[row, QTY])
        else:
            book[row, READY] = 0.0


@inlined
def reached(book: Floats, row: int, bar: Bar) -> bool:
    """Whether the candle fills a limit: it trades through it, or the queue before it is used up."""
    side, price = book[row, SIDE], book[row, PRICE]
    if book[row, AHEAD] == book[row, AHEAD]:
        return bool(book[row, READY] > 0.0)
    return bool(bar.low < price if side == BUYS else bar.high > price)


@inlined
def market_orders(
    account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int, last: float
) -> tuple[Account, int]:
    """Fill at the open, worse by slippage, at the taker fee: what reduces first, then entries unless `last` is 1."""
    for reduce in (1.0, last):
        row = FIRST
        while row < int(book[SLOTS, COUNT]):
            gone = False
            if book[row, KIND] == MARKET and book[row, REDUCE] == reduce and not asleep(book, row):
                active, price = book[row, ACTIVE], bar.open
                if active > 0.0:
                    price = delayed(bar, book[row, SIDE], active)
                before = n
                account, n, gone = fill(account, book, row, price, TAKING, bar, rules, fills, n)
                if active > 0.0 and n > before:
                    fills[before, F_DELAY] = fills[before, F_QTY] * abs(price - bar.open)
                    account = charged(account, 0.0, fills[before, F_DELAY])
            row = FIRST if gone else row + 1  # the rows behind a filled order have moved
    return account, n


@kernel
def exits_first(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """Exits at the market go before orders that meet their first candle: a turn is first out, then in."""
    return market_orders(account, book, bar, rules, fills, n, 1.0)


@kernel
def protective_stops(
    account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """Of the stops that the candle touches the one it reaches first fills, at the worse of trigger and open."""
    while True:
        row = first_stop(book, bar.high, bar.low)
        if row < 0:
            return account, n
        account, n = touched(account, book, row, bar.open, bar, rules, fills, n)


@kernel
def touched(
    account: Account, book: Floats, row: int, met: Price, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """A stop whose trigger the candle has reached takes the market at the worse of trigger and `met`, or, where that is
    beyond its limit, waits as a limit. A stop for which no volume is left waits at the market."""
    trigger, side = book[row, PRICE], book[row, SIDE]
    price = max(trigger, met) if side == BUYS else min(trigger, met)
    if book[row, KIND] == STOP_LIMIT and (price - book[row, WORST]) * side > 0.0:
        book[row, KIND], book[row, PRICE] = LIMIT, book[row, WORST]
        return account, n
    before = n
    account, n, gone = execute(account, book, row, price, TAKING, bar, rules, fills, n)
    if not gone and n == before:
        if book[row, KIND] == STOP_LIMIT:
            book[row, KIND], book[row, PRICE] = LIMIT, book[row, WORST]
        else:
            book[row, KIND], book[row, PRICE] = MARKET, 0.0
    return account, n


@kernel
def first_stop(book: Floats, high: Price, low: Price) -> int:
    """The row of the touched reducing stop that the price meets first, or -1."""
    found = -1
    for row in range(int(book[SLOTS, COUNT])):
        if (book[row, KIND] != STOP_KIND and book[row, KIND] != STOP_LIMIT) or book[row, REDUCE] != 1.0:
            continue
        side, trigger = book[row, SIDE], book[row, PRICE]
        if asleep(book, row):
            continue
        if (side > 0.0 and high >= trigger) or (side < 0.0 and low <= trigger):
            if found < 0 or (book[found, PRICE] - trigger) * side > 0.0:
                found = row
    return found


@kernel
def take_profits(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """Reducing limits that the candle trades through: own price, maker fee. Reducing orders that take the market at a
    better price do so when it is touched."""
    row = FIRST
    while row < int(book[SLOTS, COUNT]):
        gone = False
        if book[row, REDUCE] == 1.0 and not asleep(book, row):
            price, side = book[row, PRICE], book[row, SIDE]
            if book[row, KIND] == LIMIT and reached(book, row, bar):
                account, n, gone = execute(account, book, row, price, RESTING, bar, rules, fills, n)
            elif book[row, KIND] == TOUCH and (bar.low <= price if side == BUYS else bar.high >= price):
                account, n, gone = execute(account, book, row, price, TAKING, bar, rules, fills, n)
        row = FIRST if gone else row + 1
    return account, n


@kernel
def resting_entries(
    account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """Limit entries at their own price when the candle trades through it, at the taker fee when it opens there already
    and nothing proves that the order rested first; stop entries at the worse of trigger and open; then what the rest of
    the same candle proves for the exits they brought."""
    row = FIRST
    while row < int(book[SLOTS, COUNT]):
        before = n
        if book[row, REDUCE] == 0.0 and book[row, KIND] != MARKET and not asleep(book, row):
            account, n = entry(account, book, row, bar, rules, fills, n)
        row = FIRST if n > before else row + 1
    return account, n


@kernel
def entry(
    account: Account, book: Floats, row: int, bar: Bar, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """One resting entry against the candle."""
    kind, side, price = book[row, KIND], book[row, SIDE], book[row, PRICE]
    before = n
    if kind == LIMIT:
        if not reached(book, row, bar):
            return account, n
        rested = (bar.open - price) * side > 0.0 or book[row, FRESH] == 0.0
        met = min(price, bar.open) if side == BUYS else max(price, bar.open)
        how = RESTING if rested else FORCED
        account, n, _ = execute(account, book, row, price, how, bar, rules, fills, n)
    elif kind == TOUCH:
        if not (bar.low <= price if side == BUYS else bar.high >= price):
            return account, n
        met = price
        account, n, _ = execute(account, book, row, price, TAKING, bar, rules, fills, n)
    else:
        if not (bar.high >= price if side == BUYS else bar.low <= price):
            return account, n
        met = max(price, bar.open) if side == BUYS else min(price, bar.open)
        account, n = touched(account, book, row, bar.open, bar, rules, fills, n)
    if n == before:
        return account, n
    return same_candle_exit(account, book, bar, met, rules, fills, n)


@kernel
def same_candle_exit(
    account: Account, book: Floats, bar: Bar, met: Price, rules: Rules, fills: Floats, n: int
) -> tuple[Account, int]:
    """After an entry inside the candle: the stop counts when the candle touches it, the take when it closes beyond.

    `met` is where the market was at the entry: a stop that lies beyond it at once fills there, not at its trigger.
    """
    row = first_stop(book, bar.high, bar.low)
    if row >= 0:
        return touched(account, book, row, met, bar, rules, fills, n)
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, ROLE] == TAKE_PROFIT and (bar.close - book[row, PRICE]) * book[row, SIDE] < 0.0:
            account, n, _ = execute(account, book, row, book[row, PRICE], RESTING, bar, rules, fills, n)
            return account, n
    return account, n
