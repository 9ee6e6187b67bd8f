"""What is stored and how much room it takes, in a real PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from onetape.archive.folder import Files
from onetape.archive.moving import archive
from onetape.domain.market import Gap, RawFrame
from onetape.domain.parts import Which
from onetape.domain.units import DAY, HOUR, parse_time
from onetape.ports import RawCoverage
from onetape.storage.candles import PgCandleStore
from onetape.storage.catalogue import PgCatalogue
from onetape.storage.raw import PgRawStore
from onetape.storage.shelf import PgShelf

NOON = parse_time("2024-03-04T12:00")


def frame(hours: int, channel: str = "trades") -> RawFrame:
    ts = NOON + hours * HOUR
    return RawFrame("okx", "BTC-USDT", channel, ts, ts, hours, b'{"a": 1}')


async def test_each_append_counts_what_is_stored_of_a_channel(pool: Any, tmp_path: Path) -> None:
    store, catalogue = PgRawStore(pool), PgCatalogue(pool, tmp_path)
    await store.append([frame(1), frame(3), frame(2, "book")])
    await store.append([frame(3), frame(0), frame(30)])  # one is known
    await PgCandleStore(pool).add_gaps([Gap("okx", "BTC-USDT", "trades", NOON, NOON + HOUR, "down")])
    common = {"exchange": "okx", "symbol": "BTC-USDT"}
    expected = [
        RawCoverage(**common, channel="book", first_ts=NOON + 2 * HOUR, last_ts=NOON + 2 * HOUR, rows=1, gaps=0),
        RawCoverage(**common, channel="trades", first_ts=NOON, last_ts=NOON + 30 * HOUR, rows=4, gaps=1),
    ]
    assert await catalogue.raw() == expected
    await archive(PgShelf(pool), Files(tmp_path), Which(), lambda _: None)
    assert await catalogue.raw("okx", "BTC-USDT") == expected
    assert await catalogue.raw("okx", "ETH-USDT") == []


@pytest.mark.native
async def test_sizes_name_partitions_tables_and_the_archive(pool: Any, tmp_path: Path) -> None:
    await PgRawStore(pool).append([frame(1), frame(24 * 8)])
    await archive(PgShelf(pool), Files(tmp_path), Which(before_ts=NOON + DAY), lambda _: None)
    sizes = {(one.table, one.partition): one for one in await PgCatalogue(pool, tmp_path).sizes()}
    week = sizes["raw_market_data", "raw_market_data_20240311"]
    assert (week.start_ts, week.end_ts) == (parse_time("2024-03-11"), parse_time("2024-03-18"))
    assert week.bytes >= 8_192
    assert ("gaps", "") in sizes
    (file,) = await PgShelf(pool).entries(Which())
    assert sizes["archive", "raw"].bytes == file.bytes == (tmp_path / file.file).stat().st_size


async def test_the_forecast_is_the_growth_since_the_oldest_note_of_the_week(pool: Any, tmp_path: Path) -> None:
    catalogue = PgCatalogue(pool, tmp_path)
    await catalogue.note()
    await catalogue.note()  # within the hour: nothing new
    assert await pool.fetchval("SELECT count(*) FROM disk_use") == 1
    assert (await catalogue.disk()).per_day is None
    await pool.execute("UPDATE disk_use SET hour = hour - interval '2 days', database = database - 8000000000")
    disk = await catalogue.disk()
    assert disk.per_day is not None
    assert 3.9e9 < disk.per_day < 4.1e9  # eight gigabytes in two days, and the few kilobytes of this test
    assert disk.full_ts is None or disk.full_ts > NOON
    await pool.execute("UPDATE disk_use SET database = database + 16000000000")
    shrunk = await catalogue.disk()
    assert (shrunk.per_day or 0) < 0
    assert shrunk.full_ts is None
