"""Candles on their way into a store with a damaged part."""

from __future__ import annotations

import msgspec

from onetape.domain.errors import Damaged
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Gap, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata.stored import store_candles, store_gaps
from onetape.ports import Appended
from onetape.storage.memory import MemoryCandleStore

MINUTE = 60_000_000
BROKEN = range(3 * MINUTE, 5 * MINUTE)


class DamagedPart(MemoryCandleStore):
    async def append(self, frame: CandleFrame) -> Appended:
        if any(int(ts) in BROKEN for ts in frame.ts):
            raise Damaged("The file of that day is missing.")
        return await super().append(frame)

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame:
        if (start_ts or 0) < BROKEN.stop and (end_ts is None or end_ts > BROKEN.start):
            raise Damaged("The file of that day is missing.")
        return await super().load(exchange, symbol, timeframe, start_ts, end_ts)


def candle(ts: int, symbol: str = "A-B") -> Candle:
    return Candle("okx", symbol, "1m", ts, ts + MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


async def test_a_candle_of_a_damaged_part_is_set_aside_as_a_gap_and_all_others_are_stored() -> None:
    store = DamagedPart()
    await store_candles(store, [candle(i * MINUTE) for i in range(9)] + [candle(0, "C-D")])
    minute = Timeframe.parse("1m")
    before = await store.load("okx", "A-B", minute, 0, BROKEN.start)
    after = await store.load("okx", "A-B", minute, BROKEN.stop, 9 * MINUTE)
    assert [int(ts) // MINUTE for frame in (before, after) for ts in frame.ts] == [0, 1, 2, 5, 6, 7, 8]
    assert len(await store.load("okx", "C-D", minute, 0, MINUTE)) == 1
    gaps = await store.gaps("okx", "A-B", None)
    assert sum(gap.end_ts - gap.start_ts for gap in gaps) == 2 * MINUTE
    assert all(gap.start_ts in BROKEN for gap in gaps)


async def test_a_gap_over_a_damaged_part_is_recorded() -> None:
    store = DamagedPart()
    gap = Gap("okx", "A-B", candle_channel("1m"), BROKEN.start, BROKEN.stop, "the line was cut")
    assert await store_gaps(store, [gap]) == [gap]


async def test_a_candle_off_the_grid_is_set_aside_and_all_others_are_stored() -> None:
    store = MemoryCandleStore()
    wrong = msgspec.structs.replace(candle(2 * MINUTE), open_ts=2 * MINUTE + 7)
    await store_candles(store, [candle(0), candle(MINUTE), wrong, candle(3 * MINUTE)])
    stored = await store.load("okx", "A-B", Timeframe.parse("1m"), None, None)
    assert [int(ts) // MINUTE for ts in stored.ts] == [0, 1, 3]
    (gap,) = await store.gaps("okx", "A-B", None)
    assert (gap.start_ts // MINUTE, gap.cause) == (2, "it came in an impossible form")
