"""What the built-in strategies say, on candles small enough to work by hand."""

from __future__ import annotations

import numpy as np
import pytest

from onetape import Market, Signals
from onetape import indicators as ta
from onetape.domain.frame import CandleFrame
from onetape.strategies import crossing
from onetape.strategies.contract import Kind, evaluate
from onetape.strategies.crossing import cross_signals, sma_cross_signals
from onetape.strategies.registry import Registry

REGISTRY = Registry.load(None)
SIGNALLING = [tag for tag in REGISTRY.list() if REGISTRY.get(tag).kind == Kind.SIGNALS]
nan = np.nan


def says(tag: str, frame: CandleFrame, **parameters: object) -> Signals:
    return evaluate(REGISTRY.build(tag, parameters), Market(frame))


def rows(column: np.ndarray, value: float) -> list[int]:
    return np.flatnonzero(column == value).tolist()


def test_sma_cross_speaks_only_where_the_means_cross(frames) -> None:
    # closes       9  8  7  8  10 12 11  8  5
    # mean of 2    -  8.5 7.5 7.5 9 11 11.5 9.5 6.5
    # mean of 3    -  -  8  7.667 8.333 10 11 10.333 8
    # fast > slow  -  -  no no yes yes yes no no: in at row 4, out at row 7
    signals = says("sma_cross", frames([9, 8, 7, 8, 10, 12, 11, 8, 5]), fast=2, slow=3)
    np.testing.assert_array_equal(signals.target, [nan, nan, nan, nan, 1, nan, nan, 0, nan])
    # row 4: the distance went from 7.5 - 7.667 = -1/6 to 9 - 8.333 = 2/3, by 5/6; the fast mean's last two steps are
    # 0 and 1.5, 0.75 on average: 5/6 / (5/6 + 3/4) = 10/19
    assert signals.confidence[4] == pytest.approx(10 / 19)
    # row 7: from 0.5 to -5/6, by 4/3; steps 0.5 and 2: 4/3 / (4/3 + 5/4) = 16/31
    assert signals.confidence[7] == pytest.approx(16 / 31)
    assert rows(signals.confidence, 0.0) == [0, 1, 2, 3, 5, 6, 8]


def test_sma_cross_turns_short_or_stays_silent_as_told(frames) -> None:
    frame = frames([9, 8, 7, 8, 10, 12, 11, 8, 5])
    assert rows(says("sma_cross", frame, fast=2, slow=3, short=True).target, -1.0) == [7]
    alone = says("sma_cross", frame, fast=2, slow=3, exit="none")
    assert np.flatnonzero(~np.isnan(alone.target)).tolist() == [4]


def test_equal_means_are_no_cross_until_they_part(frames) -> None:
    # flat, then up: the means are equal on the flat candles, and the first rise is the cross
    signals = says("sma_cross", frames([0.3] * 12 + [0.4]), fast=2, slow=5)
    assert np.flatnonzero(~np.isnan(signals.target)).tolist() == [12]


@pytest.mark.parametrize("tag", SIGNALLING)
def test_flat_market_says_nothing(tag: str, frames) -> None:
    signals = says(tag, frames([7654.32] * 3000))
    assert np.isnan(signals.target).all()
    assert (signals.confidence == 0.0).all()


@pytest.mark.parametrize("tag", SIGNALLING)
def test_confidence_is_a_share_and_speaks_with_the_target_only(tag: str, sample) -> None:
    signals = says(tag, sample.rows(0, 20_000))
    spoken = ~np.isnan(signals.target)
    assert (signals.target == 1.0).sum() > 20
    assert (signals.target == 0.0).sum() > 20
    assert ((signals.confidence >= 0) & (signals.confidence <= 1)).all()
    assert (signals.confidence[~spoken] == 0.0).all()
    assert len(np.unique(signals.confidence[signals.target == 1.0].round(6))) > 20


def test_ema_cross_and_macd_trend_follow_their_averages(sample) -> None:
    frame = sample.rows(0, 5000)
    fast, slow = ta.ema(frame.close, 12), ta.ema(frame.close, 26)
    signals = says("ema_cross", frame)
    np.testing.assert_array_equal(signals.target == 1.0, ta.crossed_above(fast, slow))
    np.testing.assert_array_equal(signals.target == 0.0, ta.crossed_below(fast, slow))
    line, smooth, _ = ta.macd(frame.close)
    signals = says("macd_trend", frame, short=True)
    np.testing.assert_array_equal(signals.target == 1.0, ta.crossed_above(line, smooth))
    np.testing.assert_array_equal(signals.target == -1.0, ta.crossed_below(line, smooth))


def test_rsi_reversion_buys_the_return_and_leaves_above(frames) -> None:
    closes = [100.0, 101, 100, 101, 98, 95, 92, 90, 93, 97, 101, 105]
    strength = ta.rsi(closes, 3)
    signals = says("rsi_reversion", frames(closes), period=3, low=30.0, leave=55.0)
    entry = next(i for i in range(5, 12) if strength[i] > 30 >= strength[i - 1])
    leave = next(i for i in range(5, 12) if strength[i] > 55 >= strength[i - 1])
    assert rows(signals.target, 1.0) == [entry] == [8]
    assert rows(signals.target, 0.0) == [leave] == [9]
    assert signals.confidence[entry] == pytest.approx(1 - min(strength[6:9]) / 30)
    assert signals.confidence[leave] == 1.0


