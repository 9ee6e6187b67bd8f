"""The shape of resting orders inside the kernels, and of the fills they report.

A book is float64[SLOTS, WIDTH]; a row whose ID is 0 is free. This is the `Plan`: up to 16 orders rest at once, so that
bracket exits, grids and quoting strategies need no second engine. Enum numbers are those of domain.orders.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.domain.frame import Floats

SLOTS: Final = 16

# columns of a book row
ID: Final = 0  # number of the order, from Account.next_id; 0 = free slot
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

MAX_FILLS: Final = 2 * SLOTS  # most fills one bar can make

# why something was not sent: counted in `rejected`, stored with the signal
NOTHING, TOO_SMALL, NO_CASH, TOO_LARGE, NO_SHORT, NO_STOP, HALTED, NO_SLOT = 0, 1, 2, 3, 4, 5, 6, 7
REASONS: Final = (
    "",
    "below the venue's minimum size",
    "not enough cash",
    "larger than the limit allows",
    "short is not allowed",
    "risk sizing needs a stop",
    "halted",
    "16 orders are resting already",
)


def empty_book() -> Floats:
    return np.zeros((SLOTS, WIDTH))


def fill_buffer(rows: int) -> Floats:
    return np.empty((rows, F_WIDTH))
