"""Candles in PostgreSQL: appended by upsert, read back by binary COPY straight into numpy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final

import asyncpg
import numpy as np
from numpy.typing import NDArray

from onetape.domain.frame import COLUMNS, CandleFrame, concat
from onetape.domain.instrument import Instrument
from onetape.domain.market import Corrected, Gap, Origin
from onetape.domain.units import EARLIEST, LATEST, Micros, Timeframe
from onetape.ports import Appended, Correction, Coverage
from onetape.storage import binary, rollups
from onetape.storage import gaps as gaps_of
from onetape.storage.chunks import hypertables
from onetape.storage.instruments import instrument_of, row_of
from onetape.storage.partitions import SPANS, ensure_partitions
from onetape.storage.pool import EPOCH_2000, reading, transaction
from onetape.storage.sql import load

TABLE: Final = "processed_market_data"
BULK: Final = 1_000  # rows from which on a staging table is worth its making
PIECE: Final = 25_000  # rows of one transaction: a live candle of the series waits for its end
LONG: Final = 200_000  # rows of a series from which on it is loaded as two halves
ROW: Final = rollups.ROW
KEYS: Final = ("exchange", "symbol", "timeframe")
Where = tuple[str, str, str, Micros, Micros]  # series, first and last open time
Writer = Callable[[Any, Where, CandleFrame], Awaitable[tuple[int, int]]]  # rows new, rows changed
_ARRAYS: Final = (
    "unnest($6::timestamptz[], $7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::float8[],"
    " $13::int2[]) AS staged (ts, open, high, low, close, volume, turnover, origin)"
)


class PgCandleStore:
    """Fulfils ports.CandleStore. `pool` comes from storage.pool.open_pool; `told` hears of the past that has changed,
    after the commit."""

    def __init__(self, pool: Any, told: Callable[[Corrected], None] = lambda _: None) -> None:
        self._pool, self._told = pool, told
        self._partitions: set[Micros] = set()
        self._chunked: bool | None = None

    async def append(self, frame: CandleFrame) -> Appended:
        """See the port. Each piece is one transaction; what arrives candle by candle is on the disk when it ends."""
        rows, new, changed = len(frame), 0, 0
        for piece in _pieces(frame):
            try:
                done = await self._append(piece)
            except asyncpg.CheckViolationError:  # a partition that was there has been archived
                self._partitions.clear()
                done = await self._append(piece)
            new, changed = new + done.new, changed + done.changed
        return Appended(rows, new, changed)

    async def _append(self, frame: CandleFrame) -> Appended:
        await self._make_partitions(frame)
        series = (frame.exchange, frame.symbol, str(frame.timeframe))
        first, last = int(frame.ts[0]), int(frame.ts[-1])
        rolling = frame.timeframe == rollups.SOURCE
        async with transaction(self._pool, durable=len(frame) < BULK) as connection:
            before = await rollups.begin(connection, *series[:2]) if rolling else None
            await self._unpack(connection, (*series, first, last))
            write = _few if len(frame) < BULK else await _how(connection, (*series, first, last))
            new, changed = await write(connection, (*series, first, last), frame)
            ends = await connection.fetchval(load("candles_covered"), *series, first, last, new) if new else last
            await gaps_of.filled(connection, frame)
            if before and (new or changed):
                await rollups.follow(connection, frame, before)
        if changed or ends > last:
            self._told(Corrected(*series, first, int(frame.close_ts[-1])))
        return Appended(len(frame), new, changed)

    async def _unpack(self, connection: Any, where: Where) -> None:
        """Takes the rows of a span out of compressed chunks. The upsert cannot leave that to the server: it reads and
        changes rows in one statement, and what is unpacked during a statement is not seen by the rest of it."""
        if self._chunked is None:
            self._chunked = await hypertables(connection)
        if self._chunked and await connection.fetchval(load("candles_packed"), *where):
            await connection.execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
            await connection.execute(load("candles_unpack"), *where)

    async def _make_partitions(self, frame: CandleFrame) -> None:
        first, last = (SPANS[TABLE].floor(int(ts)) for ts in (frame.ts[0], frame.ts[-1]))
        if first in self._partitions and last in self._partitions:
            return
        async with reading(self._pool) as connection:
            await ensure_partitions(connection, TABLE, int(frame.ts[0]), int(frame.ts[-1]))
        self._partitions |= {first, last}

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame:
        """Long spans come as two halves over two connections, because packing the rows keeps one core busy each."""
        start = EARLIEST if start_ts is None else start_ts
        end = LATEST if end_ts is None else end_ts
        market = (exchange, symbol)
        async with reading(self._pool) as connection:
            covered = await connection.fetchrow(load("candles_span"), *market, str(timeframe))
        if not covered:
            return CandleFrame.empty(*market, timeframe)
        middle = (max(start, covered["first_ts"]) + min(end, covered["last_ts"])) // 2
        if covered["rows"] < LONG or not start < middle < end:
            return await self._copy_out("candles_load", market, timeframe, start, end)
        spans = ((start, middle), (middle, end))
        return concat(
            await asyncio.gather(*(self._copy_out("candles_load", market, timeframe, *span) for span in spans))
        )

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame:
        end = LATEST if before_ts is None else before_ts
        return await self._copy_out("candles_tail", (exchange, symbol), timeframe, end, n)

    async def _copy_out(self, query: str, market: tuple[str, str], timeframe: Timeframe, *limits: int) -> CandleFrame:
        async with reading(self._pool) as connection:
            return await rollups.copy_out(connection, query, market, timeframe, *limits)

    async def rolled(
        self,
        market: tuple[str, str],
        timeframe: Timeframe,
        start_ts: Micros | None,
        end_ts: Micros | None,
        last: int | None = None,
    ) -> CandleFrame | None:
        """See the port."""
        if timeframe not in rollups.TARGETS:
            return None
        span = (EARLIEST if start_ts is None else start_ts, LATEST if end_ts is None else end_ts)
        async with reading(self._pool) as connection:
            known = "SELECT EXISTS (SELECT FROM rolled_series WHERE exchange = $1 AND symbol = $2)"
            if not await connection.fetchval(known, *market):
                return None
            if last is None:
                return await rollups.copy_out(connection, "rollups_load", market, timeframe, *span)
            return await rollups.copy_out(connection, "rollups_tail", market, timeframe, *span, last)

    async def corrections(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> list[Correction]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("corrections"), exchange, symbol, str(timeframe), start_ts, end_ts)
        return [
            Correction(
                **{
                    **row,
                    "origin_before": Origin(row["origin_before"]),
                    "origin_after": Origin(row["origin_after"]),
                }
            )
            for row in rows
        ]

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]:
        async with reading(self._pool) as connection:
            return [Coverage(**row) for row in await connection.fetch(load("coverage"), exchange, symbol)]

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        async with transaction(self._pool, durable=False) as connection:
            return await gaps_of.add(connection, gaps)

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        async with transaction(self._pool, durable=False) as connection:
            return await gaps_of.close(connection, gaps, how)

    async def expect(self, gap: Gap, seconds: float) -> None:
        series = (gap.exchange, gap.symbol, gap.channel)
        async with reading(self._pool) as connection:
            await connection.execute(load("gaps_expect"), *series, gap.start_ts, gap.end_ts, seconds)

    async def gaps(self, exchange: str, symbol: str | None, channel: str | None) -> list[Gap]:
        """The open ones, oldest first; a candle gap closes by itself when its last candle is appended."""
        return await self._gaps("gaps", exchange, symbol, channel)

    async def absent(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        return await self._gaps("gaps_absent", exchange, symbol, channel)

    async def _gaps(self, query: str, *series: str | None) -> list[Gap]:
        async with reading(self._pool) as connection:
            return [Gap(**row) for row in await connection.fetch(load(query), *series)]

    async def instruments(self) -> list[Instrument]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("instruments"))
        return [instrument_of(row) for row in rows]

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        async with transaction(self._pool) as connection:
            await connection.executemany(load("instruments_put"), [row_of(each) for each in instruments])


def _pieces(frame: CandleFrame) -> Iterator[CandleFrame]:
    """Of nearly the same length, in order."""
    count = -(-len(frame) // PIECE)
    for i in range(count):
        yield frame.rows(i * len(frame) // count, (i + 1) * len(frame) // count)


async def _how(connection: Any, where: Where) -> Writer:
    """Straight into the table where nothing of the series can collide, else by upsert."""
    return _staged if await connection.fetchval(load("candles_any"), *where) else _straight


async def _straight(connection: Any, where: Where, frame: CandleFrame) -> tuple[int, int]:
    """By COPY, twice as fast as the upsert. A writer who was faster makes it an upsert after all."""
    series = [text.encode() for text in where[:3]]
    keys = tuple((name, f"S{len(text)}") for name, text in zip(KEYS, series, strict=True))
    values = _values(frame) | dict(zip(KEYS, map(np.array, series), strict=True))
    source = _stream((*keys, *ROW), values, len(frame))
    columns = [*KEYS, "timestamp", *COLUMNS[1:]]
    try:
        async with connection.transaction():
            await connection.copy_to_table(TABLE, source=source, columns=columns, format="binary")
    except asyncpg.UniqueViolationError:
        return await _staged(connection, where, frame)
    return len(frame), 0


async def _staged(connection: Any, where: Where, frame: CandleFrame) -> tuple[int, int]:
    """By COPY into a staging table that ends with the transaction, then the upsert."""
    await connection.execute(load("candles_staging"))
    await connection.copy_to_table("staged", source=_stream(ROW, _values(frame), len(frame)), format="binary")
    # Nobody has statistics of the staging table: a wrong guess must not end in a million scans of it.
    await connection.execute("SET LOCAL enable_nestloop = off")
    row = await connection.fetchrow(load("candles_append").format(source="staged"), *where)
    await connection.execute("RESET enable_nestloop")
    return row["new"], row["changed"]


async def _few(connection: Any, where: Where, frame: CandleFrame) -> tuple[int, int]:
    """One statement, without a table to make."""
    columns = [getattr(frame, name).tolist() for name in COLUMNS]
    row = await connection.fetchrow(load("candles_append").format(source=_ARRAYS), *where, *columns)
    return row["new"], row["changed"]


def _values(frame: CandleFrame) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {name: getattr(frame, name) for name in COLUMNS}
    return columns | {"ts": frame.ts - EPOCH_2000}


async def _stream(row: binary.Columns, values: dict[str, NDArray[Any]], n: int) -> AsyncIterator[bytes]:
    for piece in binary.write(row, values, n):
        yield piece
