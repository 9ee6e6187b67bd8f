from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.units import DAY, HOUR, MINUTE, parse_time
from onetape.venue.bars import BARS
from onetape.venue.floor import open_floor
from onetape.venue.listing import decimal, listing_of, price_decimals
from onetape.venue.split import in_minutes
from onetape.venue.tape import Row, Tape

FrameOf = Callable[..., CandleFrame]


def tape_of(frame: CandleFrame) -> Tape:
    return Tape(frame, listing_of(frame, 0, None), seed=0)


def numbers(tape: Tape, row: Row) -> tuple[float, ...]:
    scale = 10.0**tape.listing.decimals
    return (row.open_ts, *(p / scale for p in row[1:5]), row.lots / 1e8)


def test_bars_are_the_resampled_candles(frame_of: FrameOf) -> None:
    frame = frame_of(3 * 1_440)
    tape = tape_of(frame)
    for name, timeframe in (("5m", "5m"), ("1H", "1h"), ("4H", "4h"), ("1Dutc", "1d")):
        expected = resample(frame, timeframe)
        rows = tape.bars(BARS[name], BARS[name].opens(tape.begin_ts, tape.end_ts))
        assert len(rows) == len(expected)
        for i, row in enumerate(rows):
            c = expected.candle(i)
            assert numbers(tape, row)[:5] == (c.open_ts, c.open, c.high, c.low, c.close)
            assert row.lots / 1e8 == pytest.approx(c.volume, rel=1e-12)


def test_a_minute_without_trades_repeats_the_previous_close_with_volume_zero(frame_of: FrameOf) -> None:
    frame = frame_of(120)  # minute 49 is missing
    tape = tape_of(frame)
    rows = tape.bars(BARS["1m"], BARS["1m"].opens(tape.begin_ts, tape.end_ts))
    assert len(rows) == 120
    close = frame.close[48]
    assert numbers(tape, rows[49])[1:] == (close, close, close, close, 0.0)
    assert tape.trades(rows[49].open_ts - 1, rows[49].open_ts + MINUTE - 1) == []
    assert rows[49].turnover == 0


@pytest.mark.parametrize(
    ("name", "moment", "opens"),
    [
        ("4H", "2019-01-02T03:59:00Z", "2019-01-02T00:00:00Z"),
        ("6H", "2019-01-02T03:59:00Z", "2019-01-01T22:00:00Z"),
        ("6Hutc", "2019-01-02T03:59:00Z", "2019-01-02T00:00:00Z"),
        ("12H", "2019-01-02T03:59:00Z", "2019-01-01T16:00:00Z"),
        ("1D", "2019-01-02T15:59:00Z", "2019-01-01T16:00:00Z"),
        ("1D", "2019-01-02T16:00:00Z", "2019-01-02T16:00:00Z"),
        ("1Dutc", "2019-01-02T15:59:00Z", "2019-01-02T00:00:00Z"),
        ("1W", "2019-01-06T15:59:00Z", "2018-12-30T16:00:00Z"),  # 2018-12-31 was a Monday
        ("1Wutc", "2019-01-06T15:59:00Z", "2018-12-31T00:00:00Z"),
        ("1M", "2019-01-31T16:00:00Z", "2019-01-31T16:00:00Z"),
        ("1Mutc", "2019-01-31T16:00:00Z", "2019-01-01T00:00:00Z"),
    ],
)
def test_bars_open_where_the_reference_says(name: str, moment: str, opens: str) -> None:
    assert BARS[name].floor(parse_time(moment)) == parse_time(opens)


def test_months_follow_the_calendar() -> None:
    bar = BARS["1Mutc"]
    found = bar.opens(parse_time("2019-01-15"), parse_time("2019-04-01"))
    assert found.tolist() == [parse_time("2019-02-01"), parse_time("2019-03-01")]
    assert bar.back(parse_time("2019-04-15"), 3) <= parse_time("2019-01-01")


def test_the_running_bar_grows_print_by_print_into_the_closed_one(frame_of: FrameOf) -> None:
    tape = tape_of(frame_of(600))
    bar, start = BARS["5m"], tape.begin_ts + 45 * MINUTE
    assert tape.running(bar, start - 1) is not None
    seen: list[Row] = []
    for print_ in tape.trades(start - 1, start + 5 * MINUTE - 1):
        row = tape.running(bar, print_.ts_ms * 1_000)
        assert row is not None
        assert (row.open_ts, row.close, row.closed) == (start, print_.price, False)
        seen.append(row)
    assert [r.lots for r in seen] == sorted(r.lots for r in seen)
    closed = tape.bars(bar, np.array([start]))[0]
    assert seen[-1][:6] == closed[:6]
    assert seen[-1].turnover == pytest.approx(closed.turnover, rel=1e-12)


