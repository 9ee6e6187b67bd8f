"""The shape of resting orders inside the kernels, and of the fills they report.

A book is float64[SLOTS + 1, WIDTH]: the resting orders stand in rows 0 to n - 1, oldest first. The last row is its
head: n, and the band of prices outside of which some order could fill, so that a quiet candle costs two comparisons.
This is the `Plan`: up to 16 orders rest at once, so that bracket exits, grids and quoting
strategies need no second engine. Enum numbers are those of domain.orders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onetape.core.compiled import kernel
from onetape.domain.frame import Floats

SLOTS: Final = 16

# columns of a book row
ID: Final = 0  # number of the order, from Account.next_id
KIND: Final = 1  # OrderKind: 1 market, 2 limit, 3 stop
ROLE: Final = 2  # Role: 1 entry, 2 exit, 3 stop-loss, 4 take-profit, 5 trailing, 6 halt
SIDE: Final = 3  # 1 buy, -1 sell
QTY: Final = 4  # base units still open
PRICE: Final = 5  # limit or trigger; 0 for market
REDUCE: Final = 6  # 1 = may only reduce the position
STOP: Final = 7  # rate of the stop-loss that an entry brings with it; NaN = none
TAKE: Final = 8
TRAIL: Final = 9  # on a trailing order: its own rate
WIDTH: Final = 10

# columns of the head, book[SLOTS]
COUNT: Final = 0
LOW: Final = 1  # a candle whose low is at or below this may fill something
HIGH: Final = 2  # a candle whose high is at or above this may fill something
TRAILS: Final = 3  # number of trailing stops

MARKET, LIMIT, STOP_KIND = 1.0, 2.0, 3.0
ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING, HALT = 1.0, 2.0, 3.0, 4.0, 5.0, 6.0

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
F_WIDTH: Final = 10

MAX_FILLS: Final = 3 * SLOTS  # more than one bar can make

# why something was not sent: counted per run, stored with the signal
NOTHING, TOO_SMALL, NO_CASH, TOO_LARGE, NO_SHORT, NO_STOP, HALTED, PAUSED, NO_SLOT = 0, 1, 2, 3, 4, 5, 6, 7, 8
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
)


def empty_book() -> Floats:
    book = np.zeros((SLOTS + 1, WIDTH))
    watch(book)
    return book


def fill_buffer(rows: int = MAX_FILLS) -> Floats:
    return np.empty((rows, F_WIDTH))


def resting(book: Floats) -> Floats:
    """The rows of the orders that rest, oldest first (a view)."""
    return book[: int(book[SLOTS, COUNT])]


def book_of(rows: Sequence[Sequence[float] | Floats]) -> Floats:
    """A book from the rows that `resting` gave."""
    book = empty_book()
    for i, row in enumerate(rows):
        book[i] = row
    book[SLOTS, COUNT] = len(rows)
    watch(book)
    return book


@kernel
def watch(book: Floats) -> None:
    """Brings the head up to date: whoever has changed the orders of a book ends with this."""
    low, high, trails = -np.inf, np.inf, 0.0
    for row in range(int(book[SLOTS, COUNT])):
        kind, price = book[row, KIND], book[row, PRICE]
        if kind == MARKET:
            low = np.inf
        elif (kind == LIMIT) == (book[row, SIDE] > 0.0):
            low = max(low, price)
        else:
            high = min(high, price)
        if book[row, ROLE] == TRAILING:
            trails += 1.0
    book[SLOTS, LOW] = low
    book[SLOTS, HIGH] = high
    book[SLOTS, TRAILS] = trails


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
