"""Rows between a real PostgreSQL and the archive: moved whole, read as one, never lost whoever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.archive.candles import ArchivedCandleStore
from onetape.archive.folder import Files
from onetape.archive.frames import ArchivedRawStore
from onetape.archive.moving import Step, archive, keep, restore
from onetape.clock import RealClock
from onetape.domain.errors import Damaged, Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.market import RawFrame
from onetape.domain.markets import Keep, Kept
from onetape.domain.parts import RAW, Archived, Part, Which
from onetape.domain.units import DAY, HOUR, MINUTE, Micros, Timeframe, parse_time
from onetape.ports import PartRows
from onetape.storage.candles import PgCandleStore
from onetape.storage.pool import open_pool
from onetape.storage.raw import PgRawStore
from onetape.storage.shelf import PgShelf

MONDAY = parse_time("2024-03-04")
MINUTES = Timeframe(1, "m")
ALL = Which()


def message(day: int, n: int, channel: str = "trades", data: bytes = b'{"z":1,  "a":[2.50]}') -> RawFrame:
    """The n-th message of a day; each is received a second after its time."""
    ts = MONDAY + day * DAY + n * HOUR
    return RawFrame("okx", "BTC-USDT", channel, ts, ts + 1_000_000, day * 100 + n, data)


def week(channels: Sequence[str] = ("trades", "book")) -> list[RawFrame]:
    """Two messages a day and channel, from Monday to the Monday after it: 14 of the first week, 2 of the next."""
    return [message(day, n, channel) for day in range(8) for n in (3, 20) for channel in channels]


class Place:
    """A database, its archive, and the stores that read both."""

    def __init__(self, pool: Any, folder: Path) -> None:
        self.pool, self.shelf, self.files = pool, PgShelf(pool), Files(folder)
        self.database = PgRawStore(pool)
        self.raw = ArchivedRawStore(self.database, self.shelf, self.files, RealClock())
        self.candles = ArchivedCandleStore(PgCandleStore(pool), self.shelf, self.files, RealClock())

    async def read(self, start: Micros = MONDAY, end: Micros = MONDAY + 30 * DAY) -> list[RawFrame]:
        pages = self.raw.read("okx", "BTC-USDT", ("trades", "book"), start, end)
        return [frame async for page in pages for frame in page]

    async def in_database(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM raw_market_data"))

    async def archive(self, which: Which = ALL) -> list[Step]:
        steps: list[Step] = []
        await archive(self.shelf, self.files, which, steps.append)
        return steps


@pytest.fixture
def place(pool: Any, tmp_path: Path) -> Place:
    return Place(pool, tmp_path / "archive")


def order(frames: list[RawFrame]) -> list[RawFrame]:
    return sorted(frames, key=lambda f: (f.recv_ts, f.seq))


async def test_archived_messages_are_read_as_if_they_were_in_the_database(place: Place) -> None:
    await place.database.append(week())
    before = await place.read()
    await place.archive(Which(before_ts=MONDAY + 3 * DAY))
    assert await place.in_database() == 32 - 12  # three days of two channels with two messages
    assert (place.files.folder / "raw/okx/BTC-USDT/trades/2024-03-06.parquet").is_file()
    after = await place.read()
    assert [f.recv_ts for f in after] == [f.recv_ts for f in before]
    assert sorted(map(repr, after)) == sorted(map(repr, before))
    half = await place.read(MONDAY + 2 * DAY + 20 * HOUR, MONDAY + 3 * DAY + 4 * HOUR)  # across the border
    assert [f.ts - MONDAY for f in half] == [68 * HOUR, 68 * HOUR, 75 * HOUR, 75 * HOUR]
    assert await place.raw.tail("okx", "BTC-USDT", "book", 14) == [f for f in week() if f.channel == "book"][2:]


@pytest.mark.native
async def test_a_week_that_is_wholly_archived_is_dropped_as_a_partition(place: Place) -> None:
    await place.database.append(week())
    names = "SELECT count(*) FROM pg_class WHERE relname = 'raw_market_data_20240304'"
    assert await place.pool.fetchval(names) == 1
    await place.archive(Which(before_ts=MONDAY + 7 * DAY))
    assert await place.pool.fetchval(names) == 0
    assert await place.in_database() == 4
    assert len(await place.read()) == 32
    assert await place.database.append([message(2, 5)]) == 1  # the partition is made again


async def test_one_symbol_leaves_without_the_others(place: Place) -> None:
    await place.database.append(week(("trades",)))
    await place.archive(Which(symbol="ETH-USDT"))
    assert await place.in_database() == 16
    await place.archive(Which(channel="trades", before_ts=MONDAY + DAY))
    assert await place.in_database() == 14


async def test_late_messages_make_a_second_version_of_the_file(place: Place) -> None:
    await place.database.append(week(("trades",)))
    await place.archive()
    assert await place.raw.append([message(1, 3), message(1, 7)]) == 1  # the first one is in the archive
    assert len(await place.read()) == 17
    await place.archive()
    assert await place.in_database() == 0
    assert order(await place.read()) == order([*week(("trades",)), message(1, 7)])
    assert (place.files.folder / "raw/okx/BTC-USDT/trades/2024-03-05.2.parquet").is_file()
    (entry,) = await place.shelf.entries(Which(from_ts=MONDAY + DAY, before_ts=MONDAY + 2 * DAY))
    assert (entry.rows, entry.file[-10:]) == (3, ".2.parquet")


async def test_rows_that_came_after_the_copy_do_not_leave(place: Place) -> None:
    class Late(PgShelf):
        async def enter(self, entry: Archived, before: Archived | None) -> bool:
            entered = await super().enter(entry, before)
            await place.database.append([message(0, 9)])
            return entered

    await place.database.append(week(("trades",)))
    late = Late(place.pool)
    await archive(late, place.files, Which(before_ts=MONDAY + DAY), lambda _: None)
    assert await place.in_database() == 17
    assert order(await place.read()) == order([*week(("trades",)), message(0, 9)])
    await place.archive(Which(before_ts=MONDAY + DAY))
    assert await place.in_database() == 14
    assert order(await place.read()) == order([*week(("trades",)), message(0, 9)])


async def test_archived_rows_come_back_and_leave_again(place: Place) -> None:
    await place.database.append(week(("trades",)))
    covered = await place.pool.fetch("SELECT * FROM raw_coverage")
    await place.archive()
    for entry in await place.shelf.entries(ALL):
        assert await restore(place.shelf, place.files, entry, lambda _: None) == 2
    assert await place.in_database() == 16
    assert await place.read() == order(week(("trades",)))
    assert await place.pool.fetch("SELECT * FROM raw_coverage") == covered
    await place.archive()
    assert await place.in_database() == 0
    assert await place.read() == order(week(("trades",)))


async def test_a_damaged_file_is_named_and_not_restored(place: Place) -> None:
    await place.database.append(week(("trades",)))
    await place.archive(Which(before_ts=MONDAY + DAY))
    (entry,) = await place.shelf.entries(ALL)
    path = place.files.folder / entry.file
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(Damaged, match=r"2024-03-04\.parquet .* is damaged: its SHA-256"):
        await restore(place.shelf, place.files, entry, lambda _: None)
    path.unlink()
    with pytest.raises(Damaged, match="is not there"):
        await place.read()


def minutes(first: Micros, n: int, close: float = 100.0) -> CandleFrame:
    price = np.full(n, close)
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close", "volume", "turnover"), price)
    return CandleFrame.of("okx", "BTC-USDT", MINUTES, {**columns, "ts": first + np.arange(n) * MINUTE})


async def test_candles_leave_by_the_month_and_the_end_of_a_series_stays(place: Place) -> None:
    start = parse_time("2024-02-29T23:58")  # two minutes of February, two of March
    await place.candles.append(minutes(start, 4))
    await place.archive()
    assert [entry.file for entry in await place.shelf.entries(ALL)] == ["candles/okx/BTC-USDT/1m/2024-02.parquet"]
    assert await place.pool.fetchval("SELECT count(*) FROM processed_market_data") == 2
    assert (await place.candles.load("okx", "BTC-USDT", MINUTES, None, None)).ts.tolist() == minutes(
        start, 4
    ).ts.tolist()
    assert len(await place.candles.tail("okx", "BTC-USDT", MINUTES, 3)) == 3
    assert (await place.candles.coverage())[0].rows == 4


async def test_a_candle_that_is_corrected_in_the_archive_is_told_as_a_change(place: Place) -> None:
    start = parse_time("2024-02-29T23:58")
    await place.candles.append(minutes(start, 4))
    await place.archive()
    assert (await place.candles.append(minutes(start, 4))).new == 0
    done = await place.candles.append(minutes(start, 1, close=101.0))
    assert (done.new, done.changed) == (0, 1)
    await place.archive()
    stored = await place.candles.load("okx", "BTC-USDT", MINUTES, None, None)
    assert stored.close.tolist() == [101, 100, 100, 100]
    assert (await place.candles.coverage())[0].rows == 4


async def test_the_policy_archives_then_deletes_and_leaves_alone_what_was_restored(place: Place) -> None:
    await place.database.append(week())
    policy = Keep(raw={"trades": Kept("1d", "3d"), "book": Kept("1d", "0"), "*": Kept()}, candles={})
    await keep(place.shelf, place.files, policy, MONDAY + 3 * DAY, lambda _: None)
    # the books of Monday and Tuesday are gone, their trades are in files
    assert await place.in_database() == 32 - 8
    assert len(await place.read()) == 32 - 4
    await keep(place.shelf, place.files, policy, MONDAY + 5 * DAY, lambda _: None)
    entries = await place.shelf.entries(ALL)
    assert [(entry.part.channel, entry.part.label) for entry in entries] == [
        ("trades", "2024-03-05"), ("trades", "2024-03-06"), ("trades", "2024-03-07")
    ]  # fmt: skip
    rows = {row["channel"]: row["rows"] for row in await place.pool.fetch("SELECT * FROM raw_coverage")}
    assert rows == {"trades": 14, "book": 8}
    first = await place.pool.fetchval("SELECT first_ts FROM raw_coverage WHERE channel = 'trades'")
    assert first == MONDAY + DAY + 3 * HOUR


async def test_candles_that_are_to_be_deleted_leave_no_file(place: Place) -> None:
    start = parse_time("2024-02-29T23:58")
    await place.candles.append(minutes(start, 4))
    policy = Keep(raw={}, candles={"1m": Kept("1d", "0")})
    moved = await keep(place.shelf, place.files, policy, start + 30 * DAY, lambda _: None)
    assert (moved.parts, moved.forgotten) == (0, 2)
    (coverage,) = await place.candles.coverage()
    assert (coverage.first_ts, coverage.rows) == (start + 2 * MINUTE, 2)
    assert len(await place.candles.load("okx", "BTC-USDT", MINUTES, None, None)) == 2


async def test_what_was_restored_stays_for_a_month(place: Place) -> None:
    await place.database.append(week(("trades",)))
    await place.archive(Which(kind=RAW, before_ts=MONDAY + DAY))
    await restore(place.shelf, place.files, (await place.shelf.entries(ALL))[0], lambda _: None)
    policy = Keep(raw={"*": Kept("1d")}, candles={})
    await keep(place.shelf, place.files, policy, RealClock().now(), lambda _: None)
    assert await place.in_database() == 2
    await keep(place.shelf, place.files, policy, RealClock().now() + 31 * DAY, lambda _: None)
    assert await place.in_database() == 0
    assert len(await place.read()) == 16


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def sweep(place: Place) -> int:
    return place.files.sweep([entry.file for entry in await place.shelf.entries(ALL)])


async def test_what_is_left_of_drafts_and_older_versions_is_removed_after_an_hour(place: Place) -> None:
    await place.database.append(week(("trades",)))
    await place.archive(Which(before_ts=MONDAY + DAY))
    folder = place.files.folder / "raw/okx/BTC-USDT/trades"
    named, older, stale = (folder / f"2024-03-0{name}" for name in ("4.parquet", "4.9.parquet", "9.parquet.77.0.new"))
    for path in (older, stale):
        path.write_bytes(b"half")
    os.utime(stale, (0, 0))
    os.utime(older, (0, 0))
    assert await sweep(place) == 1  # the older version may be read still: the newer one has only just come
    assert names_in(folder) == [older.name, named.name]
    os.utime(named, (0, 0))
    assert await sweep(place) == 1
    assert names_in(folder) == [named.name]


async def test_the_archive_of_another_database_is_left_alone(place: Place) -> None:
    """A server that was set up anew knows no file of the folder: they may be all that is left of the past."""
    await place.database.append(week(("trades",)))
    await place.archive(Which(before_ts=MONDAY + 7 * DAY))
    folder = place.files.folder / "raw/okx/BTC-USDT/trades"
    before = names_in(folder)
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    await place.pool.execute("TRUNCATE archived, raw_coverage")
    await keep(place.shelf, place.files, Keep(), RealClock().now(), lambda _: None)
    assert names_in(folder) == before


async def test_files_of_deleted_rows_are_removed_an_hour_later(place: Place) -> None:
    await place.database.append(week(("trades",)))
    await place.archive(Which(before_ts=MONDAY + 7 * DAY))
    folder = place.files.folder / "raw/okx/BTC-USDT/trades"
    for path in folder.iterdir():
        os.utime(path, (0, 0))
    policy = Keep(raw={"*": Kept(database="1d", archive="1d")})
    now = MONDAY + 8 * DAY
    await keep(place.shelf, place.files, policy, now, lambda _: None)
    assert len(await place.shelf.entries(ALL)) == 1  # Sunday
    assert len([name for name in names_in(folder) if name.endswith(".parquet")]) == 7
    for path in folder.glob("*.over"):
        os.utime(path, (0, 0))
    await keep(place.shelf, place.files, policy, now, lambda _: None)
    assert names_in(folder) == ["2024-03-10.parquet"]


async def test_who_reads_while_rows_move_always_reads_all_of_them(place: Place) -> None:
    given = order(week(("trades",)))
    await place.database.append(given)
    moving = True
    reads = 0

    async def watch() -> None:
        nonlocal reads
        while moving:
            assert await place.read() == given
            assert len(await place.raw.tail("okx", "BTC-USDT", "trades", 16)) == 16
            reads += 1

    watching = [asyncio.create_task(watch()) for _ in range(3)]
    for _ in range(3):
        await place.archive()
        for entry in await place.shelf.entries(ALL):
            await restore(place.shelf, place.files, entry, lambda _: None)
    moving = False
    await asyncio.gather(*watching)
    assert reads >= 3


async def test_two_who_archive_at_once_harm_nothing(place: Place) -> None:
    given = order(week(("trades",)))
    await place.database.append(given)
    await asyncio.gather(place.archive(), place.archive())
    await place.archive()
    assert await place.in_database() == 0
    assert await place.read() == given
    for entry in await place.shelf.entries(ALL):
        place.files.check(entry)


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from onetape.archive.folder import Files
from onetape.archive.moving import archive
from onetape.domain.parts import Which
from onetape.storage.pool import open_pool
from onetape.storage.shelf import PgShelf

async def main():
    left = int(sys.argv[3])
    def told(step):
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
    await archive(PgShelf(await open_pool(sys.argv[1])), Files(Path(sys.argv[2])), Which(), told)

asyncio.run(main())
"""


