"""The time series as parts that leave the database for the archive and come back.

What makes it safe: a file is entered together with the weight of the rows it holds (how many, and the sum of their
hashes). Rows are dropped only by a transaction that weighs them again while it drops them. So whatever was killed,
repeated or written meanwhile, no row goes that is not in a file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg

from onetape.domain.errors import NotFound, Transient
from onetape.domain.parts import KINDS, RAW, Archived, Part, Weight, Which, span_of
from onetape.domain.units import LATEST, Micros
from onetape.observe import log
from onetape.ports import PartRows
from onetape.storage import chunks
from onetape.storage.chunks import WITHIN, Chunk
from onetape.storage.partitions import ensure_partitions, make_ahead
from onetape.storage.pool import reading, transaction
from onetape.storage.rows import CHANNEL, KINDS_OF, LONG, ORDER, TABLES, Rows, insertion, weight_of, where_of
from onetape.storage.sql import load

_PAGE: Final = 20_000  # rows
_KEY: Final = "(kind, exchange, symbol, channel, start_ts) = ($1, $2, $3, $4, $5::timestamptz) AND restored_at IS NULL"
# A part may lie in compressed pieces of a hypertable; elsewhere this setting says nothing.
_COMPRESSED_TOO: Final = "SET LOCAL timescaledb.max_tuples_decompressed_per_dml_transaction = 0"


class _Changed(Exception):
    """Undoes a transaction."""


class PgShelf:
    """Fulfils ports.Shelf. `pool` comes from storage.pool.open_pool."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._rows = Rows()

    async def parts(self, which: Which) -> AsyncIterator[Part]:
        """See the port."""
        before = LATEST if which.before_ts is None else which.before_ts
        for kind in KINDS if which.kind is None else (which.kind,):
            async with reading(self._pool) as connection:
                series = await connection.fetch(
                    load(f"parts_{kind}"), which.exchange, which.symbol, which.channel
                )  # fmt: skip
            for row in series:
                key = (row["exchange"], row["symbol"], row["channel"])
                end = before if kind == RAW else min(before, row["last_ts"])
                async for part in self._parts_of(kind, key, max(row["first_ts"], which.from_ts or 0), end):
                    yield part

    async def _parts_of(
        self, kind: str, series: tuple[str, str, str], from_ts: Micros, end: Micros
    ) -> AsyncIterator[Part]:
        """From one part with rows to the next by the index: as many questions as there are parts."""
        question = (
            f'SELECT min("timestamp") FROM {TABLES[kind]} WHERE exchange = $1 AND symbol = $2'
            f' AND {CHANNEL[kind]} = $3 AND "timestamp" >= $4::timestamptz AND "timestamp" < $5::timestamptz'
        )
        span = span_of(kind, series[2])
        ts = span.floor(from_ts)
        while ts < end:
            async with reading(self._pool) as connection:
                found = await connection.fetchval(question, *series, ts, end)
            if found is None:
                return
            part = Part.holding(kind, series, found)
            if part.end_ts > end:
                return
            yield part
            ts = part.end_ts

    async def weigh(self, part: Part) -> Weight:
        async with reading(self._pool) as connection:
            return await self._rows.weigh(connection, part.kind, *where_of(part))

    @asynccontextmanager
    async def take(self, part: Part) -> AsyncIterator[PartRows]:
        """See the port. One snapshot serves the weight and the rows."""
        where, *values = where_of(part)
        async with (
            reading(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            weight = await self._rows.weigh(connection, part.kind, where, *values)
            columns = await self._rows.columns(connection, part.kind)
            names = ", ".join(f'"{name}"::text' if of == "json" else f'"{name}"' for name, of in columns)
            cursor = await connection.cursor(
                f"SELECT {names} FROM {TABLES[part.kind]} WHERE {where} ORDER BY {ORDER[part.kind]}",
                *values,
                timeout=LONG,
            )
            yield PartRows(tuple((name, KINDS_OF[of]) for name, of in columns), weight, _pages(cursor))

    async def enter(self, entry: Archived, before: Archived | None) -> bool:
        """See the port."""
        part = entry.part
        async with transaction(self._pool) as connection:
            done = await connection.execute(
                load("archived_enter"), part.kind, *part.series, part.start_ts, part.end_ts, entry.file, entry.rows,
                entry.first_ts, entry.last_ts, entry.first_recv_ts, entry.bytes, entry.sha256, entry.taken.rows,
                str(entry.taken.digest), before.file if before else None,
            )  # fmt: skip
        return str(done).endswith(" 1")

    async def entries(self, which: Which) -> list[Archived]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                load("archived_list"), which.kind, which.exchange, which.symbol, which.channel, which.from_ts,
                which.before_ts,
            )  # fmt: skip
        return [_entry(row) for row in rows]

    async def beside(
        self, kind: str, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> list[Archived]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                load("archived_beside"), kind, exchange, symbol, list(channels), start_ts, end_ts
            )  # fmt: skip
        return [_entry(row) for row in rows]

    async def release(self, entries: Sequence[Archived]) -> int:
        """See the port."""
        gone = 0
        for kind in KINDS:
            mine = [entry for entry in entries if entry.part.kind == kind and entry.taken.rows]
            if not mine:
                continue
            dropped: list[Chunk] = []
            for chunk in await chunks.past(self._pool, TABLES[kind]):
                if any(chunk.start_ts <= e.part.start_ts and e.part.end_ts <= chunk.end_ts for e in mine):
                    rows = await self._drop(kind, chunk)
                    gone += rows
                    dropped += [chunk] if rows else []
            for entry in mine:
                if not any(c.start_ts <= entry.part.start_ts and entry.part.end_ts <= c.end_ts for c in dropped):
                    gone += await self._delete(entry)
        return gone

    async def _drop(self, kind: str, chunk: Chunk) -> int:
        """The whole chunk, if every row of it is in a file; 0 = it is not, or somebody is busy with it."""
        span = (kind, chunk.start_ts, chunk.end_ts)
        async with reading(self._pool) as connection:
            expected = weight_of(await connection.fetchrow(load("archived_within"), *span))
            count = f"SELECT count(*) FROM {TABLES[kind]} WHERE {WITHIN}"
            if await connection.fetchval(count, *span[1:], timeout=LONG) != expected.rows:
                return 0
        try:
            async with transaction(self._pool) as connection:
                await connection.execute("SET LOCAL lock_timeout = '1s'")
                await connection.execute(load("archived_hold"), *span)  # first, as who deletes a part does it, too
                await connection.execute(f"LOCK TABLE {chunk.name} IN SHARE MODE")  # nobody writes to it from here on
                expected = weight_of(await connection.fetchrow(load("archived_within"), *span))
                if not expected.rows or await self._rows.weigh(connection, kind, WITHIN, *span[1:]) != expected:
                    return 0
                await chunks.drop(connection, TABLES[kind], chunk)
                await connection.execute(load("archived_gone"), *span)
        except (Transient, asyncpg.UndefinedTableError) as problem:  # or another process has dropped it
            log.info("partition_busy", partition=chunk.name, problem=str(problem))
            return 0
        return expected.rows

    async def _delete(self, entry: Archived) -> int:
        """The rows of one part, by a transaction that is undone when they are not those in the file."""
        where, *values = where_of(entry.part)
        key = (entry.part.kind, *entry.part.series, entry.part.start_ts)
        try:
            async with transaction(self._pool) as connection:
                await connection.execute(_COMPRESSED_TOO)
                file = await connection.fetchval(f"SELECT file FROM archived WHERE {_KEY} FOR UPDATE", *key)
                row = await connection.fetchrow(
                    f"WITH gone AS (DELETE FROM {TABLES[entry.part.kind]} WHERE {where}"
                    f" RETURNING {await self._rows.hash_of(connection, entry.part.kind)} AS hash)"
                    " SELECT count(*) AS rows, coalesce(sum(hash), 0)::text AS digest FROM gone",
                    *values,
                    timeout=LONG,
                )
                if file != entry.file or weight_of(row) != entry.taken:
                    raise _Changed
                await connection.execute(f"UPDATE archived SET taken_rows = 0, taken_digest = 0 WHERE {_KEY}", *key)
        except _Changed:
            says = f"{entry.part} was written to while it was moved into a file; the next run takes it."
            log.info("part_changed", part=str(entry.part), says=says)
            return 0
        return entry.taken.rows

    async def put_back(self, entry: Archived, names: Sequence[str], pages: AsyncIterator[list[tuple[Any, ...]]]) -> int:
        """See the port."""
        part, came = entry.part, 0
        async with reading(self._pool) as connection:
            await ensure_partitions(connection, TABLES[part.kind], part.start_ts, part.end_ts - 1)
        async with transaction(self._pool) as connection:
            await connection.execute(_COMPRESSED_TOO)
            insert = insertion(part.kind, names, dict(await self._rows.columns(connection, part.kind)))
            file = await connection.fetchval(
                "UPDATE archived SET restored_at = now() WHERE (kind, exchange, symbol, channel, start_ts) ="
                " ($1, $2, $3, $4, $5::timestamptz) AND file = $6 RETURNING file",
                part.kind, *part.series, part.start_ts, entry.file,
            )  # fmt: skip
            if file is None:
                raise NotFound("the archive", entry.file, "not entered any more: it was written anew or removed")
            async for page in pages:
                done = await connection.execute(insert, *map(list, zip(*page, strict=True)), timeout=LONG)
                came += int(done.rpartition(" ")[2])
        return came

    async def forget(self, part: Part, entry: Archived | None) -> int:
        """See the port. What is stored of the series is counted down in the same transaction."""
        where, *values = where_of(part)
        coverage, channel = ("raw_coverage" if part.kind == RAW else "candle_coverage"), CHANNEL[part.kind]
        async with transaction(self._pool) as connection:
            await connection.execute(_COMPRESSED_TOO)
            await connection.execute(
                f"SELECT FROM {coverage} WHERE (exchange, symbol, {channel}) = ($1, $2, $3) FOR UPDATE", *part.series
            )
            await connection.execute(
                "DELETE FROM archived WHERE (kind, exchange, symbol, channel, start_ts) ="
                " ($1, $2, $3, $4, $5::timestamptz)",
                part.kind, *part.series, part.start_ts,
            )  # fmt: skip
            done = await connection.execute(f"DELETE FROM {TABLES[part.kind]} WHERE {where}", *values, timeout=LONG)
            rows = int(done.rpartition(" ")[2]) + (entry.rows - entry.taken.rows if entry else 0)
            text = load("coverage_less").format(coverage=coverage, channel=channel, table=TABLES[part.kind])
            await connection.execute(text, *part.series, rows, part.kind)
            await connection.execute(
                f"DELETE FROM {coverage} WHERE (exchange, symbol, {channel}) = ($1, $2, $3) AND rows <= 0", *part.series
            )
        return rows

    async def drop_empty(self) -> int:
        """Partitions wholly in the past without a row, and gives how many there were."""
        dropped = 0
        for table in TABLES.values():
            for chunk in await chunks.past(self._pool, table):
                try:
                    async with transaction(self._pool) as connection:
                        await connection.execute("SET LOCAL lock_timeout = '1s'")
                        await connection.execute(f"LOCK TABLE {chunk.name} IN SHARE MODE")
                        some = f"SELECT EXISTS (SELECT FROM {table} WHERE {WITHIN})"
                        if not await connection.fetchval(some, chunk.start_ts, chunk.end_ts):
                            await chunks.drop(connection, table, chunk)
                            dropped += 1
                except (Transient, asyncpg.UndefinedTableError) as problem:
                    log.info("partition_busy", partition=chunk.name, problem=str(problem))
        return dropped

    async def make_ahead(self, now_ts: Micros) -> int:
        async with reading(self._pool) as connection:
            return await make_ahead(connection, now_ts)


async def _pages(cursor: Any) -> AsyncIterator[list[tuple[Any, ...]]]:
    while rows := await cursor.fetch(_PAGE, timeout=LONG):
        yield [tuple(row) for row in rows]


def _entry(row: Any) -> Archived:
    return Archived(
        part=Part(row["kind"], row["exchange"], row["symbol"], row["channel"], row["start_ts"], row["end_ts"]),
        file=row["file"],
        rows=row["rows"],
        first_ts=row["first_ts"],
        last_ts=row["last_ts"],
        first_recv_ts=row["first_recv_ts"],
        bytes=row["bytes"],
        sha256=row["sha256"],
        taken=Weight(row["taken_rows"], int(row["digest"])),
        restored_ts=row["restored_at"] or 0,
    )
