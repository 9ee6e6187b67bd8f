"""A file into a store: whole or not at all, and twice is once."""

from __future__ import annotations

import pytest

from onetape import archive
from onetape.domain.errors import BadInput

HEADER = "time,open,high,low,close,volume"


def rows(*minutes: int) -> list[str]:
    return [f"{1_600_000_020 + 60 * m},5,6,4,5,1" for m in minutes]


async def test_import_says_what_it_did(write, store):
    done = await archive.import_file(write("okx_BTCUSDT.csv", HEADER, *rows(0, 1, 2, 5, 6, 6)), store)
    assert (done.layout, done.exchange, done.symbol, done.timeframe) == ("generic", "okx", "BTC-USDT", "1m")
    assert (done.rows_read, done.rows_new, done.duplicates, done.rejected, done.gaps, done.missing) == (
        6,
        5,
        1,
        0,
        1,
        2,
    )
    assert (done.first_ts, done.last_ts) == (1_600_000_020_000_000, 1_600_000_380_000_000)


async def test_second_import_of_a_file_changes_nothing(write, store):
    path = write("okx_BTCUSDT.csv", HEADER, *rows(0, 1, 2, 5, 6))
    await archive.import_file(path, store)
    before = (dict(store.rows), dict(store.holes))
    again = await archive.import_file(path, store)
    assert (again.rows_new, again.rows_changed) == (0, 0)
    assert (store.rows, store.holes) == before


async def test_refused_file_leaves_nothing(write, store):
    path = write("okx_BTCUSDT.csv", HEADER, *rows(0, 1, 2, 5), "1600000500,5,six,4,5,1")
    with pytest.raises(BadInput, match="line 6, column 3"):
        await archive.import_file(path, store)
    assert (store.rows, store.holes) == ({}, {})


async def test_gap_that_another_file_has_filled_is_not_noted(write, store):
    await archive.import_file(write("okx_BTCUSDT_a.csv", HEADER, *rows(3, 4, 20, 21, 22)), store)
    await archive.import_file(write("okx_BTCUSDT_b.csv", HEADER, *rows(1, 2, 5, 6, 7, 10)), store)
    # a lacks 5..19; b lacks 3 and 4, which a has, and 8 and 9, which nobody has
    minutes = [((g.start_ts // 10**6 - 1_600_000_020) // 60, g.cause[-5:]) for g in store.holes.values()]
    assert minutes == [(5, "a.csv"), (8, "b.csv")]
