"""What becomes of rows: the impossible refused, duplicates settled, gaps told, timeframe and names found."""

from __future__ import annotations

import pytest

from onetape import archive
from onetape.archive.reading import Hints, read_at
from onetape.domain.errors import BadInput
from onetape.domain.units import MINUTE, parse_time, rfc3339

HEADER = "time,open,high,low,close,volume"
START = 1_600_000_020  # 2020-09-13 12:27:00 UTC, a full minute


def rows(n: int, step: int = 60, start: int = START) -> list[str]:
    return [f"{start + step * i},5,6,4,5,1" for i in range(n)]


def read(write, *lines: str, **hints: str) -> archive.Reading:
    return archive.read(write("okx-BTC-USDT.csv", HEADER, *lines), **hints)


@pytest.mark.parametrize(
    ("row", "reason", "value"),
    [
        ("5,4,6,5,1", "high below low", "open 5, high 4, low 6, close 5"),
        ("7,6,4,5,1", "open or close outside low to high", "open 7, high 6, low 4, close 5"),
        ("5,6,4,3,1", "open or close outside low to high", "open 5, high 6, low 4, close 3"),
        ("5,6,-4,5,1", "a price is zero or negative", "open 5, high 6, low -4, close 5"),
        ("0,6,0,5,1", "a price is zero or negative", "open 0, high 6, low 0, close 5"),
        ("5,NaN,4,5,1", "a price is missing", "open 5, high nan, low 4, close 5"),
        ("5,6,4,,1", "a price is missing", "open 5, high 6, low 4, close nan"),
        ("5,inf,4,5,1", "a price is missing", "open 5, high nan, low 4, close 5"),
        ("5,6,4,5,-1", "volume is negative", "volume -1"),
        ("5,6,4,5,null", "volume is missing", "volume nan"),
    ],
)
def test_impossible_row_is_refused_with_its_line_and_value(write, row: str, reason: str, value: str):
    lines = rows(6)
    lines[3] = f"{START + 180},{row}"
    found = read(write, *lines)
    assert (found.rows_read, len(found.frame), found.rejected) == (6, 5, 1)
    assert found.rejected_rows == (archive.Rejected(5, reason, value),)
    assert found.reasons == {reason: 1}
    assert [(g.start_ts, g.end_ts) for g in found.gaps] == [((START + 180) * 10**6, (START + 240) * 10**6)]


def test_rounding_dust_is_no_fault_and_is_left_as_it_is(write):
    found = read(write, *rows(3), f"{START + 180},0.30000000000000004,0.3,0.2,0.3,1")
    assert found.rejected == 0
    assert found.frame.open[-1] == 0.30000000000000004


def test_row_off_the_grid_is_refused(write):
    found = read(write, *rows(12), f"{START + 61},5,6,4,5,1")
    assert found.reasons == {"not on the 1m grid": 1}
    assert found.rejected_rows[0].value == rfc3339((START + 61) * 10**6)


def test_times_outside_of_history_are_refused(write):
    found = read(write, *rows(4), "1000000020,5,6,4,5,1", "99999999960,5,6,4,5,1")
    assert [(row.line, row.reason) for row in found.rejected_rows] == [(6, "before 2009"), (7, "in the future")]


def test_candle_that_is_not_closed_yet_is_refused(write):
    path = write("okx-BTC-USDT.csv", HEADER, *rows(4))
    found = read_at(path, Hints(), (START + 200) * 10**6)  # the fourth opened at +180 and closes at +240
    assert (len(found.frame), found.reasons) == (3, {"not closed yet": 1})
    assert read_at(path, Hints(), (START + 240) * 10**6).rejected == 0


def test_unconfirmed_rows_are_refused(write):
    header = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm"
    lines = [f"BTC-USDT,5,6,4,5,1,5,5,{1704124800000 + 60_000 * i},{int(i < 3)}" for i in range(4)]
    assert archive.read(write("day.csv", header, *lines)).reasons == {"not closed yet": 1}


