"""Where the candles of a day really begin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from onetape.domain.frame import CandleFrame, resample
from onetape.domain.units import DAY, HOUR, parse_time
from onetape.marketdata.anchor import Anchor, anchor_of

START = parse_time("2024-01-01")


def hours(n: int = 24 * 30) -> CandleFrame:
    """Each hour opens where the last closed; no two prices are equal."""
    close = 100 + np.arange(n) * 0.01
    opens = close - 0.01
    columns = {"ts": START + np.arange(n) * HOUR, "open": opens, "high": close, "low": opens, "close": close}
    return CandleFrame.of("okx", "BTC-USDT", "1h", columns | {"volume": np.ones(n)})


def days_from(offset: int) -> CandleFrame:
    """Whole days that hold the prices from `offset` hours after midnight on, called by the midnight before."""
    frame = hours()
    moved = dataclasses.replace(frame, ts=frame.ts - offset * HOUR)
    return resample(moved.between(START, None), "1d").rows(0, 25)


@pytest.mark.parametrize("offset", [0, 16])
def test_the_offset_is_found(offset: int) -> None:
    assert anchor_of(days_from(offset), hours()) == Anchor(offset * HOUR, 1.0, 25, offset == 0)


def test_prices_that_agree_nowhere_tell_nothing() -> None:
    days = days_from(0)
    other = dataclasses.replace(days, open=days.open * 1.001)
    assert anchor_of(other, hours()) == Anchor(0, 0.0, 25, None)


def test_few_days_tell_nothing() -> None:
    assert anchor_of(days_from(0).rows(0, 4), hours()).sound is None
    assert anchor_of(days_from(0), hours().rows(0, 0)).compared == 0


def test_a_price_that_stands_still_is_no_wrong_anchor() -> None:
    frame = hours()
    still = dataclasses.replace(frame, **dict.fromkeys(("open", "high", "low", "close"), np.full(len(frame), 7.0)))
    days = resample(still, "1d")
    assert anchor_of(days.rows(0, 28), still).sound is True
    assert int(days.ts[1] - days.ts[0]) == DAY
