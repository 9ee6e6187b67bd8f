"""What is stored and how much room it takes. Nothing here counts rows: the counts are kept by those who write them."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any, Final

from onetape.domain.units import DAY, HOUR, Micros
from onetape.ports import Disk, RawCoverage, TableSize
from onetape.storage import chunks
from onetape.storage.pool import reading, transaction
from onetape.storage.rows import TABLES
from onetape.storage.sql import load

_FAR: Final = 3_650.0  # days


class PgCatalogue:
    """Fulfils ports.Catalogue. `folder` lies on the disk that fills up: the data directory."""

    def __init__(self, pool: Any, folder: Path) -> None:
        self._pool, self._folder = pool, folder

    async def raw(self, exchange: str | None = None, symbol: str | None = None) -> list[RawCoverage]:
        async with reading(self._pool) as connection:
            return [RawCoverage(**row) for row in await connection.fetch(load("raw_coverage"), exchange, symbol)]

    async def sizes(self) -> list[TableSize]:
        async with reading(self._pool) as connection:
            found = [
                TableSize(
                    table=table,
                    partition=chunk.name.strip('"'),
                    bytes=chunk.bytes,
                    start_ts=chunk.start_ts,
                    end_ts=chunk.end_ts,
                )
                for table in TABLES.values()
                for chunk in await chunks.all_of(connection, table)
            ]
            tables = await connection.fetch(load("sizes_tables"), list(TABLES.values()))
            if await chunks.hypertables(connection):
                tables += await connection.fetch(load("sizes_aggregates"))
            kinds = await connection.fetch(load("sizes_archive"))
        found += [TableSize(table=row["name"], partition="", bytes=row["bytes"]) for row in tables]
        found += [TableSize(table="archive", partition=row["kind"], bytes=row["bytes"]) for row in kinds]
        return sorted(found, key=lambda size: -size.bytes)

    async def disk(self) -> Disk:
        usage = await asyncio.to_thread(_usage, self._folder)
        async with reading(self._pool) as connection:
            now = await connection.fetchrow(load("disk_now"))
            samples = await connection.fetch(load("disk_samples"))
        per_day = _growth([(row["hour"], row["database"] + row["archive"]) for row in samples], now["ts"], now)
        full = None
        if per_day is not None and per_day > 0 and (days := usage.free / per_day) < _FAR:
            full = now["ts"] + round(days * DAY)
        return Disk(
            total=usage.total,
            free=usage.free,
            database=now["database"],
            archive=now["archive"],
            per_day=per_day,
            full_ts=full,
        )

    async def note(self) -> None:
        """Remembers how much there is at this hour."""
        async with transaction(self._pool) as connection:
            await connection.execute(load("disk_note"))


def _usage(folder: Path) -> Any:
    """Of the disk that the folder is on, or will be on when it is made."""
    return shutil.disk_usage(next(each for each in (folder, *folder.absolute().parents) if each.exists()))


def _growth(samples: list[tuple[Micros, int]], now_ts: Micros, now: Any) -> float | None:
    """Bytes a day since the oldest of the samples of the last week."""
    if not samples or now_ts - samples[0][0] < HOUR:
        return None
    grown = now["database"] + now["archive"] - samples[0][1]
    return float(grown * DAY / (now_ts - samples[0][0]))
