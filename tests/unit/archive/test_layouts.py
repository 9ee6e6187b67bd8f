"""Every layout is recognised by itself, from lines as its source writes them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from onetape import archive
from onetape.domain.errors import BadInput
from onetape.domain.market import Origin
from onetape.domain.units import rfc3339


class Case(NamedTuple):
    file: str
    lines: tuple[str, ...]
    layout: str
    series: str
    first: str
    opens: float
    high: float
    low: float
    close: float
    volume: float


CASES = (
    Case(
        "btcusd_1-min_data.csv",
        (
            "Timestamp,Open,High,Low,Close,Volume",
            "1325412060.0,4.58,4.7,4.5,4.6,1.5",
            "1325412120.0,4.6,4.6,4.6,4.6,0.0",
            "1325412180.0,4.6,4.6,4.6,4.6,0.0",
        ),
        "kaggle",
        "bitstamp BTC-USD 1m",
        "2012-01-01T10:01:00Z",
        *(4.58, 4.7, 4.5, 4.6, 1.5),
    ),
    Case(
        "BTCUSDT-1h-2023-01.csv",
        (
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
            "taker_buy_quote_volume,ignore",
            "1672531200000,16541.77,16545.7,16508.39,16529.67,4364.8,1672534799999,72146293.5,149854,2179.9,3603.8,0",
            "1672534800000,16529.59,16556.8,16525.78,16551.47,3590.0,1672538399999,59376757.3,120556,1790.9,2986.8,0",
            "1672538400000,16551.47,16559.7,16538.14,16548.19,3318.8,1672541999999,54920889.6,110000,1609.9,2664.4,0",
        ),
        "binance",
        "binance BTC-USDT 1h",
        "2023-01-01T00:00:00Z",
        *(16541.77, 16545.7, 16508.39, 16529.67, 4364.8),
    ),
    Case(
        "BTCUSDT-1h-2025-02.csv",  # spot dumps from 2025 on are in microseconds
        (
            "1738368000000000,100.5,101,99,100,7,1738371599999999,700.5,9,3,300,0",
            "1738371600000000,100,102,100,101,8,1738375199999999,808,9,4,404,0",
            "1738375200000000,101,101.5,100,100,9,1738378799999999,900,9,5,500,0",
        ),
        "binance-noheader",
        "binance BTC-USDT 1h",
        "2025-02-01T00:00:00Z",
        *(100.5, 101, 99, 100, 7),
    ),
    Case(
        "gemini_BTCUSD_1hr.csv",
        (
            "Created on 12-30-2020,https://www.CryptoDataDownload.com",
            "Unix Timestamp,Date,Symbol,Open,High,Low,Close,Volume",
            "1609286400000,2020-12-30 00:00:00,BTCUSD,27368.9,27600.0,27368.9,27524.93,21.92",
            "1609282800000,2020-12-29 23:00:00,BTCUSD,27300.0,27400.0,27200.0,27368.9,20.5",
            "1609279200,2020-12-29 22:00:00,BTCUSD,27250.0,27350.0,27150.0,27300.0,10.25",
        ),
        "cryptodatadownload",
        "gemini BTC-USD 1h",
        "2020-12-29T22:00:00Z",
        *(27250.0, 27350.0, 27150.0, 27300.0, 10.25),
    ),
    Case(
        "Binance_BTCUSDT_1h.csv",
        (
            "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount",
            "1502953200000,2017-08-17 07:00:00,BTC/USDT,4330,4350,4310,4340,4.25,18400.5,NULL",
            "1502949600.0,2017-08-17 06-AM,BTC/USDT,4330.29,4345.45,4309.37,4324.35,7.23,31282.31,NULL",
            "1502946000.0,2017-08-17 05-AM,BTC/USDT,4308.83,4328.69,4291.37,4315.32,23.23,100304.82,NULL",
        ),
        "cryptodatadownload",
        "binance BTC-USDT 1h",
        "2017-08-17T05:00:00Z",
        *(4308.83, 4328.69, 4291.37, 4315.32, 23.23),
    ),
    Case(
        "XBTUSD_1.csv",
        (
            "1672531200,16535.97,16540.5,16522.66,16530.1,0.01429883,2",
            "1672531260,16530.1,16530.1,16513.41,16513.41,0.00039585,1",
            "1672531320,16513.41,16521.06,16513.41,16521.06,0.0001,1",
        ),
        "kraken-ohlcvt",
        "kraken BTC-USD 1m",
        "2023-01-01T00:00:00Z",
        *(16535.97, 16540.5, 16522.66, 16530.1, 0.01429883),
    ),
    Case(
        "binanceus_BTCUSD_1m.csv",
        (
            "open_time,open,high,low,close,volume",
            "2023-03-01 00:00:00+00:00,23144.78,23152.48,23133.11,23143.72,3.9",
            "2023-03-01 00:01:00+00:00,23146.32,23152.49,23139.02,23143.67,2.6",
            "2023-03-01 00:02:00+00:00,23146.32,23152.49,23139.02,23143.67,2.6",
        ),
        "binanceus-api",
        "binanceus BTC-USD 1m",
        "2023-03-01T00:00:00Z",
        *(23144.78, 23152.48, 23133.11, 23143.72, 3.9),
    ),
    Case(
        "BTC-USDT_1m.csv",
        (
            "ts_iso,ts_ms,open,high,low,close,volume",
            "2025-10-04T09:04:00Z,1759568640000,122285.4,122573.5,122280.0,122355.5,3.76",
            "2025-10-04T09:05:00Z,1759568700000,122355.5,122431.1,122355.5,122421.9,7.17",
            "2025-10-04T09:06:00Z,1759568760000,122421.9,122431.1,122355.5,122421.9,7.17",
        ),
        "okx-rest",
        "okx BTC-USDT 1m",
        "2025-10-04T09:04:00Z",
        *(122285.4, 122573.5, 122280.0, 122355.5, 3.76),
    ),
    Case(
        "candlesticks-2024-01-02.csv",
        (
            "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm",
            "BTC-USDT,44000,44100,43900,44050,2.5,110125,110125,1704124800000,1",
            "BTC-USDT,44050,44060,44000,44010,1.5,66015,66015,1704124860000,1",
            "BTC-USDT,44010,44060,44000,44020,1.5,66015,66015,1704124920000,1",
        ),
        "okx-daily",
        "okx BTC-USDT 1m",
        "2024-01-01T16:00:00Z",
        *(44000, 44100, 43900, 44050, 2.5),
    ),
    Case(
        "candlesticks-swap-2024-01-02.csv",  # of a contract: `vol` counts contracts, `vol_ccy` is in base coin
        (
            "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm",
            "BTC-USDT-SWAP,44000,44100,43900,44050,250,2.5,110125,1704124800000,1",
            "BTC-USDT-SWAP,44050,44060,44000,44010,150,1.5,66015,1704124860000,1",
            "BTC-USDT-SWAP,44010,44060,44000,44020,150,1.5,66015,1704124920000,1",
        ),
        "okx-daily",
        "okx BTC-USDT-SWAP 1m",
        "2024-01-01T16:00:00Z",
        *(44000, 44100, 43900, 44050, 2.5),
    ),
    Case(
        "20180404_coinbase_btcusd_minute_trade.csv",
        (
            "0,7424.91,7425.5,7422,7423,7.14319709",
            "60000,7423,7423,7405,7405,13.35069752",
            "120000,7403.98,7403.98,7390,7395.88,45.28798792",
        ),
        "lean",
        "coinbase BTC-USD 1m",
        "2018-04-04T00:00:00Z",
        *(7424.91, 7425.5, 7422, 7423, 7.14319709),
    ),
    Case(
        "tBTCUSD.csv",
        (
            "1514764800000,13763,13753,13788,13752.18233851,5.13326771",
            "1514764860000,13763,13772,13773,13741,15.53608162",
            "1514764920000,13774,13742,13777,13741,16.95892633",
        ),
        "bitfinex-raw",
        "bitfinex BTC-USD 1m",
        "2018-01-01T00:00:00Z",
        *(13763, 13788, 13752.18233851, 13753, 5.13326771),
    ),
    Case(
        "bybit_ETHUSDT_5m.csv",
        (
            "1514764800000,100,110,90,105,5",
            "1514765100000,105,108,101,102,6",
            "1514765400000,102,103,95,96,7",
        ),
        "ohlcv-noheader",
        "bybit ETH-USDT 5m",
        "2018-01-01T00:00:00Z",
        *(100, 110, 90, 105, 5),
    ),
    Case(
        "kucoin-ETH_USDT.csv",
        (
            "CLOSE;Volume;LOW;high;Open;DATE",
            "105;5;90;110;100;2018-01-01",
            "102;6;101;108;105;2018-01-02",
            "96;7;95;103;102;2018-01-03",
        ),
        "generic",
        "kucoin ETH-USDT 1d",
        "2018-01-01T00:00:00Z",
        *(100, 110, 90, 105, 5),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_layout_is_recognised_and_columns_go_where_they_belong(write, case: Case):
    found = archive.read(write(case.file, *case.lines))
    frame = found.frame
    assert found.layout == case.layout
    assert f"{frame.exchange} {frame.symbol} {frame.timeframe}" == case.series
    assert rfc3339(frame.ts[0]) == case.first
    first = (frame.open[0], frame.high[0], frame.low[0], frame.close[0], frame.volume[0])
    assert first == (case.opens, case.high, case.low, case.close, case.volume)
    assert (found.rows_read, found.rejected, found.duplicates, found.gaps) == (3, 0, 0, ())
    assert set(frame.origin) == {Origin.IMPORTED}


def test_turnover_is_kept_where_the_file_has_it(write):
    by_file = {case.file: case for case in CASES}
    for name, turnover in (
        ("BTCUSDT-1h-2023-01.csv", 72146293.5),
        ("BTCUSDT-1h-2025-02.csv", 700.5),
        ("Binance_BTCUSDT_1h.csv", 100304.82),
        ("candlesticks-2024-01-02.csv", 110125.0),
        ("XBTUSD_1.csv", 0.0),
    ):
        assert archive.read(write(name, *by_file[name].lines)).frame.turnover[0] == turnover


LINES = CASES[-3].lines


@pytest.mark.parametrize("packing", ["gz", "zip", "zst", "plain-named-gz", "zip-named-csv"])
def test_packed_files_are_read_whatever_their_name(tmp_path: Path, write, packing: str):
    text = ("\n".join(LINES) + "\n").encode()
    path = tmp_path / f"tBTCUSD.csv.{packing}"
    if packing == "gz":
        path = write("tBTCUSD.csv.gz", *LINES)
    elif packing == "zst":
        pl.DataFrame({"x": LINES}).write_csv(path, include_header=False, compression="zstd", quote_style="never")
        assert path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    elif packing == "plain-named-gz":
        path.write_bytes(text)
    else:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive_:
            archive_.writestr("folder/inside.csv", text)
        path.write_bytes(packed.getvalue())
    found = archive.read(path)
    assert (found.layout, len(found.frame), found.frame.symbol) == ("bitfinex-raw", 3, "BTC-USD")


def test_windows_line_ends_blank_lines_bom_and_no_last_line_end_are_fine(tmp_path: Path):
    lines = ["\ufeffTimestamp,Open,High,Low,Close,Volume", "1325412060.0,4,5,3,4,1", "", "1325412120.0,4,5,3,4,1"]
    path = tmp_path / "btcusd_1m.csv"
    path.write_bytes("\r\n".join([*lines, "1325412180.0,4,5,0,4,1"]).encode())
    found = archive.read(path)
    assert (found.layout, found.rows_read, len(found.frame)) == ("kaggle", 3, 2)
    assert found.rejected_rows[0].line == 5  # the blank line counts, as in an editor


def _feather(path: Path, **columns: list[float]) -> Path:
    days = ["2025-01-01T00:00:00", "2025-01-01T00:05:00", "2025-01-01T00:10:00"]
    when = pl.Series("date", days).str.to_datetime(time_unit="ms", time_zone="UTC")
    values = {"open": [1.0, 2.0, 3.0], "high": [4.0] * 3, "low": [0.5] * 3, "close": [2.0] * 3, "volume": [9.0] * 3}
    frame = pl.DataFrame([when, *(pl.Series(name, values_) for name, values_ in (values | columns).items())])
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_ipc(path, compression="lz4")
    return path


@pytest.mark.parametrize("suffix", ["feather", "parquet"])
def test_columnar_files_are_read(tmp_path: Path, suffix: str):
    folder = tmp_path / "kraken"
    folder.mkdir()
    found = archive.read(_feather(folder / f"BTC_USDT-5m.{suffix}"))
    frame = found.frame
    assert found.layout == "feather"
    assert (frame.exchange, frame.symbol, str(frame.timeframe)) == ("kraken", "BTC-USDT", "5m")
    assert rfc3339(frame.ts[-1]) == "2025-01-01T00:10:00Z"
    assert list(frame.open) == [1.0, 2.0, 3.0]


def test_funding_rates_are_refused_as_no_candles(tmp_path: Path):
    nothing = [0.0] * 3
    rates = {"open": [0.0001] * 3, "high": nothing, "low": nothing, "close": nothing, "volume": nothing}
    with pytest.raises(BadInput, match="funding rates"):
        archive.read(_feather(tmp_path / "binance-BTC_USDT_USDT-8h-funding_rate.feather", **rates))


def test_mark_prices_come_in_only_when_asked_for_and_as_a_series_of_their_own(tmp_path: Path):
    path = _feather(tmp_path / "binance-BTC_USDT_USDT-5m-mark.feather", volume=[0.0] * 3)
    with pytest.raises(BadInput, match="--layout mark-price"):
        archive.read(path)
    found = archive.read(path, layout="mark-price")
    assert (found.frame.symbol, len(found.frame), found.frame.volume.sum()) == ("BTC-USDT-SWAP-MARK", 3, 0)


CALM = [f"{1514764920000 + 60_000 * i},5,5,5,5,1" for i in range(2)]


def test_layout_given_by_hand_overrides_what_the_content_says(write):
    path = write("tBTCUSD.csv", "1514764800000,10,12,13,9,1", "1514764860000,10,12,12,10,1", *CALM)
    assert archive.read(path).frame.high[0] == 13
    assert archive.read(path, layout="ohlcv-noheader", exchange="x").rejected == 2  # 13 and 12 are the lows then


@pytest.mark.parametrize(
    ("layout", "says"),
    [("lan", "not a layout"), ("kraken-ohlcvt", "7 columns, and the file has 6"), ("kaggle", "needs a header")],
)
def test_layout_that_cannot_be_is_refused(write, layout: str, says: str):
    with pytest.raises(BadInput, match=says):
        archive.read(write("tBTCUSD.csv", *LINES), layout=layout)


def test_column_order_that_cannot_be_told_asks_for_the_layout(write):
    flat = [f"{1514764800000 + 60_000 * i},5,5,5,5,1" for i in range(5)]
    path = write("btcusd.csv", *flat)
    with pytest.raises(BadInput, match=r"Say which it is with --layout: bitfinex-raw .* or ohlcv-noheader"):
        archive.read(path)
    assert len(archive.read(path, layout="bitfinex-raw").frame) == 5


def test_file_of_several_symbols_gives_the_one_asked_for(write):
    lines = [f"{s},5,6,4,5,1,5,5,{1704124800000 + 60_000 * i},1" for i in range(3) for s in ("BTC-USDT", "ETH-USDT")]
    header = "instrument_name,open,high,low,close,vol,vol_ccy,vol_quote,open_time,confirm"
    path = write("day.csv", header, *lines)
    with pytest.raises(BadInput, match="BTC-USDT, ETH-USDT"):
        archive.read(path)
    found = archive.read(path, symbol="ETH-USDT")
    assert (found.frame.symbol, found.rows_read, len(found.frame)) == ("ETH-USDT", 3, 3)