@pytest.mark.parametrize("step", [1, 2, 3, 5], ids=["written", "entered", "second part", "released"])
async def test_a_kill_between_two_steps_loses_and_doubles_nothing(database_url: str, tmp_path: Path, step: int) -> None:
    pool = await open_pool(database_url)
    try:
        place = Place(pool, tmp_path / "archive")
        given = [message(day, n) for day in (0, 1) for n in (3, 20)]
        await place.database.append(given)
        ended = subprocess.run(
            [sys.executable, "-c", _KILLED, database_url, str(place.files.folder), str(step)], check=False
        )  # fmt: skip
        assert ended.returncode == -signal.SIGKILL
        assert await place.read() == given
        await place.archive()
        assert await place.read() == given
        assert await place.in_database() == 0
        assert len(await place.shelf.entries(ALL)) == 2
    finally:
        await pool.close()


async def test_a_lost_file_does_not_stop_what_is_recorded_and_is_named_to_who_reads_it(place: Place) -> None:
    """Messages of its day are stored again rather than not at all, and where each stream ended is known without it."""
    await place.database.append(week(("trades",)))
    await place.archive(Which(before_ts=MONDAY + 7 * DAY))
    await place.pool.execute("DELETE FROM raw_market_data")  # all that is left is in files
    entries = await place.shelf.entries(ALL)
    (place.files.folder / entries[-1].file).unlink()
    assert await place.raw.last_ts("okx", "BTC-USDT", "trades") == MONDAY + 7 * DAY + 20 * HOUR
    assert await place.raw.last_ts("okx", "BTC-USDT", "book") == 0
    assert await place.raw.append([message(6, 3), message(6, 4)]) == 2
    with pytest.raises(Damaged, match="is not there"):
        await place.read()


