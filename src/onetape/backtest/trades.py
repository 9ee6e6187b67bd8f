"""The round trips and the curve of a run as people and stores want them. Made when asked for, never on the hot path."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Final

import numpy as np

from onetape.core.state import F_BAR
from onetape.core.stats import (
    T_ENTRY,
    T_ENTRY_PRICE,
    T_EXIT,
    T_EXIT_PRICE,
    T_FEES,
    T_OPEN,
    T_PROFIT,
    T_QTY,
    T_ROLE,
    T_SIDE,
)
from onetape.domain.frame import Floats, Ints
from onetape.domain.orders import Role
from onetape.domain.results import Tape, Trade

STRETCHES: Final = 5_000  # a longer curve keeps the lowest, the highest and the last value of each of so many stretches


def trades_of(tape: Tape, tags: Sequence[str] = (), owners: Sequence[str] = ()) -> list[Trade]:
    """One struct per round trip, oldest first. Times are the opens of the fill candles; an open trade ends at the last
    close. `tags` are those of the entries, one for each round trip, `owners` the books."""
    entries, exits = tape.ts[bars(tape.trips, T_ENTRY)].tolist(), tape.ts[bars(tape.trips, T_EXIT)].tolist()
    made = []
    end_ts = int(tape.close_ts[-1]) if len(tape.ts) else 0
    said = zip(tags or repeat(""), owners or repeat(""), strict=False)
    for row, entry_ts, exit_ts, (tag, owner) in zip(tape.trips.tolist(), entries, exits, said, strict=False):
        is_open = row[T_OPEN] != 0.0
        made.append(
            Trade(
                entry_ts=entry_ts,
                exit_ts=end_ts if is_open else exit_ts,
                side=int(row[T_SIDE]),
                qty=row[T_QTY],
                entry_price=row[T_ENTRY_PRICE],
                exit_price=row[T_EXIT_PRICE],
                fees=row[T_FEES],
                profit=row[T_PROFIT],
                rate=row[T_PROFIT] / (row[T_QTY] * row[T_ENTRY_PRICE]),
                exit_role="" if is_open else Role(int(row[T_ROLE])).name.lower(),
                open=is_open,
                tag=tag,
                book=owner,
            )
        )
    return made


def bars(rows: Floats, column: int) -> Ints:
    """A column of candle numbers as indices."""
    return rows[:, column].astype(np.int64)


def fill_times(tape: Tape) -> Ints:
    """When each fill came about: a time inside its candle where single trades tell it, else the candle's open."""
    if tape.fill_ts is not None:
        return tape.fill_ts
    return tape.ts[bars(tape.fills, F_BAR)]


def thinned(ts: Ints, values: Floats, stretches: int = STRETCHES) -> tuple[Ints, Floats]:
    """At most three points per stretch, chosen so that no extreme is lost; a shorter curve as it is."""
    n = len(values)
    if n <= 3 * stretches:
        return ts, values
    size = -(-n // stretches)
    whole = values[: n // size * size].reshape(-1, size)
    starts = np.arange(len(whole)) * size
    tail = np.arange(len(whole) * size, n)
    kept = [starts + whole.argmin(1), starts + whole.argmax(1), starts + size - 1, [0]]
    if len(tail):
        rest = values[tail]
        kept.append([tail[rest.argmin()], tail[rest.argmax()], n - 1])
    rows = np.unique(np.concatenate(kept).astype(np.int64))
    return ts[rows], values[rows]
