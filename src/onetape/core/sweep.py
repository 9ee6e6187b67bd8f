"""A run of which only the sums are kept: what a search asks of each trial. The very loop of every other run, in arrays
that the next trial uses again."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from onetape.core.bars import Bars, Funding
from onetape.core.compiled import kernel
from onetape.core.loop import AHEAD, fold
from onetape.core.state import MAX_FILLS, REASONS, fill_buffer
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

FILLS: Final = 2_048  # that are looked at together


class Room(NamedTuple):
    """The arrays of one worker; `clear` makes them ready for the next trial."""

    equity: Floats  # at each close
    fills: Floats
    trips: Floats
    rejected: Ints
    awake: Ints
    under_way: Floats  # core.stats.O_*
    judged: Floats  # J_*
    held: Floats  # H_*
    fall: Floats  # D_*


def room_for(bars: int) -> Room:
    """Room for trials over so many fill candles."""
    return Room(
        equity=np.empty(bars),
        fills=fill_buffer(FILLS + MAX_FILLS),
        trips=np.empty((FILLS + MAX_FILLS + 1, T_WIDTH)),
        rejected=np.empty(len(REASONS), np.int64),
        awake=np.empty(AHEAD, np.int64),
        under_way=np.empty(O_WIDTH),
        judged=np.empty(J_WIDTH),
        held=np.empty(H_WIDTH),
        fall=np.empty(D_WIDTH),
    )


@kernel
def clear(room: Room, cash: Money, first: int) -> None:
    """As before the first candle that is traded, which is `first`."""
    room.equity[:first] = cash
    room.rejected[:] = 0
    room.under_way[:] = 0.0
    room.judged[:] = 0.0
    room.held[:] = 0.0
    no_fall(room.fall, cash)


@kernel
def summed(
    bars: Bars,
    ts: Ints,
    known: Ints,
    columns: tuple[Floats, Floats, Floats, Floats, Floats],
    account: Account,
    book: Floats,
    rules: Rules,
    funding: Funding,
    at: tuple[int, int, int, int],
    room: Room,
) -> tuple[Account, int]:
    """Trades as `core.loop.run` does, from `at` (candle, signal row, 0, funding payment) to the last candle, and sums
    up in `room` what became of it. `ts` are the open times of the candles. Gives the account, and 1 when a position is
    still held at the end."""
    clear(room, account.cash, at[0])
    n, (i, s, _, f) = len(bars.close), at
    while True:
        account, i, s, made, f = fold(
            bars, known, columns, account, book, rules, funding, (i, s, 0, f), n, room.equity, room.fills,
            room.rejected, room.awake,
        )  # fmt: skip
        fills = room.fills[:made]
        ended = more_trips(fills, rules.terms.lot, room.under_way, room.trips)
        judge_trips(room.trips[:ended], ts, room.judged)
        held_on(fills, room.held)
        if i == n:
            break
    deeper(room.equity, 0, room.fall)
    return account, open_trip(room.under_way, n - 1, bars.close[n - 1], room.trips)