async def test_a_hole_beside_a_lost_file_is_refused_and_not_a_crash(place: Place) -> None:
    """Who mends holes takes a refusal and goes on with the next one."""
    start = parse_time("2024-01-31T23:00")
    await place.candles.append(minutes(start, 120))
    await place.archive(Which(kind="candles"))
    (entry,) = await place.shelf.entries(ALL)
    (place.files.folder / entry.file).unlink()
    with pytest.raises(Refused, match="Put it back from a backup"):
        await place.candles.append(minutes(start - 10 * MINUTE, 5))


@pytest.mark.parametrize("known", [False, True])
async def test_of_two_who_move_a_part_at_once_the_slower_one_enters_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """It has looked what is in the archive, and rows have gone there since: its own file would lack them."""
    if known:
        await place.database.append([message(0, 1)])
        await place.archive()
    await place.database.append([message(0, 3), message(0, 4)])
    weigh = place.shelf.take
    late = [message(0, 5)]

    @asynccontextmanager
    async def overtaken(part: Part) -> AsyncIterator[PartRows]:
        monkeypatch.setattr(place.shelf, "take", weigh)
        await place.archive()  # the faster one, from its beginning to its end
        await place.database.append(late)
        async with weigh(part) as taken:
            yield taken

    monkeypatch.setattr(place.shelf, "take", overtaken)
    await place.archive()
    expected = [*([message(0, 1)] if known else []), message(0, 3), message(0, 4), *late]
    assert await place.read() == expected
    await place.archive()
    assert await place.in_database() == 0
    assert await place.read() == expected