def test_before_its_first_print_a_bar_shows_the_previous_close(frame_of: FrameOf) -> None:
    tape = tape_of(frame_of(60))
    row = tape.running(BARS["1m"], tape.begin_ts + 10 * MINUTE)
    close = int(tape.minutes.close[9])
    assert row == Row(tape.begin_ts + 10 * MINUTE, close, close, close, close, 0, 0.0, False)


def test_at_the_end_a_bar_that_cannot_close_keeps_running(frame_of: FrameOf) -> None:
    tape = tape_of(frame_of(90))
    assert tape.running(BARS["1m"], tape.end_ts) is None
    row = tape.running(BARS["1H"], tape.end_ts)
    assert row is not None
    assert row.open_ts == tape.begin_ts + HOUR


def test_the_day_behind_the_ticker_is_the_last_1440_minutes(frame_of: FrameOf) -> None:
    frame = frame_of(3 * 1_440)
    tape, now = tape_of(frame), int(frame.ts[0]) + 2 * DAY + 5 * HOUR
    day, last = tape.day(now), frame.between(now - DAY, now)
    assert (day.open, day.high, day.low) == tuple(
        round(x * 10) for x in (last.open[0], last.high.max(), last.low.min())
    )
    assert day.lots == pytest.approx(last.volume.sum() * 1e8, abs=1)
    assert day.utc0 == round(frame.open[frame.ts == now - 5 * HOUR][0] * 10)
    assert day.utc8 == round(frame.open[frame.ts == now - 13 * HOUR][0] * 10)


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([14_000.0, 13_999.0], 0), ([0.1, 1.25], 2), ([13_800.12345678], 8), ([0.000012345678], 12), ([1 / 3], 8)],
)
def test_price_steps_are_the_fewest_decimals_that_hold_the_data(values: list[float], decimals: int) -> None:
    n = len(values)
    columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close"), values)
    frame = CandleFrame.of("x", "A-B", "1m", columns | {"ts": np.arange(n) * MINUTE, "volume": np.ones(n)})
    assert price_decimals(frame) == decimals


def test_decimals_are_plain_text_without_trailing_zeros() -> None:
    assert [decimal(1250, 2), decimal(1200, 2), decimal(5, 8), decimal(0, 8), decimal(7, 0), decimal(70, 0)] == [
        "12.5",
        "12",
        "0.00000005",
        "0",
        "7",
        "70",
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"speed": 0}, "--speed"),
        ({"speed": float("nan")}, "--speed"),
        ({"start_ts": 5}, "start_ts"),
        ({"frames": []}, "frames"),
    ],
)
def test_what_cannot_be_played_is_refused_with_its_name(
    frame_of: FrameOf, change: dict[str, object], field: str
) -> None:
    options: dict[str, object] = {
        "frames": [frame_of(100)],
        "speed": 1,
        "start_ts": None,
        "instruments": None,
        "seed": 0,
    }
    with pytest.raises(BadInput) as refused:
        open_floor(**(options | change))  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize("timeframe", ["3m", "5m", "1h", "1d"])
def test_longer_candles_are_cut_into_minutes_that_add_up_to_them(frame_of: FrameOf, timeframe: str) -> None:
    frame = resample(frame_of(3 * 1_440), timeframe)
    minutes = in_minutes(frame, listing_of(frame, 0, None), seed=0)
    assert str(minutes.timeframe) == "1m"
    again = resample(minutes, timeframe)
    for name in ("ts", "open", "high", "low", "close"):
        assert (getattr(again, name) == getattr(frame, name)).all()
    assert np.rint(again.volume * 1e8).tolist() == np.rint(frame.volume * 1e8).tolist()


@pytest.mark.parametrize("timeframe", ["2m", "1M"])
def test_candles_that_cannot_be_cut_are_refused(frame_of: FrameOf, timeframe: str) -> None:
    with pytest.raises(BadInput, match="cut into minutes"):
        open_floor([resample(frame_of(600), timeframe)], speed=1, start_ts=None, instruments=None, seed=0)
