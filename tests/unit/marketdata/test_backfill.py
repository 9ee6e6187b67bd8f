from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from onetape.domain.errors import Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Origin, Print, Received
from onetape.domain.units import MINUTE, Timeframe
from onetape.marketdata.backfill import ABSENT, TOO_OLD, backfill, depth, first_span
from onetape.storage.memory import MemoryCandleStore

M1 = Timeframe.parse("1m")
SYMBOL = "BTC-USD"


async def fill(feed: Any, store: Any, start: int, end: int) -> list[int]:
    span = (start * MINUTE, end * MINUTE)
    return [int(ts) // MINUTE async for page in backfill(feed, store, SYMBOL, M1, span) for ts in page.ts]


async def stored(store: Any) -> CandleFrame:
    return await store.load("okx", SYMBOL, M1, None, None)


async def test_only_what_is_missing_is_fetched_and_marked(make_feed: Any, candle: Any) -> None:
    feed, store = make_feed(range(100), 100), MemoryCandleStore()
    await store.append(CandleFrame.from_candles([candle(m) for m in (3, 4, 7)]))
    assert await fill(feed, store, 2, 10) == [2, 5, 6, 8, 9]
    assert feed.asked == [(2, 3), (5, 7), (8, 10)]
    frame = await stored(store)
    assert (frame.ts // MINUTE).tolist() == list(range(2, 10))
    origins = dict(zip((frame.ts // MINUTE).tolist(), frame.origin.tolist(), strict=True))
    assert origins[3] == Origin.VENUE
    assert origins[5] == Origin.BACKFILLED


async def test_an_empty_page_is_passed_over(make_feed: Any) -> None:
    feed, store = make_feed([m for m in range(100) if m not in (10, 11)], 100), MemoryCandleStore()
    history = feed.history

    async def with_empty_pages(*wish: Any) -> AsyncIterator[CandleFrame]:
        yield CandleFrame.empty("okx", SYMBOL, M1)
        async for page in history(*wish):
            yield page
            yield page.rows(0, 0)

    feed.history = with_empty_pages
    assert await fill(feed, store, 8, 14) == [8, 9, 12, 13]


async def test_second_run_asks_for_nothing(make_feed: Any) -> None:
    feed, store = make_feed(range(100), 100), MemoryCandleStore()
    await fill(feed, store, 0, 100)
    feed.asked.clear()
    assert await fill(feed, store, 0, 100) == []
    assert feed.asked == []


async def test_what_the_venue_has_not_becomes_a_gap_and_is_not_asked_for_again(make_feed: Any) -> None:
    feed, store = make_feed([m for m in range(100) if m not in (10, 11, 60)], 100), MemoryCandleStore()
    assert len(await fill(feed, store, 0, 100)) == 97
    assert await store.gaps("okx", SYMBOL, "candles:1m") == []  # nothing is left to do
    gaps = await store.absent("okx", SYMBOL, "candles:1m")
    assert [(g.start_ts // MINUTE, g.end_ts // MINUTE, g.cause) for g in gaps] == [(10, 12, ABSENT), (60, 61, ABSENT)]
    feed.asked.clear()
    await fill(feed, store, 0, 100)
    assert feed.asked == []


async def test_broken_off_it_goes_on_from_what_is_stored(make_feed: Any) -> None:
    feed, store = make_feed(range(120), 120), MemoryCandleStore()
    pages = backfill(feed, store, SYMBOL, M1, (0, 120 * MINUTE))
    await anext(pages)
    await pages.aclose()  # as by a crash after the first page of 50
    assert await fill(feed, store, 0, 120) == list(range(50, 120))


async def test_venue_that_is_away_is_transient_and_leaves_nothing_half_done(make_feed: Any) -> None:
    feed, store = make_feed(range(10), 10), MemoryCandleStore()
    feed.broken = True
    with pytest.raises(Transient):
        await fill(feed, store, 0, 10)
    assert await store.gaps("okx", SYMBOL, "candles:1m") == []


async def test_first_start_looks_at_the_depth(make_feed: Any) -> None:
    store = MemoryCandleStore()
    assert await first_span(make_feed((), 1_000), store, SYMBOL, M1, 100) == (900 * MINUTE, 1_000 * MINUTE)


async def test_restart_looks_back_to_the_stored_end(make_feed: Any, candle: Any) -> None:
    store = MemoryCandleStore()
    await store.append(CandleFrame.from_candles([candle(499)]))
    assert await first_span(make_feed((), 1_000), store, SYMBOL, M1, 100) == (500 * MINUTE, 1_000 * MINUTE)


async def test_stored_end_too_far_back_is_left_with_a_gap_that_says_so(make_feed: Any, candle: Any) -> None:
    store = MemoryCandleStore()
    await store.append(CandleFrame.from_candles([candle(5)]))
    assert await first_span(make_feed((), 9_000), store, SYMBOL, M1, 100) == (8_900 * MINUTE, 9_000 * MINUTE)
    (gap,) = await store.gaps("okx", SYMBOL, "candles:1m")
    assert (gap.start_ts, gap.end_ts, gap.cause) == (6 * MINUTE, 8_900 * MINUTE, TOO_OLD)


def test_depth_is_three_days_of_minutes_and_1500_of_the_others() -> None:
    assert depth(M1) == 3 * 24 * 60
    assert depth(Timeframe.parse("1h")) == 1_500


async def test_a_candle_that_the_venue_lacks_is_built_from_its_trades(make_feed: Any) -> None:
    feed, store = make_feed([m for m in range(100) if m not in (10, 60)], 100), MemoryCandleStore()
    trades = tuple(Print("okx", SYMBOL, str(i), 10 * MINUTE + i, 5.0 + i, 2.0, 1) for i in range(3))
    feed.pages = [Received(None, trades)]
    await fill(feed, store, 0, 50)
    frame = (await stored(store)).between(10 * MINUTE, 11 * MINUTE)
    assert (frame.open[0], frame.close[0], frame.volume[0]) == (5.0, 7.0, 6.0)
    assert frame.origin[0] == Origin.BUILT
    assert await store.absent("okx", SYMBOL, "candles:1m") == []
