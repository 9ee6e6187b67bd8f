"""Which candles are built from trades: by what the venue really brings of the same instrument."""

from __future__ import annotations

import pytest

from onetape.domain.market import Channel, Want
from onetape.exchanges.ccxt.feed import CcxtFeed
from onetape.exchanges.okx.feed import OkxFeed
from onetape.marketdata.collector import wants_for
from onetape.marketdata.trades import Comes, Trades, needs_trades, with_trades

SYMBOL = "BTC-USDT"


def comes(timeframes: frozenset[str], *refused: Want) -> Comes:
    return lambda want: want.timeframe in timeframes and want not in refused


def candles(timeframe: str, symbol: str = SYMBOL) -> Want:
    return Want(symbol, Channel.CANDLES, timeframe)


def built(wants: list[Want], venue: Comes) -> set[str]:
    found = {w.timeframe for w in wants if w.channel is Channel.CANDLES and needs_trades(w, wants, venue)}
    trades = Trades("okx")
    trades.follow(with_trades(wants, venue), venue)
    assert {str(each) for each in trades.built(SYMBOL)} == found
    return found


OKX = OkxFeed.timeframes
KRAKEN = CcxtFeed("kraken").timeframes
ALL = ["1s", "30s", "5m", "7m", "90s"]


@pytest.mark.parametrize(
    ("timeframes", "refused", "expected"),
    [
        (OKX, (), {"30s", "90s"}),
        (OKX, (candles("1s"),), {"1s", "30s", "90s"}),
        (OKX, (candles("1s", "ETH-USDT"),), {"30s", "90s"}),
        (OKX, (candles("5m"),), {"30s", "90s"}),  # a minute divides it
        (OKX, tuple(candles(each) for each in OKX), {"1s", "30s", "1m", "5m", "7m", "90s"}),
        (KRAKEN, (), {"1s", "30s", "90s"}),
        (frozenset(), (), {"1s", "30s", "1m", "5m", "7m", "90s"}),
    ],
)
def test_what_no_recorded_candles_divide_is_built(
    timeframes: frozenset[str], refused: tuple[Want, ...], expected: set[str]
) -> None:
    assert built(wants_for([SYMBOL], ALL), comes(timeframes, *refused)) == expected


def test_candles_of_one_instrument_are_no_source_for_another() -> None:
    wants = [candles("30s"), candles("1m", "ETH-USDT"), candles("90s", "ETH-USDT")]
    assert needs_trades(candles("7m"), wants, comes(OKX))
    assert not needs_trades(candles("7m"), [*wants, candles("1m")], comes(OKX))


@pytest.mark.parametrize("timeframes", [OKX, KRAKEN])
def test_trades_are_recorded_where_candles_need_them_and_nowhere_else(timeframes: frozenset[str]) -> None:
    wants = wants_for([SYMBOL, "ETH-USDT"], ["5m", "7m"], [Channel.CANDLES])
    assert with_trades(wants, comes(timeframes)) == wants
    more = [*wants, candles("30s")]
    assert with_trades(more, comes(timeframes)) == [*more, Want(SYMBOL, Channel.TRADES)]
    better = [*more, Want(SYMBOL, Channel.TRADES_ALL)]
    assert with_trades(better, comes(timeframes)) == better
