from __future__ import annotations

import msgspec
import pytest

from onetape.domain.errors import BadInput, Refused
from onetape.domain.instrument import Kind
from onetape.domain.market import Channel, Want
from onetape.domain.units import Timeframe
from onetape.exchanges.okx import names
from onetape.exchanges.okx.wire import Arg, ListedInstrument


@pytest.mark.parametrize(
    ("timeframe", "bar"),
    [
        ("1m", "1m"),
        ("1M", "1Mutc"),
        ("1h", "1H"),
        ("4h", "4H"),
        ("6h", "6Hutc"),
        ("1d", "1Dutc"),
        ("1w", "1Wutc"),
    ],
)
def test_bars_of_six_hours_and_longer_follow_utc(timeframe: str, bar: str) -> None:
    assert names.bar(Timeframe.parse(timeframe)) == bar


def test_unknown_length_is_refused_with_the_offered_ones() -> None:
    with pytest.raises(BadInput, match=r"7m.*1m, 3m, 5m"):
        names.bar(Timeframe.parse("7m"))


def test_candles_are_subscribed_on_business_and_the_rest_on_public() -> None:
    assert names.args(Want("BTC-USDT", Channel.CANDLES, "1d")) == (Arg("candle1Dutc", "BTC-USDT"),)
    assert [names.path(c) for c in ("candle1Dutc", "trades-all")] == ["business", "business"]
    assert [names.path(c) for c in ("trades", "books", "instruments", "status")] == ["public"] * 4


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        (Channel.TRADES, "trades"),
        (Channel.TRADES_ALL, "trades-all"),
        (Channel.TICKER, "tickers"),
        (Channel.BOOK, "books"),
        (Channel.BOOK5, "books5"),
        (Channel.BBO, "bbo-tbt"),
        (Channel.MARK, "mark-price"),
        (Channel.FUNDING, "funding-rate"),
    ],
)
def test_channels_of_an_instrument(channel: Channel, name: str) -> None:
    assert names.args(Want("BTC-USDT-SWAP", channel)) == (Arg(name, "BTC-USDT-SWAP"),)


def test_index_of_a_swap_is_that_of_its_pair() -> None:
    assert names.args(Want("BTC-USDT-SWAP", Channel.INDEX)) == (Arg("index-tickers", "BTC-USDT"),)


def test_channels_of_the_whole_venue_name_no_instrument_on_the_wire() -> None:
    sent = [msgspec.json.encode(arg) for arg in names.args(Want("*", Channel.INSTRUMENTS))]
    assert sent == [b'{"channel":"instruments","instType":"%s"}' % t for t in (b"SPOT", b"SWAP", b"FUTURES")]
    assert [msgspec.json.encode(arg) for arg in names.args(Want("*", Channel.STATUS))] == [b'{"channel":"status"}']


def test_funding_of_spot_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="okx:BTC-USDT pays no funding"):
        names.args(Want("BTC-USDT", Channel.FUNDING))


def test_spot_instrument() -> None:
    data = ListedInstrument(
        "BTC-USDT", "SPOT", "BTC", "USDT", tickSz="0.1", lotSz="0.00000001", minSz="0.00001", state="live"
    )
    got = names.instrument("demo", data)
    assert (got.id, got.kind, got.base, got.quote, got.tick) == ("demo:BTC-USDT", Kind.SPOT, "BTC", "USDT", 0.1)
    assert (got.lot, got.min_qty, got.contract_size) == (1e-8, 1e-5, 1.0)


def test_linear_swap_counts_in_coins() -> None:
    data = ListedInstrument(
        "BTC-USDT-SWAP", "SWAP", settleCcy="USDT", uly="BTC-USDT", ctVal="0.01", ctMult="1", ctType="linear",
        tickSz="0.1", lotSz="0.01", minSz="0.01",
    )  # fmt: skip
    got = names.instrument("okx", data)
    assert (got.base, got.quote, got.settle, got.contract_size) == ("BTC", "USDT", "USDT", 0.01)
    assert got.lot == 0.0001  # 0.01 contracts of 0.01 BTC


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (
            ListedInstrument("BTC-USD-SWAP", "SWAP", ctVal="100", ctType="inverse", tickSz="0.1"),
            "BTC-USD-SWAP is an inverse",
        ),
        (ListedInstrument("BTC-USD-250328-90000-C", "OPTION", tickSz="1"), "OPTION"),
        (ListedInstrument("NEW-USDT", "SPOT", "NEW", "USDT", state="preopen"), "not listed fully"),
    ],
)
def test_what_cannot_be_traded_is_refused_by_name(data: ListedInstrument, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        names.instrument("okx", data)
