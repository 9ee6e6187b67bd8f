"""Channels that show how things stand: pushed whole when they have changed, and once in a while when they have not.

The time after which each repeats itself is the exchange's (real seconds).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from onetape.venue import wire
from onetape.venue.floor import Floor
from onetape.venue.stream import Stream

Says = Callable[[Floor, Stream], tuple[str, Callable[[], list[Any]]]]


class Latest(NamedTuple):
    """`says` gives a mark that changes with the content, and the content."""

    says: Says
    every_s: float


def push(floor: Floor, name: str, stream: Stream) -> None:
    channel = CHANNELS[name]
    mark, content = channel.says(floor, stream)
    if stream.due(name, mark, channel.every_s):
        stream.say(name, stream.frame(name, content()))


def first(floor: Floor, name: str, stream: Stream) -> str:
    """What a new subscriber gets at once."""
    return stream.frame(name, CHANNELS[name].says(floor, stream)[1]())


def _ticker(floor: Floor, stream: Stream) -> tuple[str, Callable[[], list[Any]]]:
    now, tape = stream.cursor, stream.tape
    best = floor.book(tape, now, 1)
    sides = [wire.levels(tape.listing, side) for side in (best.asks, best.bids)]
    return f"{tape.last(now)} {sides}", lambda: [wire.ticker(tape, best, now)]


def _mark(_: Floor, stream: Stream) -> tuple[str, Callable[[], list[Any]]]:
    return str(stream.tape.last(stream.cursor)[0]), lambda: [wire.mark_price(stream.tape, stream.cursor)]


def _index(_: Floor, stream: Stream) -> tuple[str, Callable[[], list[Any]]]:
    return str(stream.tape.last(stream.cursor)[0]), lambda: [wire.index_ticker(stream.tape, stream.cursor)]


def _funding(floor: Floor, stream: Stream) -> tuple[str, Callable[[], list[Any]]]:
    due = floor.funding(stream.tape, stream.cursor)
    return str(due.ts), lambda: [wire.funding_rate(stream.tape.listing, due, stream.cursor)]


def _top(depth: int) -> Says:
    def says(floor: Floor, stream: Stream) -> tuple[str, Callable[[], list[Any]]]:
        listing = stream.tape.listing
        shown = floor.book(stream.tape, stream.cursor, depth)
        mark = str([wire.levels(listing, side) for side in (shown.asks, shown.bids)])
        return mark, lambda: [wire.book(listing, shown, depth)]

    return says


CHANNELS: Final[dict[str, Latest]] = {
    "tickers": Latest(_ticker, math.inf),
    "bbo-tbt": Latest(_top(1), 60.0),
    "books5": Latest(_top(5), 60.0),
    "mark-price": Latest(_mark, 10.0),
    "index-tickers": Latest(_index, 60.0),
    "funding-rate": Latest(_funding, 60.0),
}
