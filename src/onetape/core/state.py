"""The shape of resting orders inside the kernels, and of the fills they report.

A book is float64[SLOTS + 1 + LEVELS, WIDTH]: the resting orders stand in rows 0 to n - 1, oldest first. Row SLOTS is
its head: n, and the band of prices outside of which some order could fill: a quiet candle costs two comparisons.
The rows behind it hold the market's own order book as it was last recorded before the candle at work, level by level,
where it was recorded (an argument of its own would cost every fill a tenth).
This is the `Plan`: up to 16 orders rest at once, so that bracket exits, grids and quoting
strategies need no second engine. Enum numbers are those of domain.orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

import numpy as np

from onetape.core.compiled import inlined, kernel
from onetape.domain.frame import Floats

SLOTS: Final = 16
FIRST: Final = cast(int, np.int64(0))  # a row to begin with; whatever is called with a plain 0 is compiled twice
LEVELS: Final = 20  # of the market's order book that are looked at

# columns of a book row
ID: Final = 0  # number of the order, from Account.next_id
KIND: Final = 1  # OrderKind: market, limit, stop, stop_limit, touch
ROLE: Final = 2  # Role
SIDE: Final = 3  # 1 buy, -1 sell
QTY: Final = 4  # base units still open
PRICE: Final = 5  # limit or trigger; 0 for market
REDUCE: Final = 6  # 1 = may only reduce the position
STOP: Final = 7  # rate of the stop-loss that an entry brings with it; NaN = none
TAKE: Final = 8
TRAIL: Final = 9  # on a trailing order: its own rate
WORST: Final = 10  # of a stop_limit: the limit it becomes when its trigger is touched; 0 = none
FORCE: Final = 11  # time in force: GTC, IOC, FOK, POST_ONLY
FRESH: Final = 12  # 1 until the first candle that it met
ACTIVE: Final = 13  # micros: when it reaches the venue; 0 = it is there
EXPIRES: Final = 14  # micros: gone from the first candle that opens then or later; 0 = never
GROUP: Final = 15  # of orders that cancel each other (OCO); 0 = none
AHEAD: Final = 16  # base units that trade at its price before it does; infinite = not looked at yet; NaN = only a trade
# through the price fills it
READY: Final = 17  # base units that the queue lets fill now
PART: Final = 18  # fills so far
LEAVING: Final = 19  # 1 = a cancel is on its way
WIDTH: Final = 20

# columns of the head, book[SLOTS]
COUNT: Final = 0
LOW: Final = 1  # a candle whose low is at or below this may fill something
HIGH: Final = 2  # a candle whose high is at or above this may fill something
TRAILS: Final = 3  # number of trailing stops
NEXT: Final = 4  # micros: a candle that opens then or later may wake an order or end one; infinite = none waits
NOW: Final = 5  # open time of the candle at work
SPAN: Final = 6  # its length, micros, as in core.bars
USED: Final = 7  # base units of its volume that our fills have taken
LOST: Final = 8  # 1 = some of the next three are not 0
TOOK: Final = 9  # post-only orders that were refused because they would have taken
PARTED: Final = 10  # orders that were not to be had at once, or not whole
LATE: Final = 11  # orders whose time was over before they filled
FIRSTS: Final = 12  # orders for which the first candle that they meet decides something
SHOWN: Final = 13  # levels of the market's order book that are known; 0 = none was recorded

# columns of a row of the market's order book
BID: Final = 0
BID_SIZE: Final = 1
ASK: Final = 2
ASK_SIZE: Final = 3

MARKET, LIMIT, STOP_KIND, STOP_LIMIT, TOUCH = 1.0, 2.0, 3.0, 4.0, 5.0
ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING, HALT, LIQUIDATION = 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0
GTC, IOC, FOK, POST_ONLY = 0.0, 1.0, 2.0, 3.0
BUYS: Final = 1.0

# columns of a fill row
F_BAR: Final = 0  # index of the fill candle
F_ID: Final = 1  # number of the order
F_SIDE: Final = 2
F_ROLE: Final = 3
F_MAKER: Final = 4
F_QTY: Final = 5
F_PRICE: Final = 6
F_FEE: Final = 7
F_SLIP: Final = 8  # money lost against the undisturbed price
F_REALISED: Final = 9  # closed profit of this fill, before fees
F_PART: Final = 10  # which fill of its order it is, from 1 on
F_DELAY: Final = 11  # money lost because the order was on its way
F_WIDTH: Final = 12

MAX_FILLS: Final = 3 * SLOTS  # more than one bar can make

# why something was not sent: counted per run, stored with the signal
NOTHING, TOO_SMALL, NO_CASH, TOO_LARGE, NO_SHORT, NO_STOP, HALTED, PAUSED, NO_SLOT = 0, 1, 2, 3, 4, 5, 6, 7, 8
OUT_OF_BAND, NOT_PASSIVE, NOT_WHOLE, TIMED_OUT = 9, 10, 11, 12
REASONS: Final = (
    "",
    "below the venue's minimum size",
    "not enough cash",
    "larger than the limit allows",
    "short is not allowed",
    "risk sizing needs a stop",
    "halted by the drawdown limit",
    "paused",
    "16 orders are resting already",
    "outside the venue's price band",
    "a post-only order that would have taken",
    "not to be had at once",
    "not filled within its time",
)


def empty_book() -> Floats:
    book = np.zeros((SLOTS + 1 + LEVELS, WIDTH))
    watch(book)
    return book


def blank_row() -> Floats:
    """A row with the values that an order has when nobody says otherwise."""
    row = np.zeros(WIDTH)
    row[STOP:WORST] = np.nan
    row[FRESH], row[AHEAD] = 1.0, np.nan
    return row


def fill_buffer(rows: int = MAX_FILLS) -> Floats:
    return np.empty((rows, F_WIDTH))


def resting(book: Floats) -> Floats:
    """The rows of the orders that rest, oldest first (a view)."""
    return book[: int(book[SLOTS, COUNT])]


def book_of(rows: Sequence[Sequence[float] | Floats], before: Floats | None = None) -> Floats:
    """A book from the rows that `resting` gave; rows that an older version stored lack the last columns. `before` is
    the book that it takes the place of: it tells which candle is at work."""
    book = empty_book()
    if before is not None:
        book[SLOTS, NOW : SPAN + 1] = before[SLOTS, NOW : SPAN + 1]
    for i, row in enumerate(rows):
        book[i] = blank_row()
        book[i, : len(row)] = row
    book[SLOTS, COUNT] = len(rows)
    watch(book)
    return book


@inlined
def asleep(book: Floats, row: int) -> bool:
    """Whether an order is still on its way. One at the market counts in the candle in which it arrives, any other from
    the next candle on: nothing tells what of the candle was before it."""
    active, now = book[row, ACTIVE], book[SLOTS, NOW]
    return bool(active > now and (book[row, KIND] != MARKET or active >= now + max(book[SLOTS, SPAN], 0.0)))


@inlined
def unmet(book: Floats, row: int) -> bool:
    """Whether the first candle that an order meets decides something about it."""
    return bool(book[row, FRESH] == 1.0 and (book[row, FORCE] != GTC or book[row, AHEAD] == np.inf))


@kernel
def watch(book: Floats) -> None:
    """Brings the head up to date: whoever has changed the orders of a book ends with this."""
    low, high, trails, until, firsts = -np.inf, np.inf, 0.0, np.inf, 0.0
    for row in range(int(book[SLOTS, COUNT])):
        kind, price = book[row, KIND], book[row, PRICE]
        if book[row, EXPIRES] > 0.0:
            until = min(until, book[row, EXPIRES])
        if asleep(book, row):
            until = min(until, book[SLOTS, NOW] if kind == MARKET else book[row, ACTIVE])  # the next may last longer
        elif unmet(book, row):
            low = np.inf
            firsts += 1.0
        elif kind == MARKET:
            low = np.inf
        elif (kind == LIMIT or kind == TOUCH) == (book[row, SIDE] > 0.0):
            low = max(low, price)
        else:
            high = min(high, price)
        if book[row, ROLE] == TRAILING:
            trails += 1.0
    book[SLOTS, LOW] = low
    book[SLOTS, HIGH] = high
    book[SLOTS, TRAILS] = trails
    book[SLOTS, NEXT] = until
    book[SLOTS, FIRSTS] = firsts


@kernel
def add_order(book: Floats, number: float, kind: float, role: float, side: float, qty: float, price: float) -> int:
    """Appends an order and gives its row, or -1 when all slots are taken. Rates start as NaN; exits only reduce."""
    n = int(book[SLOTS, COUNT])
    if n == SLOTS:
        return -1
    book[n, ID] = number
    book[n, KIND] = kind
    book[n, ROLE] = role
    book[n, SIDE] = side
    book[n, QTY] = qty
    book[n, PRICE] = price
    book[n, REDUCE] = 0.0 if role == ENTRY else 1.0
    book[n, STOP] = np.nan
    book[n, TAKE] = np.nan
    book[n, TRAIL] = np.nan
    book[n, WORST] = 0.0
    book[n, FORCE] = GTC
    book[n, FRESH] = 1.0
    book[n, ACTIVE] = 0.0
    book[n, EXPIRES] = 0.0
    book[n, GROUP] = 0.0
    book[n, AHEAD] = np.nan
    book[n, READY] = 0.0
    book[n, PART] = 0.0
    book[n, LEAVING] = 0.0
    book[SLOTS, COUNT] = n + 1
    return n


@kernel
def drop_order(book: Floats, row: int) -> None:
    """Takes an order out; the ones behind it move up, so that the order of ages is kept."""
    n = int(book[SLOTS, COUNT])
    for i in range(row, n - 1):
        for column in range(WIDTH):
            book[i, column] = book[i + 1, column]
    book[SLOTS, COUNT] = n - 1


@kernel
def drop_role(book: Floats, role: float) -> None:
    """Takes out all orders of a role."""
    row = int(book[SLOTS, COUNT]) - 1
    while row >= 0:
        if book[row, ROLE] == role:
            drop_order(book, row)
        row -= 1


@kernel
def drop_exits(book: Floats) -> None:
    """Takes out all that only reduces: what is left when a position is closed."""
    row = int(book[SLOTS, COUNT]) - 1
    while row >= 0:
        if book[row, REDUCE] == 1.0:
            drop_order(book, row)
        row -= 1


@kernel
def make_room(book: Floats) -> None:
    """When all slots are taken the youngest entry goes, or, where there is none, the youngest limit: never a stop."""
    n = int(book[SLOTS, COUNT])
    if n < SLOTS:
        return
    for row in range(n - 1, -1, -1):
        if book[row, REDUCE] == 0.0:
            drop_order(book, row)
            return
    for row in range(n - 1, -1, -1):
        if book[row, KIND] == LIMIT:
            drop_order(book, row)
            return


@inlined
def arrival(book: Floats, latency: float) -> float:
    """When an order that is sent at the end of the candle at work reaches the venue; 0 = at once."""
    return ended(book) + latency if latency > 0.0 else 0.0


@inlined
def ended(book: Floats) -> float:
    """When the candle at work is over: what is known by then was known no sooner."""
    return float(book[SLOTS, NOW] + abs(book[SLOTS, SPAN]))