def test_newest_first_is_sorted(write):
    found = read(write, *reversed(rows(4)))
    assert list(found.frame.ts) == [(START + 60 * i) * 10**6 for i in range(4)]
    assert found.duplicates == 0


def test_same_row_twice_is_dropped(write):
    found = read(write, *rows(4), *rows(4))
    assert (found.rows_read, len(found.frame), found.duplicates, found.disagreeing) == (8, 4, 4, 0)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("one", "other", "stays"),
    [
        # the candle that was complete has more volume, whatever its digits
        ("5,6,4,5.25,10", "5,6.5,4,5.5,12", "5,6.5,4,5.5,12"),
        # volumes alike to a thousandth: the one written with more digits
        ("5.01,6,4,5,1000", "5.02,6,4,5,999.9531", "5.02,6,4,5,999.9531"),
    ],
)
def test_disagreeing_rows_are_settled_by_volume_then_digits_in_any_order(write, one, other, stays, turned):
    pair = [f"{START + 60},{row}" for row in ((other, one) if turned else (one, other))]
    found = read(write, rows(1)[0], *pair, *rows(4)[2:])
    frame = found.frame
    assert (len(frame), found.duplicates, found.disagreeing) == (4, 1, 1)
    assert [frame.open[1], frame.high[1], frame.low[1], frame.close[1], frame.volume[1]] == [
        float(x) for x in stays.split(",")
    ]


def test_disagreeing_rows_alike_in_all_that_counts_leave_the_last_one(write):
    found = read(write, *rows(3), f"{START + 60},5,6,4,4,1")
    assert (found.frame.close[1], found.disagreeing) == (4, 1)


def test_impossible_row_never_wins_over_a_possible_one(write):
    found = read(write, *rows(3), f"{START + 60},5,4,6,5,1000")
    assert (found.rejected, found.duplicates, found.frame.volume[1]) == (1, 0, 1)


def test_gaps_are_told_with_the_file_and_not_filled(write):
    found = read(write, *rows(3), *rows(3, start=START + 600))
    gap = found.gaps[0]
    assert (gap.exchange, gap.symbol, gap.channel, gap.cause) == (
        "okx", "BTC-USDT", "candles:1m", "missing in file okx-BTC-USDT.csv",
    )  # fmt: skip
    assert gap.end_ts - gap.start_ts == 7 * MINUTE  # rows at 0, 1, 2 and 10, 11, 12
    assert (len(found.frame), found.missing) == (6, 7)


@pytest.mark.parametrize(
    ("step", "says"),
    [(1, "1s"), (60, "1m"), (420, "7m"), (3600, "1h"), (14_400, "4h"), (86_400, "1d"), (604_800, "1w")],
)
def test_timeframe_is_the_most_common_step(write, step: int, says: str):
    start = 1_598_832_000  # 2020-08-31 00:00, a Monday
    start -= start % 420 if step == 420 else 0
    lines = rows(20, step, start)
    del lines[5], lines[9]
    assert str(read(write, *lines).frame.timeframe) == says


def test_months_are_a_timeframe(write):
    days = [f"2020-{m:02}-01" for m in range(1, 9)]
    found = read(write, *(f"{day},5,6,4,5,1" for day in days))
    assert (str(found.frame.timeframe), found.gaps) == ("1M", ())


def test_one_row_takes_its_timeframe_from_the_name_or_asks(write):
    line = rows(1, start=START - START % 3600)[0]
    assert str(archive.read(write("okx_BTCUSDT_1h.csv", HEADER, line)).frame.timeframe) == "1h"
    with pytest.raises(BadInput, match="Say --timeframe"):
        read(write, line)
    assert str(read(write, line, timeframe="5m").frame.timeframe) == "5m"


def test_two_timeframes_in_one_file_are_refused(write):
    hours = rows(30, 3600, START - START % 3600 + 7200 * 3600)
    with pytest.raises(BadInput, match=r"the timeframe is '1m': more than one: from .* the rows are 1h apart"):
        read(write, *rows(60), *hours)


