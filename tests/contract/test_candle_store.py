"""What every candle store must do: the one in memory, the one in PostgreSQL, and that one with half of it archived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.archive.candles import ArchivedCandleStore
from onetape.archive.folder import Files
from onetape.archive.moving import archive
from onetape.clock import RealClock
from onetape.domain.frame import COLUMNS, CandleFrame
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import NONE_THERE, Candle, Corrected, Gap, Origin, taken_from
from onetape.domain.parts import Which
from onetape.domain.units import MINUTE, Timeframe, parse_time
from onetape.ports import Appended, CandleStore, Coverage
from onetape.storage.candles import PgCandleStore
from onetape.storage.memory import MemoryCandleStore
from onetape.storage.shelf import PgShelf

MINUTES = Timeframe(1, "m")
START = parse_time("2019-12-31T23:50")  # so that ten minutes later another partition begins


class Shelved(ArchivedCandleStore):
    """Everything that may leave the database leaves it after each append: what lies in December."""

    async def append(self, frame: CandleFrame) -> Appended:
        done = await super().append(frame)
        await archive(self._shelf, self._files, Which(), lambda _: None)
        return done


@pytest.fixture
def heard() -> list[Corrected]:
    """What the store tells of its past."""
    return []


@pytest.fixture(params=["memory", "postgres", "archive"])
def store(request: pytest.FixtureRequest, tmp_path: Path, heard: list[Corrected]) -> CandleStore:
    if request.param == "memory":
        return MemoryCandleStore(heard.append)
    pool = request.getfixturevalue("pool")
    if request.param == "postgres":
        return PgCandleStore(pool, heard.append)
    return Shelved(PgCandleStore(pool, heard.append), PgShelf(pool), Files(tmp_path), RealClock())


def frame(n: int, first: int = 0, *, price: float = 100.0, symbol: str = "BTC-USDT", **columns: Any) -> CandleFrame:
    """`n` minutes from START + `first` minutes; the close of minute i is price + i / 4."""
    minutes = np.arange(first, first + n)
    close = price + minutes / 4
    values: dict[str, object] = {
        "ts": START + minutes * MINUTE,
        "open": close - 0.5,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": minutes + 0.125,
        "turnover": columns.get("turnover", close * 2),
        "origin": np.full(n, columns.get("origin", Origin.IMPORTED)),
    }
    return CandleFrame.of("okx", symbol, MINUTES, values)


async def load(store: CandleStore, start: int | None = None, end: int | None = None) -> CandleFrame:
    return await store.load("okx", "BTC-USDT", MINUTES, start, end)


def assert_same(a: CandleFrame, b: CandleFrame) -> None:
    assert (a.exchange, a.symbol, a.timeframe) == (b.exchange, b.symbol, b.timeframe)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        assert getattr(a, name).dtype == getattr(b, name).dtype


@pytest.mark.parametrize("n", [1, 20, 2_500])
async def test_what_was_appended_is_loaded_bit_for_bit(store: CandleStore, n: int) -> None:
    given = frame(n)
    assert await store.append(given) == Appended(n, n, 0)
    assert_same(await load(store), given)


@pytest.mark.parametrize("n", [20, 2_500])
async def test_the_same_rows_again_change_nothing(store: CandleStore, n: int) -> None:
    await store.append(frame(n))
    assert await store.append(frame(n)) == Appended(n, 0, 0)
    assert (await store.coverage())[0].rows == n


@pytest.mark.parametrize("n", [20, 2_500])
async def test_overlap_counts_new_and_changed_rows_apart(store: CandleStore, n: int) -> None:
    await store.append(frame(n))
    other = frame(n, 5)  # n - 5 rows are there already and equal
    lifted = CandleFrame.of(
        "okx",
        "BTC-USDT",
        MINUTES,
        {
            name: getattr(other, name) + (0.5 if name == "high" else 0) * (other.ts < START + 8 * MINUTE)
            for name in COLUMNS
        },
    )  # rows 5, 6 and 7 differ
    assert await store.append(lifted) == Appended(n, 5, 3)
    stored = await load(store)
    assert len(stored) == n + 5
    assert stored.high[5] == frame(n).high[5] + 0.5
    assert stored.high[8] == frame(n).high[8]


async def test_unknown_turnover_does_not_replace_a_known_one(store: CandleStore) -> None:
    await store.append(frame(3))
    assert await store.append(frame(3, turnover=None)) == Appended(3, 0, 0)
    assert await store.append(frame(3, price=50.0, turnover=None)) == Appended(3, 0, 3)
    stored = await load(store)
    assert stored.close[0] == 50
    np.testing.assert_array_equal(stored.turnover, frame(3).turnover)


async def test_load_is_half_open(store: CandleStore) -> None:
    await store.append(frame(20))
    part = await load(store, START + 5 * MINUTE, START + 8 * MINUTE)
    assert_same(part, frame(3, 5))


async def test_series_do_not_mix(store: CandleStore) -> None:
    await store.append(frame(3))
    await store.append(frame(4, symbol="ETH-USDT"))
    assert len(await load(store)) == 3
    assert [c.symbol for c in await store.coverage(symbol="ETH-USDT")] == ["ETH-USDT"]


async def test_an_unknown_series_loads_empty(store: CandleStore) -> None:
    assert len(await load(store)) == 0
    assert len(await store.tail("okx", "BTC-USDT", MINUTES, 5)) == 0
    assert await store.coverage() == []


async def test_empty_frame_appends_nothing(store: CandleStore) -> None:
    assert await store.append(frame(0)) == Appended(0, 0, 0)
    assert await store.coverage() == []


async def test_tail_gives_the_last_ones_oldest_first(store: CandleStore) -> None:
    await store.append(frame(30))
    assert_same(await store.tail("okx", "BTC-USDT", MINUTES, 4), frame(4, 26))
    before = await store.tail("okx", "BTC-USDT", MINUTES, 4, START + 10 * MINUTE)
    assert_same(before, frame(4, 6))
    assert len(await store.tail("okx", "BTC-USDT", MINUTES, 100)) == 30
    assert len(await store.tail("okx", "BTC-USDT", MINUTES, 0)) == 0


async def test_coverage_knows_ends_rows_and_gaps(store: CandleStore) -> None:
    await store.append(frame(10, 20))
    await store.append(frame(10))
    await store.add_gaps([hole(10, 20)])
    assert await store.coverage("okx", "BTC-USDT") == [
        Coverage(
            exchange="okx",
            symbol="BTC-USDT",
            timeframe="1m",
            first_ts=START,
            last_ts=START + 29 * MINUTE,
            rows=20,
            gaps=1,
        )
    ]


def hole(start: int, end: int) -> Gap:
    return Gap("okx", "BTC-USDT", "candles:1m", START + start * MINUTE, START + end * MINUTE, "file has a hole")


async def test_a_gap_is_kept_once(store: CandleStore) -> None:
    assert await store.add_gaps([hole(5, 7), hole(1, 2)]) == 2
    assert await store.add_gaps([hole(1, 2), hole(8, 9)]) == 1
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == [hole(1, 2), hole(5, 7), hole(8, 9)]
    assert await store.gaps("okx", "BTC-USDT", "candles:5m") == []


async def test_a_gap_closes_with_its_last_candle(store: CandleStore) -> None:
    await store.add_gaps([hole(5, 7), hole(20, 22)])
    await store.append(frame(1, 5))
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == [hole(6, 7), hole(20, 22)]
    await store.append(frame(1, 6))
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == [hole(20, 22)]


async def test_instruments_are_replaced_by_their_id(store: CandleStore) -> None:
    btc = Instrument(exchange="okx", symbol="BTC-USDT", base="BTC", quote="USDT", settle="USDT", tick=0.1, lot=1e-8)
    swap = Instrument(exchange="okx", symbol="BTC-USDT-SWAP", kind=Kind.SWAP, contract_size=0.01)
    await store.put_instruments([swap, btc])
    assert await store.instruments() == [btc, swap]
    finer = Instrument(exchange="okx", symbol="BTC-USDT", tick=0.01)
    await store.put_instruments([finer])
    assert await store.instruments() == [finer, swap]


async def test_a_gap_of_months_closes_with_its_last_candle(store: CandleStore) -> None:
    month = Timeframe.parse("1M")
    starts = [parse_time(text) for text in ("2024-12-01", "2025-01-01", "2025-02-01", "2025-03-01")]
    rows = [
        Candle("okx", "BTC-USDT", "1M", ts, month.next(ts), 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, Origin.VENUE) for ts in starts
    ]
    gap = Gap("okx", "BTC-USDT", "candles:1M", starts[1], starts[3], "line cut")
    await store.append(CandleFrame.from_candles([rows[0], rows[3]]))
    await store.add_gaps([gap])
    await store.append(CandleFrame.from_candles([rows[1]]))
    (left,) = await store.gaps("okx", "BTC-USDT", "candles:1M")
    assert (left.start_ts, left.end_ts) == (starts[2], starts[3])
    await store.append(CandleFrame.from_candles([rows[2]]))
    assert await store.gaps("okx", "BTC-USDT", "candles:1M") == []


async def test_a_gap_of_weeks_closes_with_its_candle(store: CandleStore) -> None:
    week = Timeframe.parse("1w")
    start = parse_time("2025-01-06")  # a Monday
    gap = Gap("okx", "BTC-USDT", "candles:1w", start + 1, week.next(start) + 1, "line cut")
    await store.add_gaps([gap])
    ts = week.next(start)
    row = Candle("okx", "BTC-USDT", "1w", ts, week.next(ts), 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, Origin.VENUE)
    await store.append(CandleFrame.from_candles([row]))
    assert await store.gaps("okx", "BTC-USDT", "candles:1w") == []


async def test_an_absence_whose_candles_came_after_all_is_none(store: CandleStore) -> None:
    await store.close_gaps([hole(25, 27)], NONE_THERE)
    await store.append(frame(1, 25))
    assert await store.absent("okx", "BTC-USDT", "candles:1m") == [hole(26, 27)]
    await store.append(frame(1, 26))
    assert await store.absent("okx", "BTC-USDT", "candles:1m") == []


async def test_a_gap_that_the_venue_cannot_fill_is_closed_with_what_it_has(store: CandleStore) -> None:
    await store.add_gaps([hole(5, 9)])
    await store.append(frame(3, 6))  # 6, 7 and 8: 5 is missing
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == [hole(5, 6)]
    assert await store.close_gaps([hole(5, 6)], NONE_THERE) == 1
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == []
    assert (await store.absent("okx", "BTC-USDT", "candles:1m"))[0] == hole(5, 6)
    assert await store.close_gaps([hole(5, 6)], NONE_THERE) == 0


async def test_a_candle_inside_what_the_venue_has_not_counts_once(store: CandleStore) -> None:
    await store.add_gaps([hole(0, 4)])
    await store.close_gaps([hole(0, 2)], NONE_THERE)
    await store.append(frame(2))  # imported where the venue has none; 2 and 3 are still missing
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == [hole(2, 4)]


async def test_holes_of_one_channel_never_overlap(store: CandleStore) -> None:
    assert await store.add_gaps([hole(10, 20), hole(15, 30)]) == 2
    assert await store.close_gaps([hole(12, 14)], NONE_THERE) == 1
    assert await store.add_gaps([hole(5, 40)]) == 2
    found = [hole(5, 10), hole(10, 12), hole(14, 20), hole(20, 30), hole(30, 40)]
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == found
    assert await store.absent("okx", "BTC-USDT", "candles:1m") == [hole(12, 14)]


async def test_hole_repaired_piece_by_piece_becomes_shorter_and_leaves_one_row(store: CandleStore) -> None:
    trades = Gap("okx", "BTC-USDT", "trades", START, START + 60 * MINUTE, "line cut")
    await store.add_gaps([trades])
    for i in range(3):
        piece = Gap("okx", "BTC-USDT", "trades", START + i * MINUTE, START + (i + 1) * MINUTE, "")
        assert await store.close_gaps([piece], "backfilled from trades") == 1
    (left,) = await store.gaps("okx", "BTC-USDT", "trades")
    assert left == Gap("okx", "BTC-USDT", "trades", START + 3 * MINUTE, START + 60 * MINUTE, "line cut")
    await store.expect(left, 12.5)
    assert await store.add_gaps([trades]) == 0  # noted again after a restart


async def test_hole_filled_from_several_sources_names_each_part(store: CandleStore) -> None:
    await store.append(frame(2, 4, origin=Origin.VENUE))  # stored before the hole was noted
    await store.add_gaps([hole(0, 12)])
    await store.close_gaps([hole(9, 12)], NONE_THERE)
    await store.append(frame(4, 0, origin=Origin.BACKFILLED))
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == [hole(4, 9)]
    await store.append(frame(3, 6, origin=Origin.BUILT))
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == []
    assert await store.absent("okx", "BTC-USDT", "candles:1m") == [hole(9, 12)]


async def test_a_changed_candle_leaves_a_correction(store: CandleStore) -> None:
    await store.append(frame(3, origin=Origin.BUILT))
    await store.append(frame(1, 1, price=200.0, origin=Origin.VENUE))
    (one,) = await store.corrections("okx", "BTC-USDT", MINUTES, START, START + 3 * MINUTE)
    assert (one.open_ts, one.origin_before, one.origin_after) == (START + MINUTE, Origin.BUILT, Origin.VENUE)
    assert one.before == [99.75, 101.25, 99.25, 100.25, 1.125, 200.5]
    assert one.after == [199.75, 201.25, 199.25, 200.25, 1.125, 400.5]


@pytest.mark.parametrize(
    ("there", "comes", "stays"),
    [
        (Origin.VENUE, Origin.BUILT, True),
        (Origin.IMPORTED, Origin.SYNTHETIC, True),
        (Origin.BUILT, Origin.SYNTHETIC, True),
        (Origin.SYNTHETIC, Origin.BUILT, False),
        (Origin.BUILT, Origin.BUILT, False),
        (Origin.BUILT, Origin.BACKFILLED, False),
        (Origin.VENUE, Origin.IMPORTED, False),
    ],
)
async def test_what_was_built_or_made_up_never_replaces_what_was_said(
    store: CandleStore, there: Origin, comes: Origin, stays: bool
) -> None:
    await store.append(frame(1, origin=there))
    done = await store.append(frame(1, price=7.0, origin=comes))
    assert done == Appended(1, 0, 0 if stays else 1)
    stored = await load(store)
    assert (stored.close[0], stored.origin[0]) == ((100.0, there) if stays else (7.0, comes))
    assert len(await store.corrections("okx", "BTC-USDT", MINUTES, START, START + MINUTE)) == (0 if stays else 1)


async def test_the_same_numbers_from_a_better_source_change_only_the_origin(store: CandleStore) -> None:
    await store.append(frame(1, origin=Origin.SYNTHETIC))
    assert await store.append(frame(1, origin=Origin.VENUE)) == Appended(1, 0, 1)
    assert (await load(store)).origin[0] == Origin.VENUE
    assert await store.corrections("okx", "BTC-USDT", MINUTES, START, START + MINUTE) == []


async def test_foreign_candles_give_way_to_every_one_of_the_exchanges_own(store: CandleStore) -> None:
    await store.append(frame(1, price=1.0, origin=Origin.SYNTHETIC))
    assert (await store.append(frame(1, price=2.0, origin=Origin.FOREIGN))).changed == 1
    assert (await store.append(frame(1, price=3.0, origin=Origin.SYNTHETIC))).changed == 0
    assert (await store.append(frame(1, price=4.0, origin=Origin.FOREIGN))).changed == 1
    assert (await store.append(frame(1, price=5.0, origin=Origin.BUILT))).changed == 1
    assert (await store.append(frame(1, price=6.0, origin=Origin.FOREIGN))).changed == 0
    stored = await store.load("okx", "BTC-USDT", MINUTES, None, None)
    assert stored.close.tolist() == [5.0]
    assert stored.origin.tolist() == [Origin.BUILT]


async def test_gap_that_was_filled_from_another_exchange_says_from_which(store: CandleStore) -> None:
    lacking = Gap("okx", "BTC-USDT", "candles:1m", START, START + 2 * MINUTE, "the venue has no candle here")
    opened = Gap("okx", "BTC-USDT", "candles:1m", START + 5 * MINUTE, START + 6 * MINUTE, "too old")
    await store.close_gaps([lacking], NONE_THERE)
    await store.add_gaps([opened])
    await store.append(frame(2, origin=Origin.FOREIGN))
    await store.append(frame(1, 5, origin=Origin.FOREIGN))
    assert await store.close_gaps([lacking, opened], taken_from("binance")) == 2
    assert await store.close_gaps([lacking], NONE_THERE) == 0
    assert await store.absent("okx", "BTC-USDT", "candles:1m") == []
    assert await store.gaps("okx", "BTC-USDT", "candles:1m") == []


async def test_a_changed_past_is_told_and_a_new_candle_is_not(store: CandleStore, heard: list[Corrected]) -> None:
    def told(first: int, end: int) -> Corrected:
        return Corrected("okx", "BTC-USDT", "1m", START + first * MINUTE, START + end * MINUTE)

    await store.append(frame(3))
    await store.append(frame(2, 3))
    await store.append(frame(1, 8))  # a hole before it is no change of what was there
    await store.append(frame(5))  # nothing new
    assert heard == []
    await store.append(frame(1, 4, price=200.0))
    assert heard == [told(4, 5)]
    await store.append(frame(2, 6))  # into the hole
    assert heard[1:] == [told(6, 8)]
    await store.append(frame(1, 8, price=300.0))  # the newest one, by a later word
    assert heard[2:] == [told(8, 9)]