def test_bollinger_breakout_enters_beyond_the_band_and_leaves_below_the_mean(frames) -> None:
    # 10 and 11 in turns: mean 10.5, deviation 0.5. With 14 the last four are 11 10 11 14: mean 11.5, squares
    # 0.25 + 2.25 + 0.25 + 6.25 = 9, deviation 1.5; band of one deviation 13 < 14
    closes = [10.0, 11, 10, 11, 10, 11, 14, 9]
    signals = says("bollinger_breakout", frames(closes), period=4, width=1.0)
    assert 6 in rows(signals.target, 1.0)
    assert signals.confidence[6] == pytest.approx(1 - 1.5 / 2.5)  # the band is 1.5, the close 2.5 from the mean
    assert rows(signals.target, 0.0)[-1] == 7  # 10 11 14 9: mean 11


def test_donchian_breakout_brings_a_stop_of_two_ranges(frames) -> None:
    # highs are close + 1, lows close - 1. Close 15 crosses the highest high of the 3 candles before, 13.
    # True ranges of the candles 1 to 5: 2, 2, 2, 2, and 16 - 12 = 4; Wilder's mean of 3: (2 + 2 + 2) / 3 = 2, 2, then
    # (2 * 2 + 4) / 3 = 8/3
    closes = [12.0, 12, 12, 12, 12, 15, 15, 8]
    signals = says("donchian_breakout", frames(closes), entry=3, leave=2, ranges=3, stop_ranges=2.0)
    assert rows(signals.target, 1.0) == [5]
    assert signals.stop[5] == pytest.approx(2 * (8 / 3) / 15)
    assert signals.confidence[5] == pytest.approx(2 / (2 + 8 / 3))  # 15 lies 2 above the channel
    assert rows(signals.target, 0.0) == [7]
    assert np.flatnonzero(~np.isnan(signals.stop)).tolist() == [5]


def test_donchian_breakout_sells_short_when_asked(frames) -> None:
    closes = [12.0, 12, 12, 12, 12, 9, 9, 16]
    assert rows(says("donchian_breakout", frames(closes), entry=3, leave=2, ranges=3).target, -1.0) == []
    signals = says("donchian_breakout", frames(closes), entry=3, leave=2, ranges=3, short=True)
    assert rows(signals.target, -1.0) == [5]


def test_trend_pullback_enters_only_while_the_longer_timeframe_rises(frames) -> None:
    # two candles make a longer one: closes 10, 12, 14, 9 at rows 1, 3, 5, 7; their mean of two: -, 11, 13, 11.5
    # the longer close is above its mean at rows 3 to 6, and below from row 7 on
    closes = [10.0, 10, 11, 12, 11, 14, 9, 9]
    signals = says("trend_pullback", frames(closes), longer=2, trend=2, pullback=2)
    # mean of two closes: -, 10, 10.5, 11.5, 11.5, 12.5, 11.5, 9: the close crosses above it at rows 2 and 5
    assert rows(signals.target, 1.0) == [5]
    assert rows(signals.target, 0.0) == [7]
    # longer candles: 9-11, 10-13, 10-15, 8-10 (lows and highs are a close less and more 1); at row 5 the last two have
    # ranges 13 - 10 = 3 and 15 - 10 = 5, 4 on average; 14 lies 1 above the mean 13: 1 / (1 + 4)
    assert signals.confidence[5] == pytest.approx(0.2)


@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (2, 3), (10, 50), (300, 1500)])
@pytest.mark.parametrize("off_the_grid", [False, True])
def test_one_pass_over_both_means_gives_the_same_signals(fast: int, slow: int, off_the_grid: bool, sample) -> None:
    close = sample.close[:7000].copy()
    if off_the_grid:
        close[3000] /= 3
    apart = cross_signals(ta.sma(close, fast), ta.sma(close, slow), span=fast, below=0.0)
    for rows in (7000, 1024, 1025, 60, 1, 0):
        together = sma_cross_signals(close[:rows], fast, slow, below=0.0)
        np.testing.assert_array_equal(together.target, apart.target[:rows])
        np.testing.assert_allclose(together.confidence, apart.confidence[:rows], rtol=0.0, atol=1e-9)


@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (10, 50), (300, 1500)])
def test_two_halves_on_two_cores_are_the_whole(fast: int, slow: int, sample, monkeypatch) -> None:
    close = sample.close[:7001]
    whole = sma_cross_signals(close, fast, slow, below=-1.0)
    monkeypatch.setattr(crossing, "LONG", 5000)
    halves = sma_cross_signals(close, fast, slow, below=-1.0)
    np.testing.assert_array_equal(halves.target, whole.target)
    np.testing.assert_array_equal(halves.confidence, whole.confidence)
