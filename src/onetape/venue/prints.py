"""Prints inside candles: a path through open, both extremes and close that rebuilds each candle exactly.

Whole numbers only (prices in ticks, sizes in lots, times in milliseconds), so that sums are exact. Knows numpy alone.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onetape.venue.chance import draw

Ints = NDArray[np.int64]

SLOTS: Final = 20  # most prints in one minute
_FEWEST: Final = 6
_MINUTE_MS: Final = 60_000


class Minutes(NamedTuple):
    """One-minute candles as columns of one length: prices in ticks, volume in lots, `number` = minutes since 1970."""

    number: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    lots: Ints

    def rows(self, start: int, stop: int) -> Minutes:
        return Minutes(*(column[start:stop] for column in self))


class Prints(NamedTuple):
    """Prints of n minutes, (n, SLOTS) each; in row i the first `n[i]` are valid, oldest first.

    `ms` counts from the minute's open and is strictly rising, in [0, 60000).
    """

    n: Ints
    price: Ints
    lots: Ints
    ms: Ints
    buy: NDArray[np.bool_]


def prints_of(minutes: Minutes, seed: int, step: int) -> Prints:
    """6 to 20 prints a minute: the first at the open, the last at the close, both extremes touched.

    A minute without volume whose four prices are equal has none. Fewer lots than prints mean fewer prints, but never
    fewer than the path needs; only then may a print have size 0. Prices in between lie on multiples of `step` ticks
    where they can.
    """
    number = minutes.number[:, None]
    slot = np.arange(SLOTS, dtype=np.int64)[None, :]
    count = counts(minutes, seed)
    n = count[:, None]
    valid = slot < n
    price = path(minutes, n, slot, seed, step)
    lots = sizes(minutes.lots[:, None], valid, draw(seed, 3, number, slot))
    ms = (slot * 1_000 + draw(seed, 4, number, slot) % 1_000) * (_MINUTE_MS // 1_000) // np.maximum(n, 1)
    change = np.diff(price, axis=1, prepend=price[:, :1])
    buy = np.where(change == 0, draw(seed, 5, number, slot) % 2 == 0, change > 0)
    return Prints(count, np.where(valid, price, 0), lots, ms, buy)


def counts(minutes: Minutes, seed: int) -> Ints:
    """How many prints each minute has."""
    flat = minutes.high == minutes.low
    wanted = _FEWEST + draw(seed, 1, minutes.number) % (SLOTS - _FEWEST + 1)
    count = np.minimum(wanted, np.maximum(minutes.lots, np.where(flat, 1, 4)))
    found: Ints = np.where(flat & (minutes.lots == 0), 0, count)
    return found


def path(minutes: Minutes, n: Ints, slot: Ints, seed: int, step: int) -> Ints:
    """n prices a row, through (0, open), (a, one extreme), (b, the other), (n - 1, close) with 0 < a < b < n - 1."""
    number, opening, high, low, close = (column[:, None] for column in minutes[:5])
    chance = draw(seed, 2, number)
    a = 1 + chance % np.maximum(n - 3, 1)
    b = a + 1 + (chance >> 16) % np.maximum(n - 2 - a, 1)
    low_first = (close >= opening) ^ ((chance >> 40) % 4 == 0)
    one, other = np.where(low_first, low, high), np.where(low_first, high, low)
    from_x = np.where(slot <= a, 0, np.where(slot <= b, a, b))
    to_x = np.where(slot <= a, a, np.where(slot <= b, b, np.maximum(n - 1, b + 1)))
    from_y = np.where(slot <= a, opening, np.where(slot <= b, one, other))
    to_y = np.where(slot <= a, one, np.where(slot <= b, other, close))
    jitter = (draw(seed, 6, number, slot) % 1_000 / 1_000 - 0.5) * 0.3 * (high - low)
    smooth = from_y + (to_y - from_y) * ((slot - from_x) / (to_x - from_x)) + jitter
    price: Ints = np.clip(np.rint(smooth / step).astype(np.int64) * step, low, high)
    for x, y in ((a, one), (b, other), (n - 1, close), (np.zeros_like(n), opening)):
        price = np.where(slot == x, y, price)
    return price


def sizes(total: Ints, valid: NDArray[np.bool_], chance: Ints) -> Ints:
    """Sizes of the valid places of each row that sum to the row's `total` to the lot."""
    n = valid.sum(axis=1, keepdims=True)
    weight = np.where(valid, 1 + chance % 1_000, 0)
    parts = total // np.maximum(weight.sum(axis=1, keepdims=True), 1) * weight
    rest = total - parts.sum(axis=1, keepdims=True)
    even, extra = rest // np.maximum(n, 1), rest % np.maximum(n, 1)
    slot = np.arange(valid.shape[1], dtype=np.int64)[None, :]
    whole: Ints = np.where(valid, parts + even + (slot < extra), 0)
    return whole
