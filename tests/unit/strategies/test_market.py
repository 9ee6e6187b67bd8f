"""Longer timeframes: visible from their close on, whole or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from onetape import Market
from onetape import indicators as ta
from onetape.domain.errors import BadInput

nan = np.nan


def test_longer_candle_is_visible_from_its_close(frames) -> None:
    market = Market(frames([1, 2, 3, 4, 5, 6, 7]))
    three = market.at("3m")
    # candles 0-2 close at minute 3, which is the close of candle 2; candles 3-5 at that of candle 5
    np.testing.assert_array_equal(three.close, [nan, nan, 3, 3, 3, 6, 6])
    np.testing.assert_array_equal(three.open, [nan, nan, 1, 1, 1, 4, 4])
    np.testing.assert_array_equal(three.high, [nan, nan, 4, 4, 4, 7, 7])
    np.testing.assert_array_equal(three.low, [nan, nan, 0, 0, 0, 3, 3])
    np.testing.assert_array_equal(three.volume, [nan, nan, 6, 6, 6, 15, 15])
    assert three.candles.close.tolist() == [3, 6]
    assert three.candles.ts.tolist() == [0, 180_000_000]
    assert len(three) == len(market) == 7


def test_longer_candle_cut_by_the_start_of_the_data_does_not_count(frames) -> None:
    market = Market(frames([2, 3, 4, 5, 6, 7], minutes=[1, 2, 3, 4, 5, 6]))
    assert market.at("3m").candles.close.tolist() == [6]
    np.testing.assert_array_equal(market.at("3m").close, [nan, nan, nan, nan, 6, 6])


def test_longer_candle_with_a_missing_end_is_visible_at_the_next_candle(frames) -> None:
    # minute 2 has no candle: until the one of minute 4 closes nobody knows that it will not come
    market = Market(frames([1, 2, 5, 6], minutes=[0, 1, 4, 5]))
    np.testing.assert_array_equal(market.at("3m").close, [nan, nan, 2, 6])


def test_longer_candle_without_any_candle_keeps_the_one_before(frames) -> None:
    market = Market(frames([1, 2, 3, 9, 10], minutes=[0, 1, 2, 9, 10]))
    np.testing.assert_array_equal(market.at("3m").close, [nan, nan, 3, 3, 3])


def test_indicator_of_the_longer_candles_is_brought_back(frames) -> None:
    market = Market(frames([1, 2, 3, 4, 5, 6]))
    two = market.at(2)
    assert str(two.timeframe) == "2m"
    np.testing.assert_array_equal(two.align(ta.sma(two.candles.close, 2)), [nan, nan, nan, 3, 3, 5])


def test_months_follow_the_calendar(frames) -> None:
    days = [d * 1440 for d in range(62)]  # from 1 January 1970
    market = Market(frames(list(range(62)), minutes=days, timeframe="1d"))
    close = market.at("1M").close
    assert np.isnan(close[:30]).all()
    assert close[30] == close[57] == 30.0  # known with the candle of 31 January
    assert close[58] == 58.0  # 28 February


def test_no_row_changes_when_candles_are_added(sample) -> None:
    frame = sample.rows(137, 2500)
    whole = Market(frame).at("1h").close
    for k in range(1, 2363, 61):
        np.testing.assert_array_equal(Market(frame.rows(0, k)).at("1h").close, whole[:k])


@pytest.mark.parametrize("wrong", ["30s", "7x", 0, -2, "90s"])
def test_timeframe_that_is_no_multiple_is_refused(frames, wrong) -> None:
    with pytest.raises(BadInput, match="timeframe"):
        Market(frames([1, 2])).at(wrong)


def test_values_of_another_length_are_refused(frames) -> None:
    market = Market(frames([1, 2, 3, 4]))
    with pytest.raises(BadInput, match="not one value for each of the 2 candles of 2m"):
        market.at("2m").align(market.close)


def test_columns_are_read_only(frames) -> None:
    market = Market(frames([1, 2, 3, 4]))
    for column in (market.close, market.ts, market.at(2).close, market.at(2).candles.close):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_no_candles_give_no_longer_ones(frames) -> None:
    market = Market(frames([]))
    assert len(market.at("1h").close) == 0
    assert len(market.at("1h").candles) == 0
