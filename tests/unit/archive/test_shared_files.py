"""Real files of every layout, with the counts that were measured by other means (README of the data folder)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from onetape import archive
from onetape.domain.errors import BadInput
from onetape.domain.units import rfc3339
from onetape.marketdata.soundness import examine


class Measured(NamedTuple):
    file: str
    layout: str
    series: str
    rows: int
    first: str
    last: str
    duplicates: int = 0
    rejected: int = 0
    gaps: int = 0
    missing: int = 0


FILES = (
    Measured(
        "formats/kaggle_btcusd_1-min_data_head.csv",
        "kaggle",
        "bitstamp BTC-USD 1m",
        *(9_999, "2012-01-01T10:01:00Z", "2012-01-08T08:39:00Z"),
    ),
    Measured(
        "formats/binance_BTCUSDT-1h-2023-01.csv",
        "binance",
        "binance BTC-USDT 1h",
        *(744, "2023-01-01T00:00:00Z", "2023-01-31T23:00:00Z"),
    ),
    Measured(
        "formats/binance_noheader_BTCUSDT-1h-2023-02.csv",
        "binance-noheader",
        "binance BTC-USDT 1h",
        *(672, "2023-02-01T00:00:00Z", "2023-02-28T23:00:00Z"),
    ),
    Measured(
        "formats/cryptodatadownload_Binance_BTCUSDT_1h.csv.gz",
        "cryptodatadownload",
        "binance BTC-USDT 1h",
        *(36_062, "2017-08-17T04:00:00Z", "2021-06-10T00:00:00Z"),
        duplicates=2_649,
        gaps=8,
        missing=16,
    ),
    Measured(
        "formats/cryptodatadownload_gemini_BTCUSD_1hr.csv.gz",
        "cryptodatadownload",
        "gemini BTC-USD 1h",
        # the very first row, 2015-10-08 13:00, is the one with open and low 0
        *(45_825, "2015-10-08T14:00:00Z", "2020-12-30T00:00:00Z"),
        rejected=1,
        gaps=3,
        missing=3,
    ),
    Measured(
        "formats/kraken_ohlcvt_BTCUSDC_1m_2023Q1.csv.gz",
        "kraken-ohlcvt",
        "kraken BTC-USDC 1m",
        *(56_717, "2023-01-01T00:00:00Z", "2023-03-31T23:59:00Z"),
        gaps=26_746,
        missing=72_883,
    ),
    Measured(
        "formats/binanceus_api_BTCUSD_1m_2023-03.csv.gz",
        "binanceus-api",
        "binanceus BTC-USD 1m",
        *(30_240, "2023-03-01T00:00:00Z", "2023-03-21T23:59:00Z"),
    ),
    Measured(
        "formats/okx_rest_BTC-USDT_1m_2025-10-04.csv",
        "okx-rest",
        "okx BTC-USDT 1m",
        *(490, "2025-10-04T09:04:00Z", "2025-10-04T17:13:00Z"),
    ),
    Measured(
        "formats/lean_coinbase_btcusd_minute_20180404_trade.zip",
        "lean",
        "coinbase BTC-USD 1m",
        *(1_007, "2018-04-04T00:00:00Z", "2018-04-04T16:47:00Z"),
        gaps=1,
        missing=1,
    ),
    Measured(
        "pairs/binance_spot_BTC_USDT-5m.feather",
        "feather",
        "binance BTC-USDT 5m",
        *(119_784, "2024-12-31T00:00:00Z", "2026-02-19T21:55:00Z"),
    ),
    Measured(
        "pairs/binance_um_AVAXUSDT-1m-2024-02.csv.gz",
        "binance",
        "binance AVAX-USDT-SWAP 1m",
        *(41_760, "2024-02-01T00:00:00Z", "2024-02-29T23:59:00Z"),
    ),
    Measured(
        "pairs/ethusd_bitfinex_1m_2018-2019.csv.gz",
        "bitfinex-raw",
        "bitfinex ETH-USD 1m",
        *(964_016, "2018-01-01T00:00:00Z", "2019-12-31T23:56:00Z"),
        gaps=60_031,
        missing=87_181,
    ),
    Measured(
        "long/btcusd_bitfinex_1m_2018-2019.csv.gz",
        "bitfinex-raw",
        "bitfinex BTC-USD 1m",
        *(1_033_226, "2018-01-01T00:00:00Z", "2019-12-31T23:59:00Z"),
        gaps=13_947,
        missing=17_974,
    ),
)


@pytest.mark.parametrize("measured", FILES, ids=lambda measured: measured.file)
def test_file_is_read_as_it_was_measured(shared_data: Path, measured: Measured):
    found = archive.read(shared_data / measured.file)
    frame = found.frame
    assert measured == Measured(
        measured.file,
        found.layout,
        f"{frame.exchange} {frame.symbol} {frame.timeframe}",
        found.rows_read,
        rfc3339(frame.ts[0]),
        rfc3339(frame.ts[-1]),
        found.duplicates,
        found.rejected,
        len(found.gaps),
        found.missing,
    )
    assert len(frame) == found.rows_read - found.duplicates - found.rejected


def test_disagreeing_hours_leave_the_better_row(shared_data: Path):
    found = archive.read(shared_data / "formats/cryptodatadownload_Binance_BTCUSDT_1h.csv.gz")
    assert found.disagreeing == 2_649
    frame = found.frame.between(1_605_855_600_000_000, 1_605_855_600_000_001)  # 2020-11-20 07:00
    # the old row was written before the hour was over: close 18143.03, volume 4940.76
    assert (frame.close[0], frame.volume[0]) == (18212.0, 6097.86638)


def test_bad_first_tick_is_kept_and_shown_as_an_outlier(shared_data: Path):
    frame = archive.read(shared_data / "formats/cryptodatadownload_Binance_BTCUSDT_1h.csv.gz").frame
    report = examine(frame)
    assert report.impossible == 0
    assert (report.outlier_rows[0].ts, report.outlier_rows[0].high) == (int(frame.ts[0]), 16199.91)


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("pairs/binance_um_BTC_USDT_USDT-8h-funding_rate.feather", "funding rates"),
        ("pairs/binance_um_BTC_USDT_USDT-1h-mark.feather", "--layout mark-price"),
        ("capture/binance_usdm_btcusdt_2024-08-08.gz", "neither a header"),
        ("okx/error_codes.json", "JSON"),
    ],
)
def test_what_is_no_candles_is_refused(shared_data: Path, file: str, says: str):
    with pytest.raises(BadInput, match=says):
        archive.read(shared_data / file)


def test_mark_prices_when_asked_for(shared_data: Path):
    found = archive.read(shared_data / "pairs/binance_um_BTC_USDT_USDT-1h-mark.feather", layout="mark-price")
    assert (found.frame.symbol, len(found.frame)) == ("BTC-USDT-SWAP-MARK", 9_981)
