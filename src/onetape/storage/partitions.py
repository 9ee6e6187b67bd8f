"""Partitions of the time series, made ahead of need. Where the series are hypertables there is nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from onetape.domain.units import DAY, WEEK, Micros, Timeframe, rfc3339, to_datetime

SPANS: Final = {"processed_market_data": Timeframe(12, "M"), "raw_market_data": Timeframe(1, "w")}
_LOCK: Final = 7_313_002


def _starts(table: str, from_ts: Micros, to_ts: Micros) -> Iterator[Micros]:
    span = SPANS[table]
    start = span.floor(from_ts)
    while start <= to_ts:
        yield start
        start = span.next(start)


def _name(table: str, start: Micros) -> str:
    return f"{table}_{to_datetime(start):%Y%m%d}"


async def ensure_partitions(connection: Any, table: str, from_ts: Micros, to_ts: Micros) -> int:
    """Makes the missing partitions that hold any time of [from_ts, to_ts], and gives how many were made.

    Safe in several processes at once, and beside running inserts: a partition is made as a table of its own and then
    attached, because making it in place would lock everybody out.
    """
    wanted = {_name(table, start): start for start in _starts(table, from_ts, to_ts)}
    missing = await _missing(connection, table, list(wanted))
    if not missing:
        return 0
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        missing = await _missing(connection, table, list(wanted))
        for name in missing:
            start = wanted[name]
            await connection.execute(
                f'CREATE TABLE "{name}" (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);'
                f'ALTER TABLE {table} ATTACH PARTITION "{name}"'
                f" FOR VALUES FROM ('{rfc3339(start)}') TO ('{rfc3339(SPANS[table].next(start))}')"
            )
    return len(missing)


async def _missing(connection: Any, table: str, names: list[str]) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT name FROM unnest($2::text[]) AS name
        WHERE EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1) AND relkind = 'p')
          AND to_regclass(quote_ident(name)) IS NULL
        """,
        table,
        names,
    )
    return [row["name"] for row in rows]


async def make_ahead(connection: Any, now_ts: Micros) -> int:
    """The partitions of the next weeks, made at every start. Whoever appends makes what is missing beyond them."""
    made = await ensure_partitions(connection, "processed_market_data", now_ts - 30 * DAY, now_ts + 60 * DAY)
    return made + await ensure_partitions(connection, "raw_market_data", now_ts - WEEK, now_ts + 3 * WEEK)
