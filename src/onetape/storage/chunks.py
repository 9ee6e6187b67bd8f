"""The pieces that a time series consists of: native partitions, or the chunks of a hypertable."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from onetape.domain.units import DAY, Micros, parse_time
from onetape.storage.partitions import SPANS
from onetape.storage.pool import reading

# A partition is named by its first day (storage.partitions).
_NATIVE: Final = """
SELECT c.relname AS name, right(c.relname, 8) AS day, coalesce(pg_total_relation_size(c.oid), 0) AS bytes
FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid
WHERE inhparent = to_regclass($1) AND c.relname ~ '_[0-9]{8}$'
ORDER BY c.relname
"""
# The size of a chunk counts its compressed rows, which lie in a table of their own.
_TIMESCALE: Final = """
SELECT format('%I.%I', c.chunk_schema, c.chunk_name) AS name, c.range_start AS start_ts, c.range_end AS end_ts,
       coalesce(s.total_bytes, 0) AS bytes
FROM timescaledb_information.chunks AS c
LEFT JOIN chunks_detailed_size($1::text::regclass) AS s
  ON s.chunk_schema = c.chunk_schema AND s.chunk_name = c.chunk_name
WHERE c.hypertable_name = $1::text
ORDER BY c.range_start
"""


# The rows of one piece. Not by its name: those of a compressed chunk are read through the hypertable only.
WITHIN: Final = '"timestamp" >= $1::timestamptz AND "timestamp" < $2::timestamptz'


class Chunk(NamedTuple):
    """`name` can stand in a statement as it is."""

    name: str
    start_ts: Micros
    end_ts: Micros
    bytes: int


async def hypertables(connection: Any) -> bool:
    """Whether this database is the TimescaleDB variant."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"
            " AND EXISTS (SELECT FROM schema_migration WHERE variant = 'timescale')"
        )
    )


async def all_of(connection: Any, table: str) -> list[Chunk]:
    """Oldest first."""
    if await hypertables(connection):
        rows = await connection.fetch(_TIMESCALE, table)
        return [Chunk(row["name"], row["start_ts"], row["end_ts"], row["bytes"]) for row in rows]
    found = []
    for row in await connection.fetch(_NATIVE, table):
        start = parse_time(row["day"])
        found.append(Chunk(f'"{row["name"]}"', start, SPANS[table].next(start), row["bytes"]))
    return found


async def past(pool: Any, table: str) -> list[Chunk]:
    """Those that ended at least a day ago by the server's clock: nothing new is written to them."""
    async with reading(pool) as connection:
        now = await connection.fetchval("SELECT now()")
        return [chunk for chunk in await all_of(connection, table) if chunk.end_ts <= now - DAY]


async def drop(connection: Any, table: str, chunk: Chunk) -> None:
    if await hypertables(connection):
        await connection.execute(
            "SELECT drop_chunks($1::text::regclass, older_than => $2::timestamptz, newer_than => $3::timestamptz)",
            table,
            chunk.end_ts,
            chunk.start_ts,
        )
    else:
        await connection.execute(f"DROP TABLE {chunk.name}")
