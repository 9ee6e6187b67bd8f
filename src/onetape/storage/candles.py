"""Candles in PostgreSQL: appended by upsert, read back by binary COPY straight into numpy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from numpy.typing import NDArray

from onetape.domain.frame import COLUMNS, CandleFrame
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import Gap
from onetape.domain.units import Micros, Timeframe
from onetape.ports import Appended, Coverage
from onetape.storage import binary
from onetape.storage.partitions import SPANS, ensure_partitions
from onetape.storage.pool import EPOCH_2000, reading, transaction
from onetape.storage.sql import load

TABLE: Final = "processed_market_data"
BULK: Final = 1_000  # rows from which on a staging table is worth its making
EARLIEST: Final[Micros] = -62_135_596_800_000_000  # 0001-01-01
LATEST: Final[Micros] = 253_402_300_799_000_000  # 9999-12-31
ROW: Final = (("ts", ">i8"), *((name, ">f8") for name in COLUMNS[1:-1]), ("origin", ">i2"))
_ARRAYS: Final = (
    "unnest($6::timestamptz[], $7::float8[], $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::float8[],"
    " $13::int2[]) AS staged (ts, open, high, low, close, volume, turnover, origin)"
)


class PgCandleStore:
    """Fulfils ports.CandleStore. `pool` comes from storage.pool.open_pool."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._partitions: set[Micros] = set()

    async def append(self, frame: CandleFrame) -> Appended:
        """One transaction. A candle that is there already is replaced where it differs; the newest word counts."""
        if not len(frame):
            return Appended(0, 0, 0)
        await self._make_partitions(frame)
        series = (frame.exchange, frame.symbol, str(frame.timeframe))
        first, last = int(frame.ts[0]), int(frame.ts[-1])
        async with transaction(self._pool, durable=False) as connection:
            row = await (_bulk if len(frame) >= BULK else _few)(connection, (*series, first, last), frame)
            if row["new"]:
                await connection.execute(load("candles_covered"), *series, first, last, row["new"])
                await connection.execute(load("gaps_close"), *series, first, last, frame.timeframe.micros)
        return Appended(len(frame), row["new"], row["changed"])

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
        start = EARLIEST if start_ts is None else start_ts
        end = LATEST if end_ts is None else end_ts
        return await self._copy_out("candles_load", (exchange, symbol), timeframe, start, end)

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame:
        end = LATEST if before_ts is None else before_ts
        return await self._copy_out("candles_tail", (exchange, symbol), timeframe, end, n)

    async def _copy_out(self, query: str, market: tuple[str, str], timeframe: Timeframe, *limits: int) -> CandleFrame:
        pieces: list[bytes] = []

        async def collect(piece: bytes) -> None:
            pieces.append(piece)

        async with reading(self._pool) as connection:
            await connection.copy_from_query(
                load(query), *market, str(timeframe), *limits, output=collect, format="binary"
            )
        rows = binary.read(ROW, b"".join(pieces))
        columns: dict[str, object] = {name: rows[name] for name in COLUMNS}
        columns["ts"] = rows["ts"] + EPOCH_2000
        return CandleFrame.of(*market, timeframe, columns, check=False)

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]:
        async with reading(self._pool) as connection:
            return [Coverage(**row) for row in await connection.fetch(load("coverage"), exchange, symbol)]

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        columns = [
            [getattr(gap, name) for gap in gaps]
            for name in ("exchange", "symbol", "channel", "start_ts", "end_ts", "cause")
        ]
        async with transaction(self._pool, durable=False) as connection:
            return len(await connection.fetch(load("gaps_add"), *columns))

    async def gaps(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        """The open ones, oldest first; a candle gap closes by itself when its last candle is appended."""
        async with reading(self._pool) as connection:
            return [Gap(**row) for row in await connection.fetch(load("gaps"), exchange, symbol, channel)]

    async def instruments(self) -> list[Instrument]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("instruments"))
        return [Instrument(**{**row, "kind": Kind(row["kind"])}) for row in rows]

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        rows = [tuple(getattr(i, name) for name in Instrument.__struct_fields__) for i in instruments]
        async with transaction(self._pool) as connection:
            await connection.executemany(load("instruments_put"), rows)


async def _bulk(connection: Any, where: tuple[str, str, str, int, int], frame: CandleFrame) -> Any:
    """By COPY into a staging table that ends with the transaction."""
    await connection.execute(load("candles_staging"))
    values: dict[str, NDArray[Any]] = {name: getattr(frame, name) for name in COLUMNS}
    values["ts"] = frame.ts - EPOCH_2000
    await connection.copy_to_table("staged", source=_stream(values, len(frame)), format="binary")
    # A backfill into old, compressed parts of a hypertable may need to unpack many rows; elsewhere this says nothing.
    await connection.execute("SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    return await connection.fetchrow(load("candles_append").format(source="staged"), *where)


async def _stream(values: dict[str, NDArray[Any]], n: int) -> AsyncIterator[bytes]:
    for piece in binary.write(ROW, values, n):
        yield piece


async def _few(connection: Any, where: tuple[str, str, str, int, int], frame: CandleFrame) -> Any:
    """One statement, without a table to make."""
    columns = [getattr(frame, name).tolist() for name in COLUMNS]
    return await connection.fetchrow(load("candles_append").format(source=_ARRAYS), *where, *columns)
