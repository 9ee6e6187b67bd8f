"""A file into a store: whole or not at all, and twice is once."""

from __future__ import annotations

import pytest

from onetape import archive
from onetape.domain.errors import BadInput
from onetape.domain.market import candle_channel
from onetape.domain.units import Timeframe
from onetape.storage.memory import MemoryCandleStore

HEADER = "time,open,high,low,close,volume"
START = 1_600_000_020


@pytest.fixture
def store() -> MemoryCandleStore:
    return MemoryCandleStore()


def rows(*minutes: int) -> list[str]:
    return [f"{START + 60 * m},5,6,4,5,1" for m in minutes]


async def stored(store: MemoryCandleStore) -> tuple[list[int], list[tuple[int, int, str]]]:
    """The minutes of the candles, and the gaps as minutes with their cause."""
    frame = await store.load("okx", "BTC-USDT", Timeframe(1, "m"), None, None)
    gaps = await store.gaps("okx", "BTC-USDT", candle_channel("1m"))
    return [_minute(ts) for ts in frame.ts], [(_minute(g.start_ts), _minute(g.end_ts), g.cause) for g in gaps]


def _minute(ts: int) -> int:
    return int(ts // 10**6 - START) // 60


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
    assert await stored(store) == ([0, 1, 2, 5, 6], [(3, 5, "missing in file okx_BTCUSDT.csv")])


async def test_second_import_of_a_file_changes_nothing(write, store):
    path = write("okx_BTCUSDT.csv", HEADER, *rows(0, 1, 2, 5, 6))
    await archive.import_file(path, store)
    before = await stored(store)
    again = await archive.import_file(path, store)
    assert (again.rows_new, again.rows_changed) == (0, 0)
    assert await stored(store) == before


async def test_refused_file_leaves_nothing(write, store):
    path = write("okx_BTCUSDT.csv", HEADER, *rows(0, 1, 2, 5), "1600000500,5,six,4,5,1")
    with pytest.raises(BadInput, match="line 6, column 3"):
        await archive.import_file(path, store)
    assert await stored(store) == ([], [])
    assert await store.coverage() == []


async def test_gap_that_another_file_has_filled_is_not_noted(write, store):
    await archive.import_file(write("okx_BTCUSDT_a.csv", HEADER, *rows(3, 4, 20, 21, 22)), store)
    await archive.import_file(write("okx_BTCUSDT_b.csv", HEADER, *rows(1, 2, 5, 6, 7, 10)), store)
    _, gaps = await stored(store)
    # a lacks 5 to 19, of which b has 5, 6, 7 and 10; b lacks 3 and 4, which a has
    assert [gap[:2] for gap in gaps] == [(8, 10), (11, 20)]


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
async def test_hole_between_two_files_is_noted_once(write, store, order):
    files = {
        "a": write("okx_BTCUSDT_a.csv", HEADER, *rows(0, 1, 2)),
        "b": write("okx_BTCUSDT_b.csv", HEADER, *rows(6, 7, 8)),
    }
    for name in (*order, *order):
        await archive.import_file(files[name], store)
    _, gaps = await stored(store)
    assert gaps == [(3, 6, "missing between two files")]


async def test_files_that_meet_leave_no_gap(write, store):
    await archive.import_file(write("okx_BTCUSDT_a.csv", HEADER, *rows(0, 1, 2)), store)
    await archive.import_file(write("okx_BTCUSDT_b.csv", HEADER, *rows(3, 4, 5)), store)
    assert (await stored(store))[1] == []


class Watched(MemoryCandleStore):
    """Remembers how many candles it gave away."""

    given = 0

    async def load(self, exchange, symbol, timeframe, start_ts, end_ts):
        frame = await super().load(exchange, symbol, timeframe, start_ts, end_ts)
        self.given += len(frame)
        return frame


async def test_the_hole_before_what_is_stored_is_found_without_loading_what_follows(write):
    store = Watched()
    await archive.import_file(write("okx_BTCUSDT.csv", HEADER, *rows(*range(9_000, 40_000))), store)
    store.given = 0
    await archive.import_file(write("okx_BTCUSDT-old.csv", HEADER, *rows(0, 1)), store, archive.Hints(timeframe="1m"))
    assert store.given < 10_000
    assert (await stored(store))[1] == [(2, 9_000, "missing between two files")]
