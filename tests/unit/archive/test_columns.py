"""Times told apart row by row; names in our spelling."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetape.archive.columns import Cells, times
from onetape.archive.naming import exchange_in, normal_symbol, symbol_in, timeframe_in
from onetape.domain.units import rfc3339

SECONDS = st.integers(1_230_768_000, 4_102_444_799)  # 2009 to 2099

WRITINGS = {
    "s": str,
    "s as float": lambda s: f"{s}.0",
    "ms": lambda s: f"{s}000",
    "us": lambda s: f"{s}000000",
    "ns": lambda s: f"{s}000000000",
    "iso": lambda s: rfc3339(s * 10**6),
    "iso, space, offset": lambda s: rfc3339(s * 10**6).replace("T", " ").replace("Z", "+00:00"),
    "eight hours ahead": lambda s: rfc3339((s + 8 * 3600) * 10**6).replace("Z", "+08:00"),
    "half an hour behind": lambda s: rfc3339((s - 1800) * 10**6).replace("Z", "-0030"),
    "spaces around": lambda s: f"  {s} ",
}


def cells(texts: list[str]) -> Cells:
    return Cells("time", 1, pl.Series(texts), np.arange(len(texts)))


@given(st.lists(st.tuples(SECONDS, st.sampled_from(sorted(WRITINGS))), min_size=1, max_size=30))
def test_each_row_is_told_by_itself_whatever_stands_beside_it(rows: list[tuple[int, str]]):
    texts = [WRITINGS[writing](second) for second, writing in rows]
    assert times(cells(texts)).tolist() == [second * 10**6 for second, _ in rows]


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2017-08-17 04-AM", "2017-08-17T04:00:00Z"),
        ("2017-08-17 12-AM", "2017-08-17T00:00:00Z"),
        ("2017-08-17 12-PM", "2017-08-17T12:00:00Z"),
        ("2017-08-17 11-PM", "2017-08-17T23:00:00Z"),
        ("20180404", "2018-04-04T00:00:00Z"),
        ("20180404 09:30", "2018-04-04T09:30:00Z"),
        ("2018-04-04 09:30:00.250 UTC", "2018-04-04T09:30:00.250000Z"),
        ("1522834200.25", "2018-04-04T09:30:00.250000Z"),
    ],
)
def test_times_in_words(text: str, means: str):
    assert rfc3339(int(times(cells([text]))[0])) == means


@pytest.mark.parametrize(
    "text", ["BTC/USDT", "BTC-USDT", "btc_usdt", "BTCUSDT", "btcusdt", "tBTCUSDT", "XBT/USDT", "BTC-UST"]
)
def test_symbols_have_one_spelling(text: str):
    assert normal_symbol(text) == "BTC-USDT"


def test_a_perpetual_is_not_its_spot_market():
    assert normal_symbol("BTC/USDT:USDT") == "BTC-USDT-SWAP"
    assert normal_symbol("BTC-USDT-SWAP") == "BTC-USDT-SWAP"
    assert symbol_in(["BTC_USDT_USDT-1h.feather"]) == "BTC-USDT-SWAP"
    assert symbol_in(["binance_um_AVAXUSDT-1m-2024-02.csv.gz"]) == "AVAX-USDT-SWAP"


@pytest.mark.parametrize(
    ("name", "exchange", "symbol", "timeframe"),
    [
        ("cryptodatadownload_gemini_BTCUSD_1hr.csv.gz", "gemini", "BTC-USD", "1h"),
        ("kraken_ohlcvt_BTCUSDC_1m_2023Q1.csv.gz", "kraken", "BTC-USDC", "1m"),
        ("binanceus_api_BTCUSD_1m_2023-03.csv.gz", "binanceus", "BTC-USD", "1m"),
        ("kaggle_btcusd_1-min_data_head.csv", "", "BTC-USD", "1m"),
        ("okx_rest_BTC-USDT_1m_2025-10-04.csv", "okx", "BTC-USDT", "1m"),
        ("XBTUSD_1.csv", "", "BTC-USD", "None"),
        ("bitstamp BNTUSD 5m", "bitstamp", "BNT-USD", "5m"),
        ("BTCTUSD-1h.csv", "", "BTC-TUSD", "1h"),
        ("my data.csv", "", "", "None"),
        ("BTCUSDT_against_ETHUSDT.csv", "", "", "None"),
    ],
)
def test_names_tell_what_they_can(name: str, exchange: str, symbol: str, timeframe: str):
    assert (exchange_in([name]), symbol_in([name]), str(timeframe_in([name]))) == (exchange, symbol, timeframe)
