"""Lengths of candles: which of them are made of whole shorter ones."""

from __future__ import annotations

import pytest

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.units import DAY, Timeframe, parse_time


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [("1m", "7m"), ("1m", "1M"), ("1d", "1M"), ("1d", "1w"), ("12h", "1w"), ("1w", "2w"), ("1M", "3M"), ("7m", "21m"),
     ("1d", "7d"), ("4h", "1M"), ("1h", "1h"), ("1M", "1M")],
)  # fmt: skip
def test_a_length_divides_what_begins_and_ends_with_its_candles(shorter: str, longer: str) -> None:
    assert Timeframe.parse(shorter).divides(Timeframe.parse(longer))


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        ("2d", "1M"),  # a whole multiple of 30 days, which no month is
        ("5h", "1M"),  # five hours do not divide a day
        ("30d", "1M"),
        ("1w", "1M"),
        ("7m", "1w"),  # 1,440 of them are a week, but none begins on a Monday at 00:00
        ("7d", "1w"),  # counted from 1970, a Thursday
        ("1w", "14d"),
        ("2M", "3M"),
        ("1M", "30d"),
        ("1h", "1m"),
        ("7m", "15m"),
    ],
)
def test_a_length_does_not_divide_what_begins_inside_of_its_candles(shorter: str, longer: str) -> None:
    assert not Timeframe.parse(shorter).divides(Timeframe.parse(longer))


@pytest.mark.parametrize("longer", ["1d", "3d", "1w", "2w", "1M", "3M", "12M", "7h", "90m"])
@pytest.mark.parametrize("shorter", ["1m", "7m", "15m", "1h", "5h", "1d", "2d", "3d", "7d", "1w", "1M"])
def test_dividing_is_what_the_grids_say(shorter: str, longer: str) -> None:
    """By trying: each open time of the longer length is one of the shorter, over four years."""
    short, long = Timeframe.parse(shorter), Timeframe.parse(longer)
    ts, opens = long.next(parse_time("2023-01-01")), []
    while ts < parse_time("2027-01-01"):
        opens.append(ts)
        ts = long.next(ts)
    assert short.divides(long) == all(short.floor(ts) == ts for ts in opens)


def test_candles_that_straddle_months_are_not_made_into_months() -> None:
    ts = [Timeframe(2, "d").floor(parse_time("2024-01-01")) + i * 2 * DAY for i in range(30)]
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * 30)
    frame = CandleFrame.of("x", "A-B", "2d", {"ts": ts, **columns})
    with pytest.raises(BadInput, match="not made of whole candles of 2d"):
        resample(frame, "1M")


@pytest.mark.parametrize("text", ["1M", "7M", "12M", "1w", "1d"])
def test_the_ends_of_time_have_candles_too(text: str) -> None:
    """A span may be asked for up to the year 9999, or from the year 1 on."""
    length = Timeframe.parse(text)
    assert length.next(parse_time("9999-12-31")) > parse_time("9999-12-31")
    assert length.floor(parse_time("0001-01-01")) <= parse_time("0001-01-01")
