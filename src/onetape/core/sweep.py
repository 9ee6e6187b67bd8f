"""A run of which only the sums are kept: what a search asks of each trial. The very loop of every other run, in arrays
that the next trial uses again."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from onetape.core.bars import Bars, Funding, fixed
from onetape.core.compiled import inlined, kernel
from onetape.core.loop import AHEAD, fold
from onetape.core.state import F_BAR, MAX_FILLS, REASONS, fill_buffer
from onetape.core.stats import (
    D_WIDTH,
    H_WIDTH,
    J_WIDTH,
    O_WIDTH,
    T_WIDTH,
    deeper,
    held_on,
    judge_trips,
    more_trips,
    no_fall,
    open_trip,
)
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats, Ints
from onetape.domain.units import Money

PIECE: Final = 32_768  # candles that are traded at one time: their equity stays in the cache
FILLS: Final = 2_048  # that are looked at together


class Room(NamedTuple):
    """The arrays of one worker; `clear` makes them ready for the next trial."""

    equity: Floats  # at each close of a piece
    closes: Floats  # the cash at the start, and equity at the last close of each day
    fills: Floats
    trips: Floats
    rejected: Ints
    awake: Ints
    under_way: Floats  # core.stats.O_*
    judged: Floats  # J_*
    held: Floats  # H_*
    fall: Floats  # D_*
    due: Ints  # candles of a piece at which funding is paid
    due_read: Ints  # the same memory as the loop wants it, read-only


def room_for(days: int, payments: int) -> Room:
    """Room for trials over so many days with so many funding payments."""
    due = np.empty(payments, np.int64)
    return Room(
        equity=np.empty(PIECE),
        closes=np.empty(days + 1),
        fills=fill_buffer(FILLS + MAX_FILLS),
        trips=np.empty((FILLS + MAX_FILLS + 1, T_WIDTH)),
        rejected=np.empty(len(REASONS), np.int64),
        awake=np.empty(AHEAD, np.int64),
        under_way=np.empty(O_WIDTH),
        judged=np.empty(J_WIDTH),
        held=np.empty(H_WIDTH),
        fall=np.empty(D_WIDTH),
        due=due,
        due_read=fixed(due),
    )


@kernel
def clear(room: Room, cash: Money) -> None:
    """As before the first candle that is traded."""
    room.closes[:] = cash
    room.rejected[:] = 0
    room.under_way[:] = 0.0
    room.judged[:] = 0.0
    room.held[:] = 0.0
    no_fall(room.fall, cash)


@inlined
def bars_between(bars: Bars, begin: int, stop: int) -> Bars:
    """A stretch of candles without order books."""
    return Bars(
        bars.open[begin:stop], bars.high[begin:stop], bars.low[begin:stop], bars.close[begin:stop],
        bars.volume[begin:stop], bars.ts[begin:stop], bars.length, bars.depth_at, bars.depth,
    )  # fmt: skip


@inlined
def columns_between(
    columns: tuple[Floats, Floats, Floats, Floats, Floats], begin: int, stop: int
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    target, stops, take, trail, limit = columns
    return target[begin:stop], stops[begin:stop], take[begin:stop], trail[begin:stop], limit[begin:stop]


@inlined
def due_between(funding: Funding, begin: int, stop: int, room: Room) -> Funding:
    """The payments at candles [begin, stop), counted from `begin` on."""
    first, last = np.searchsorted(funding.at, begin), np.searchsorted(funding.at, stop)
    for k in range(first, last):
        room.due[k - first] = funding.at[k] - begin
    return Funding(room.due_read[: last - first], funding.rate[first:last])


@kernel
def close_days(room: Room, ends: Ints, begin: int, stop: int) -> None:
    """Keeps the equity of the days that end in candles [begin, stop), which is the piece at work."""
    k = int(np.searchsorted(ends, begin))
    while k < len(ends) and ends[k] < stop:
        room.closes[k + 1] = room.equity[ends[k] - begin]
        k += 1


@kernel
def look(room: Room, made: int, begin: int, ts: Ints, lot: float) -> None:
    """Sums up the first `made` fills, of a piece that begins with candle `begin`."""
    fills = room.fills[:made]
    for k in range(made):
        fills[k, F_BAR] += begin
    ended = more_trips(fills, lot, room.under_way, room.trips)
    judge_trips(room.trips[:ended], ts, room.judged)
    held_on(fills, room.held)


@kernel
def summed(
    bars: Bars,
    days: tuple[Ints, Ints],
    known: Ints,
    columns: tuple[Floats, Floats, Floats, Floats, Floats],
    account: Account,
    book: Floats,
    rules: Rules,
    funding: Funding,
    at: tuple[int, int],
    room: Room,
) -> tuple[Account, Money, int]:
    """Trades as `core.loop.run` does, from `at` (candle, signal row) to the last candle, and sums up in `room` what
    became of it. `days` are the open times of the candles and the rows of the last one of each day. Gives the account,
    the equity at the end, and 1 when a position is still held there."""
    clear(room, account.cash)
    n, (begin, s), last = len(bars.close), at, account.cash
    while begin < n:
        stop = min(begin + PIECE, n)
        piece, due = bars_between(bars, begin, stop), due_between(funding, begin, stop, room)
        i, f, said = 0, 0, columns
        if len(known) == 0:
            said, s = columns_between(columns, begin, stop), 0
        while i < stop - begin:
            account, i, s, made, f = fold(
                piece, known[begin:stop], said, account, book, rules, due, (i, s, 0, f), stop - begin,
                room.equity, room.fills, room.rejected, room.awake,
            )  # fmt: skip
            look(room, made, begin, days[0], rules.terms.lot)
        deeper(room.equity[: stop - begin], begin, room.fall)
        close_days(room, days[1], begin, stop)
        last = room.equity[stop - begin - 1]
        begin = stop
    return account, last, open_trip(room.under_way, n - 1, bars.close[n - 1], room.trips)
