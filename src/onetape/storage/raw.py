"""Messages in PostgreSQL exactly as the venue sent them. A message that is there already is not stored again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import asyncpg
import msgspec

from onetape.domain.market import ANSWERS, RawFrame
from onetape.domain.units import Micros
from onetape.storage.partitions import SPANS, ensure_partitions
from onetape.storage.pool import reading, transaction
from onetape.storage.sql import load

TABLE: Final = "raw_market_data"
_PAGE: Final = 5_000  # rows of one page of `read`
_json: Final = msgspec.json.Decoder(msgspec.Raw)
_SERIES: Final = ("exchange", "symbol", "channel", "ts")
_KEY: Final = (*_SERIES, "seq", "recv_ts")
_LOCK: Final = 7_313_004


class PgRawStore:
    """Fulfils ports.RawStore. `pool` comes from storage.pool.open_pool."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._partitions: set[Micros] = set()

    async def append(self, frames: Sequence[RawFrame]) -> int:
        """Stores a batch in one durable transaction and gives how many were new: a message comes only once, and a
        server that is killed must not lose what was said to be stored. A frame is the same when its series, times and
        sequence number are; messages that share a millisecond are all kept. An answer to a request is the same when its
        series, time and text are, whenever it was asked for."""
        if not frames:
            return 0
        try:
            return await self._append(frames)
        except asyncpg.CheckViolationError:  # a partition that was there has been archived
            self._partitions.clear()
            return await self._append(frames)

    async def _append(self, frames: Sequence[RawFrame]) -> int:
        await self._make_partitions(frames)
        if any(frame.channel.endswith(ANSWERS) for frame in frames):
            async with transaction(self._pool) as connection:
                return await _insert(connection, await _without_known(connection, frames))
        async with reading(self._pool) as connection:  # one statement is a transaction: two ways to the server less
            return await _insert(connection, frames)

    async def _make_partitions(self, frames: Sequence[RawFrame]) -> None:
        floor, times = SPANS[TABLE].floor, [frame.ts for frame in frames]
        first, last = floor(min(times)), floor(max(times))
        wanted = ({first} if first == last else {floor(ts) for ts in times}) - self._partitions
        if not wanted:
            return
        async with reading(self._pool) as connection:
            for start in wanted:
                await ensure_partitions(connection, TABLE, start, start)
        self._partitions |= wanted

    async def last_ts(self, exchange: str, symbol: str, channel: str) -> Micros:
        """See the port."""
        question = "SELECT last_ts FROM raw_coverage WHERE exchange = $1 AND symbol = $2 AND channel = $3"
        async with reading(self._pool) as connection:
            return await connection.fetchval(question, exchange, symbol, channel) or 0

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        """The last `n` messages of one series, oldest first."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("raw_tail"), exchange, symbol, channel, n)
        return [_frame(row) for row in rows]

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[list[RawFrame]]:
        """See the port."""
        async with reading(self._pool) as connection, connection.transaction(readonly=True):
            cursor = await connection.cursor(load("raw_read"), exchange, symbol, list(channels), start_ts, end_ts)
            while rows := await cursor.fetch(_PAGE):
                yield [_frame(row) for row in rows]


async def _insert(connection: Any, frames: Sequence[RawFrame]) -> int:
    # Lists, because the interpreter keeps thousands of dead tuples of every length up to 20: a batch of each length
    # would seem to need ever more memory.
    columns = [[getattr(frame, name) for frame in frames] for name in _KEY]
    texts = [_text(frame.data) for frame in frames]
    return len(await connection.fetch(load("raw_append"), *columns, texts))


async def _without_known(connection: Any, frames: Sequence[RawFrame]) -> list[RawFrame]:
    """Leaves out answers that were stored when they were asked for before. The lock is held until they are stored, as a
    server may still be at work for a program that is dead."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    found: dict[tuple[Any, ...], RawFrame] = {}
    for frame in frames:
        if frame.channel.endswith(ANSWERS):
            found.setdefault((*(getattr(frame, name) for name in _SERIES), _text(frame.data)), frame)
    columns = [list(column) for column in zip(*found, strict=True)]
    times = columns[_SERIES.index("ts")]
    known = {row["place"] for row in await connection.fetch(load("raw_known"), *columns, min(times), max(times))}
    new = [frame for place, frame in enumerate(found.values(), 1) if place not in known]
    return [*(frame for frame in frames if not frame.channel.endswith(ANSWERS)), *new]


def _frame(row: Any) -> RawFrame:
    return RawFrame(**{**row, "data": row["data"].encode()})


def _text(data: bytes) -> str:
    """JSON text as it came; anything else is kept as a JSON string, so that one odd message cannot stop the tape."""
    text = data.decode("utf-8", "replace")
    try:
        _json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(text).decode()
    return text
