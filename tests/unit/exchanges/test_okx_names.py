from __future__ import annotations

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
    assert names.arg(Want("BTC-USDT", Channel.CANDLES, "1d")) == Arg("candle1Dutc", "BTC-USDT")
    assert names.path("candle1Dutc") == "business"
    assert names.path(names.arg(Want("BTC-USDT", Channel.BOOK)).channel) == "public"


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