@pytest.mark.parametrize(("given", "says"), [("1h", "not a 1h open time"), ("30s", "finer than the file")])
def test_timeframe_that_the_rows_contradict_is_refused(write, given: str, says: str):
    with pytest.raises(BadInput, match=says):
        read(write, *rows(30), timeframe=given)


def test_daily_candles_of_another_midnight_are_refused(write):
    lines = rows(10, 86_400, 1_704_124_800)  # 16:00 UTC: midnight in Hong Kong
    with pytest.raises(BadInput, match=r"not a 1d open time, like 10 of 10 rows.*00:00 UTC"):
        read(write, *lines)


@pytest.mark.parametrize(
    ("name", "hints", "says"),
    [
        ("okx.csv", {}, "Say --symbol BTC-USDT"),
        ("BTCUSDT.csv", {}, "Say --exchange binance"),
        ("okx_BTCUSDT.csv", {"symbol": "bitcoin"}, "not a symbol"),
        ("okx_BTCUSDT.csv", {"exchange": "O K X"}, "not an exchange name"),
        ("okx_BTCUSDT.csv", {"timeframe": "1x"}, "not a timeframe"),
    ],
)
def test_what_cannot_be_known_is_asked_for(write, name: str, hints: dict[str, str], says: str):
    with pytest.raises(BadInput, match=says):
        archive.read(write(name, HEADER, *rows(3)), **hints)


def test_symbol_that_contradicts_the_file_is_refused(write):
    path = write("okx.csv", "time,symbol,open,high,low,close,volume", f"{START},BTC/USDT,5,6,4,5,1")
    with pytest.raises(BadInput, match="not in the file, which has BTC-USDT"):
        archive.read(path, symbol="ETH-USDT", timeframe="1m")


def test_sample_is_what_its_readme_says():
    found = archive.read(archive.sample_path())
    frame = archive.sample_frame()
    assert (found.layout, frame.exchange, frame.symbol, str(frame.timeframe)) == (
        "bitfinex-raw", "bitfinex", "BTC-USD", "1m",
    )  # fmt: skip
    assert (len(frame), len(found.gaps), found.missing) == (85_455, 397, 945)
    assert (rfc3339(frame.ts[0]), rfc3339(frame.ts[-1])) == ("2019-05-15T00:00:00Z", "2019-07-13T23:59:00Z")
    assert archive.sample_path().stat().st_size <= 1_500_000


@pytest.mark.parametrize(
    ("written", "said", "means"),
    [
        (["BTC/USDT", "BTCUSDT"], None, "BTC-USDT"),  # two spellings of one symbol
        (["BTCUSDT", "BTCUSDT"], "BTC-USDT-SWAP", "BTC-USDT-SWAP"),  # a perpetual written like its spot market
        (["BTC", "BTC"], "BTC-USDT", "BTC-USDT"),  # no symbol at all: the flag counts
        (["", ""], "BTC-USDT", "BTC-USDT"),
    ],
)
def test_symbol_column_is_understood(write, written: list[str], said: str | None, means: str):
    lines = [f"{START + 60 * i},{text},5,6,4,5,1" for i, text in enumerate(written)]
    found = archive.read(write("okx_1m.csv", "time,symbol,open,high,low,close,volume", *lines), symbol=said)
    assert (found.frame.symbol, len(found.frame)) == (means, 2)


def test_time_texts_mean_what_the_domain_says(write):
    texts = ["2020-09-13", "2020-09-14T00:00:00Z", "2020-09-15 00:00:00+00:00", "2020-09-16T02:00:00+02:00", "20200917"]
    found = read(write, *(f"{text},5,6,4,5,1" for text in texts))
    assert [rfc3339(ts) for ts in found.frame.ts] == [f"2020-09-{day}T00:00:00Z" for day in range(13, 18)]
    assert parse_time(texts[3]) == found.frame.ts[3]
