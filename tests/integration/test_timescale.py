"""The archive and the catalogue on a TimescaleDB server, with compressed chunks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.archive.candles import ArchivedCandleStore
from onetape.archive.folder import Files
from onetape.archive.frames import ArchivedRawStore
from onetape.archive.moving import archive, restore
from onetape.clock import RealClock
from onetape.domain.frame import CandleFrame
from onetape.domain.market import RawFrame
from onetape.domain.parts import Which
from onetape.domain.units import DAY, HOUR, MINUTE, Timeframe, parse_time
from onetape.storage.candles import PgCandleStore
from onetape.storage.catalogue import PgCatalogue
from onetape.storage.raw import PgRawStore
from onetape.storage.rollups import TARGETS
from onetape.storage.shelf import PgShelf

pytestmark = pytest.mark.timescale
MONDAY = parse_time("2024-03-04")
MINUTES = Timeframe(1, "m")


def messages() -> list[RawFrame]:
    return [
        RawFrame("okx", "BTC-USDT", channel, (ts := MONDAY + i * 6 * HOUR), ts + 5, i, b'{"z":1,  "a":[2.50]}')
        for i in range(40)
        for channel in ("trades", "book")
    ]


async def compress(pool: Any, table: str) -> None:
    await pool.execute(f"SELECT compress_chunk(chunk, true) FROM show_chunks('{table}') AS chunk")


async def test_messages_leave_compressed_chunks_and_come_back(pool: Any, tmp_path: Path) -> None:
    shelf, files = PgShelf(pool), Files(tmp_path)
    raw = ArchivedRawStore(PgRawStore(pool), shelf, files, RealClock())
    given = messages()
    assert await raw.append(given) == 80
    await compress(pool, "raw_market_data")

    async def read() -> list[RawFrame]:
        pages = raw.read("okx", "BTC-USDT", ["trades", "book"], MONDAY, MONDAY + 30 * DAY)
        return sorted([f async for page in pages for f in page], key=lambda f: (f.ts, f.channel))

    before = await read()
    moved = await archive(shelf, files, Which(before_ts=MONDAY + 9 * DAY), lambda _: None)
    assert (moved.rows, moved.released) == (72, 72)
    assert await pool.fetchval("SELECT count(*) FROM raw_market_data") == 8
    assert await read() == before
    entries = await shelf.entries(Which())
    assert [await restore(shelf, files, entry, lambda _: None) for entry in entries[:2]] == [4, 4]
    assert await read() == before
    sizes = await PgCatalogue(pool, tmp_path).sizes()
    assert any(one.table == "raw_market_data" and one.bytes for one in sizes)


async def test_candles_leave_chunks_that_do_not_end_with_the_month(pool: Any, tmp_path: Path) -> None:
    shelf, files = PgShelf(pool), Files(tmp_path)
    candles = ArchivedCandleStore(PgCandleStore(pool), shelf, files, RealClock())
    price = np.full(60 * 24 * 40, 100.0)
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close", "volume", "turnover"), price)
    columns["ts"] = MONDAY + np.arange(len(price)) * MINUTE  # to the middle of April
    given = CandleFrame.of("okx", "BTC-USDT", MINUTES, columns)
    await candles.append(given)
    await compress(pool, "processed_market_data")
    moved = await archive(shelf, files, Which(kind="candles", channel="1m"), lambda _: None)
    assert moved.released == moved.rows == 28 * 1_440
    assert (await candles.load("okx", "BTC-USDT", MINUTES, None, None)).ts.tolist() == given.ts.tolist()
    assert (await candles.append(given)).new == 0


@pytest.mark.parametrize("given", [range(77, 78), range(50, 150), range(850, 1_300), range(850, 2_900)])
async def test_corrections_reach_candles_in_compressed_chunks(pool: Any, given: range) -> None:
    """In one statement they did not: what the server unpacks meanwhile is not seen by the part that compares."""

    def minutes(which: Sequence[int], price: float) -> CandleFrame:
        columns: dict[str, object] = dict.fromkeys(
            ("open", "high", "low", "close", "volume", "turnover"), np.full(len(which), price)
        )
        columns["ts"] = MONDAY + np.asarray(which) * MINUTE
        return CandleFrame.of("okx", "BTC-USDT", MINUTES, columns)

    store, known = PgCandleStore(pool), [i for i in range(4_000) if not 900 < i < 2_500]
    await store.append(minutes(known, 100.0))
    await compress(pool, "processed_market_data")
    done = await store.append(minutes(given, 101.0))
    there = len(set(given) & set(known))
    assert (done.new, done.changed) == (len(given) - there, there)
    stored = await store.load("okx", "BTC-USDT", MINUTES, None, None)
    minute = (stored.ts - MONDAY) // MINUTE
    np.testing.assert_array_equal(stored.close, np.where(np.isin(minute, given), 101.0, 100.0))
    corrections = await store.corrections("okx", "BTC-USDT", MINUTES, MONDAY, MONDAY + 9 * DAY)
    assert len(corrections) == there
    assert (await store.append(minutes(given, 101.0))).changed == 0


async def test_sizes_name_continuous_aggregates_and_count_compressed_rows(pool: Any, tmp_path: Path) -> None:
    assert await PgRawStore(pool).append(messages()) == 80
    await compress(pool, "raw_market_data")
    sizes = await PgCatalogue(pool, tmp_path).sizes()
    assert {one.table for one in sizes if one.table.startswith("cagg_")} == {f"cagg_{each}" for each in TARGETS}
    chunks = [one for one in sizes if one.table == "raw_market_data"]
    assert min(one.start_ts or 0 for one in chunks) <= MONDAY
    packed = await pool.fetchval("SELECT hypertable_size('raw_market_data')")
    assert 0 < sum(one.bytes for one in chunks) <= packed
