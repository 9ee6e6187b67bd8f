"""An order book around the last price: a pure function of the tape, the time and the seed.

Levels stand on every multiple of the listing's step; each keeps its size for a while of its own, so that two moments
near each other differ in a few levels only. Best bid < last price <= best ask.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from onetape.domain.units import Micros
from onetape.venue.chance import draw
from onetape.venue.prints import Ints
from onetape.venue.tape import Tape

DEPTH: Final = 400
_LIVES: Final = np.array([3, 20, 100, 200, 300, 400, 600, 800])  # how many moments a size lasts


class Side(NamedTuple):
    """Levels from the best outwards: `place` (multiples of the step), size in lots, number of orders."""

    place: Ints
    lots: Ints
    orders: Ints


class Book(NamedTuple):
    seq: int
    ts: Micros
    asks: Side
    bids: Side


def seq_of(ts: Micros) -> int:
    """The sequence number of a time: rising, in uneven steps."""
    ms = ts // 1_000
    return ms * 8 + (ms * 2_654_435_761 >> 7) % 7


def book_at(tape: Tape, now: Micros, moment_us: int, depth: int = DEPTH) -> Book:
    """The best `depth` levels of both sides. Sizes change only from one moment (`moment_us` long) to the next."""
    moment = now // moment_us
    price, _ = tape.last(now)
    best_ask = -(-price // tape.listing.step)
    asks = _side(tape, 1, best_ask + np.arange(depth, dtype=np.int64), moment)
    below = np.arange(best_ask - 1, max(0, best_ask - 1 - depth), -1, dtype=np.int64)
    return Book(seq_of(now), now, asks, _side(tape, 2, below, moment))


def _side(tape: Tape, salt: int, place: Ints, moment: int) -> Side:
    own = draw(tape.seed, 10 + salt, place)
    age = (moment + own % 1_009) // _LIVES[own % len(_LIVES)]
    chance = draw(tape.seed, 20 + salt, place, age)
    lots = 1 + tape.typical_lots * (1 + chance % 997 * (chance % 31)) // 10_000
    return Side(place, lots, 1 + (chance >> 20) % 9)


def changes(before: Side, after: Side) -> Side:
    """What turns one side into the other, from the best outwards on the new side; size 0 deletes a level."""
    known = {place: (lots, orders) for place, lots, orders in zip(*(c.tolist() for c in before), strict=True)}
    now = {place: (lots, orders) for place, lots, orders in zip(*(c.tolist() for c in after), strict=True)}
    moved = {place: value for place, value in now.items() if known.get(place) != value}
    moved |= {place: (0, 0) for place in known if place not in now}
    rising = bool(len(after.place) < 2 or after.place[1] > after.place[0])
    places = sorted(moved, reverse=not rising)
    columns = (places, [moved[p][0] for p in places], [moved[p][1] for p in places])
    return Side(*(np.array(column, np.int64) for column in columns))
