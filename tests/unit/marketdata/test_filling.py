from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onetape.domain.errors import NotFound
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Gap, Origin
from onetape.domain.units import DAY, MINUTE, Timeframe
from onetape.marketdata.filling import fill, invented
from onetape.storage.memory import MemoryCandleStore

M1 = Timeframe.parse("1m")
SERIES = ("okx", "BTC-USD", M1)


async def test_holes_are_filled_flat_and_marked_and_their_gaps_closed(candle: Any) -> None:
    store = MemoryCandleStore()
    await store.append(CandleFrame.from_candles([candle(m) for m in (3, 4, 7, 8, 10)]))
    await store.add_gaps([Gap("okx", "BTC-USD", "candles:1m", 5 * MINUTE, 7 * MINUTE, "cut")])
    assert await fill(store, SERIES, None, None) == 3
    frame = await store.load(*SERIES, None, None)
    assert (frame.ts // MINUTE).tolist() == list(range(3, 11))
    assert frame.close.tolist() == [103, 104, 104, 104, 107, 108, 108, 110]
    assert np.flatnonzero(frame.origin == Origin.SYNTHETIC).tolist() == [2, 3, 6]
    assert frame.volume[2] == 0.0
    assert await store.gaps("okx", "BTC-USD", "candles:1m") == []
    assert await fill(store, SERIES, None, None) == 0


async def test_what_the_venue_says_later_replaces_what_was_made_up(candle: Any) -> None:
    store = MemoryCandleStore()
    await store.append(CandleFrame.from_candles([candle(m) for m in (3, 5)]))
    await fill(store, SERIES, None, None)
    await store.append(CandleFrame.from_candles([candle(4)]))
    frame = await store.load(*SERIES, None, None)
    assert (frame.close[1], frame.origin[1]) == (104.0, Origin.VENUE)


async def test_a_span_without_candles_is_refused() -> None:
    with pytest.raises(NotFound, match="no candles of it are stored there"):
        await fill(MemoryCandleStore(), SERIES, None, None)


def test_months_are_stepped_by_the_calendar() -> None:
    ones = np.ones(2)
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), ones)
    frame = CandleFrame.of("x", "A-B", "1M", {"ts": np.array([0, 90 * DAY]), **prices})  # January and April 1970
    assert (invented(frame).ts // DAY).tolist() == [31, 59]
