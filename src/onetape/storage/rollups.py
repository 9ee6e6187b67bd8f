"""Longer candles kept ready: what `resample` makes of the stored 1m ones, renewed in the transaction of every append.

A bucket is there when its time is covered to the end: when the last stored minute closes at its end or later. Because
the same function makes it of the same rows as a reader would, it equals a fresh aggregation bit for bit.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from onetape.domain.frame import COLUMNS, CandleFrame, resample
from onetape.domain.units import MINUTE, Micros, Timeframe
from onetape.storage import binary
from onetape.storage.pool import EPOCH_2000, transaction
from onetape.storage.sql import load

SOURCE: Final = Timeframe(1, "m")
TARGETS: Final = tuple(Timeframe.parse(text) for text in ("15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d"))
ROW: Final = (("ts", ">i8"), *((name, ">f8") for name in COLUMNS[1:-1]), ("origin", ">i2"))
_DAY: Final = Timeframe(1, "d")
_PIECE: Final = 366 * 1_440 * MINUTE  # so much is rolled up at once
_ROWS: Final = 20_000  # of one statement
_LOCK: Final = 7_313_003


class State(NamedTuple):
    """Of the stored 1m candles before an append: the last one (None = none), and whether their rollups are whole."""

    last_ts: Micros | None
    rolled: bool


async def begin(connection: Any, exchange: str, symbol: str) -> State:
    """Makes appends to one series take turns until the transaction ends."""
    row = await connection.fetchrow(load("rollups_state"), exchange, symbol)
    if row is None:
        await connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _LOCK, f"{exchange}:{symbol}")
        row = await connection.fetchrow(load("rollups_state"), exchange, symbol)
    return State(row["last_ts"], row["rolled"]) if row else State(None, True)


async def follow(connection: Any, frame: CandleFrame, before: State) -> None:
    """Renews every bucket that the rows just written touch, and the one that ends with them."""
    if not before.rolled:
        return  # `roll_up` makes them all later
    first, last = int(frame.ts[0]), int(frame.ts[-1])
    if before.last_ts is None:
        await _mark(connection, frame.exchange, frame.symbol)
    end = max(before.last_ts or last, last) + MINUTE
    spans = [(first, last)]
    if before.last_ts is not None and last > before.last_ts:
        if first - before.last_ts <= _DAY.micros:
            spans = [(min(first, before.last_ts), last)]
        else:
            spans = [(before.last_ts, before.last_ts), (first, last)]
    for a, b in spans:
        await _renew(connection, (frame.exchange, frame.symbol), a, b, end)


async def _renew(connection: Any, market: tuple[str, str], first: Micros, last: Micros, end: Micros) -> None:
    """The buckets that hold any time of [first, last] and end by `end`."""
    wanted = {each: (each.floor(first), min(each.next(last), each.floor(end))) for each in TARGETS}
    wanted = {each: span for each, span in wanted.items() if span[0] < span[1]}
    if not wanted:
        return
    start = min(span[0] for span in wanted.values())
    stop = max(span[1] for span in wanted.values())
    while start < stop:
        piece_end = min(stop, _DAY.floor(start + _PIECE))
        source = await copy_out(connection, "candles_load", market, SOURCE, start, piece_end)
        parts = [
            resample(source.between(max(a, start), min(b, piece_end)), each)
            for each, (a, b) in wanted.items()
            if max(a, start) < min(b, piece_end)
        ]
        await _put(connection, market, [part for part in parts if len(part)])
        start = piece_end


async def _put(connection: Any, market: tuple[str, str], parts: list[CandleFrame]) -> None:
    if not parts:
        return
    names = np.concatenate([np.full(len(part), str(part.timeframe), object) for part in parts])
    columns = [names, *(np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS)]
    for i in range(0, len(names), _ROWS):
        rows = [column[i : i + _ROWS].tolist() for column in columns]
        await connection.execute(load("rollups_put"), *market, *rows)


async def _mark(connection: Any, exchange: str, symbol: str) -> None:
    await connection.execute("INSERT INTO rolled_series VALUES ($1, $2) ON CONFLICT DO NOTHING", exchange, symbol)


async def roll_up(pool: Any) -> int:
    """Makes the rollups of series that were stored before there were any, and gives how many series that were."""
    async with transaction(pool) as connection:
        series = await connection.fetch(load("rollups_missing"))
    for row in series:
        market = (row["exchange"], row["symbol"])
        async with transaction(pool, durable=False) as connection:
            state = await begin(connection, *market)
            if not state.rolled and state.last_ts is not None:
                await _renew(connection, market, row["first_ts"], state.last_ts, state.last_ts + MINUTE)
                await _mark(connection, *market)
    return len(series)


async def copy_out(
    connection: Any, query: str, market: tuple[str, str], timeframe: Timeframe, *limits: int
) -> CandleFrame:
    """The rows of a query of candles, straight into numpy."""
    pieces: list[bytes] = []

    async def collect(piece: bytes) -> None:
        pieces.append(piece)

    await connection.copy_from_query(
        load(query), *market, str(timeframe), *limits, output=collect, format="binary"
    )  # fmt: skip
    rows = binary.read(ROW, b"".join(pieces))
    columns: dict[str, object] = {name: rows[name] for name in COLUMNS}
    columns["ts"] = rows["ts"] + EPOCH_2000
    return CandleFrame.of(*market, timeframe, columns, check=False)
