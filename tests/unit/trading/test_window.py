"""The window gives the strategy the candles that a backtest would: the same function builds them."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.domain.frame import COLUMNS, CandleFrame, resample
from onetape.domain.units import MINUTE, Timeframe
from onetape.trading.window import Window, fill_timeframe

START = 1_600_000_200_000_000  # on a 15-minute boundary
FIVE, ONE = Timeframe.parse("5m"), Timeframe.parse("1m")


def minutes(n: int, first: int = 0) -> CandleFrame:
    rng = np.random.default_rng(3)
    close = 100 + rng.normal(0, 1, first + n).cumsum()[first:]
    columns = {
        "ts": START + MINUTE * (first + np.arange(n)),
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close + 0.5,
        "volume": rng.random(n),
        "turnover": rng.random(n),
    }
    return CandleFrame.of("t", "A-B", ONE, columns)


def assert_equal(a: CandleFrame, b: CandleFrame) -> None:
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_candle_by_candle_it_holds_what_resampling_gives() -> None:
    frame, window = minutes(47), Window("t", "A-B", FIVE, ONE, 6)
    for i in range(len(frame)):
        window.add(frame.candle(i))
        if frame.candle(i).close_ts == window.due_ts:
            assert window.close() == frame.candle(i).close_ts
    assert_equal(window.frame, resample(frame.rows(0, 45), FIVE).tail(6))


@pytest.mark.parametrize("until", [0, 3, 5, 44, 47])
def test_loading_stands_where_following_stood(until: int) -> None:
    frame = minutes(47)
    followed, loaded = Window("t", "A-B", FIVE, ONE, 6), Window("t", "A-B", FIVE, ONE, 6)
    for i in range(until):
        followed.add(frame.candle(i))
        if frame.candle(i).close_ts == followed.due_ts:
            followed.close()
    loaded.load(frame, START + until * MINUTE)
    assert_equal(loaded.frame, followed.frame)
    assert loaded.due_ts == followed.due_ts


def test_stored_longer_candles_stand_in_front_of_built_ones() -> None:
    whole = minutes(60)
    window = Window("t", "A-B", FIVE, ONE, 9)
    window.load(whole.rows(22, 60), START + 60 * MINUTE)  # the bucket of minute 20 is not whole
    assert window.whole_ts == START + 25 * MINUTE
    window.prepend(resample(whole, FIVE))
    assert_equal(window.frame, resample(whole, FIVE).tail(9))


def test_without_stored_longer_candles_nothing_changes() -> None:
    window = Window("t", "A-B", FIVE, ONE, 9)
    window.load(minutes(20), START + 20 * MINUTE)
    before = window.frame
    window.prepend(CandleFrame.empty("t", "A-B", FIVE))
    assert window.frame is before


@pytest.mark.parametrize(
    ("timeframe", "fills"), [("1m", "1m"), ("4h", "1m"), ("1M", "1m"), ("30s", "30s"), ("90s", "90s")]
)
def test_fills_come_from_minutes_where_minutes_divide_the_timeframe(timeframe: str, fills: str) -> None:
    assert fill_timeframe(Timeframe.parse(timeframe)) == Timeframe.parse(fills)
