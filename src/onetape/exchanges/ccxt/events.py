"""From the library's unified objects to market events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from onetape.domain.market import Book, Candle, Channel, Forming, Funding, Origin, Print, Quote
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.ccxt import venues

DEPTH: Final = 25
_MS: Final = 1_000
_SIDES: Final = {"buy": 1, "sell": -1}


def micros(milliseconds: float | None) -> Micros:
    """0: not stated."""
    return int(milliseconds * _MS) if milliseconds else 0


def print_of(exchange: str, symbol: str, trade: dict[str, Any], size: float, recv_ts: Micros) -> Print:
    """A venue without ids gets them from time, price and amount."""
    ts, price, amount = micros(trade["timestamp"]) or recv_ts, float(trade["price"]), float(trade["amount"])
    side = _SIDES.get(trade.get("side") or "", 0)
    if exchange in venues.MAKER_SIDE:
        side = -side
    return Print(
        exchange, symbol, str(trade.get("id") or f"{ts}:{price}:{amount}"), ts, price, amount * size, side, recv_ts
    )


def quote_of(exchange: str, symbol: str, ticker: dict[str, Any], size: float, recv_ts: Micros) -> Quote:
    return Quote(
        exchange,
        symbol,
        micros(ticker.get("timestamp")) or recv_ts,
        float(ticker.get("bid") or 0.0),
        float(ticker.get("bidVolume") or 0.0) * size,
        float(ticker.get("ask") or 0.0),
        float(ticker.get("askVolume") or 0.0) * size,
        float(ticker.get("last") or 0.0),
        recv_ts,
    )


def book_of(exchange: str, symbol: str, book: dict[str, Any], size: float, recv_ts: Micros) -> Book:
    return Book(
        exchange,
        symbol,
        micros(book.get("timestamp")) or recv_ts,
        _levels(book["bids"], size),
        _levels(book["asks"], size),
        True,
        recv_ts,
    )


def no_book(exchange: str, symbol: str, ts: Micros, recv_ts: Micros) -> Book:
    """The chain is broken, or the connection is gone."""
    return Book(exchange, symbol, ts, [], [], False, recv_ts)


def _levels(side: Iterable[Any], size: float) -> list[tuple[float, float]]:
    return [(float(level[0]), float(level[1]) * size) for level, _ in zip(side, range(DEPTH), strict=False)]


def funding_of(exchange: str, symbol: str, rate: dict[str, Any], recv_ts: Micros) -> Funding:
    ts = micros(rate.get("fundingTimestamp")) or micros(rate.get("timestamp")) or recv_ts
    return Funding(
        exchange,
        symbol,
        ts,
        float(rate.get("fundingRate") or 0.0),
        recv_ts,
        micros(rate.get("nextFundingTimestamp")),
    )


def closed_candle(exchange: str, symbol: str, timeframe: Timeframe, row: list[Any], recv_ts: Micros) -> Candle:
    """The library's rows have no turnover: 0 = not known."""
    ts = int(row[0]) * _MS
    close_ts = timeframe.next(ts)
    prices = (float(row[1]), float(row[2]), float(row[3]), float(row[4]), float(row[5] or 0.0))
    return Candle(exchange, symbol, str(timeframe), ts, close_ts, *prices, 0.0, Origin.VENUE, recv_ts)


def running_candle(exchange: str, symbol: str, timeframe: Timeframe, row: list[Any], recv_ts: Micros) -> Forming:
    prices = (float(row[1]), float(row[2]), float(row[3]), float(row[4]), float(row[5] or 0.0))
    return Forming(exchange, symbol, str(timeframe), int(row[0]) * _MS, *prices, recv_ts)


WATCH: Final = {  # how the library calls each kind of stream: what it says it has, and the method
    Channel.TRADES: ("watchTrades", "watch_trades"),
    Channel.CANDLES: ("watchOHLCV", "watch_ohlcv"),
    Channel.BOOK: ("watchOrderBook", "watch_order_book"),
    Channel.TICKER: ("watchTicker", "watch_ticker"),
    Channel.FUNDING: ("watchFundingRate", "watch_funding_rate"),
}
