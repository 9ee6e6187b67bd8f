"""From the library's unified objects to market events."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any, Final

from onetape.domain.market import Book, Candle, Channel, Forming, Funding, Origin, Print, Quote
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.ccxt import venues

DEPTH: Final = 25
_MS: Final = 1_000
_SIDES: Final = {"buy": 1, "sell": -1}
_LAST_MS: Final = 4_102_444_800_000  # the year 2100


def micros(milliseconds: float | None) -> Micros:
    """0: not stated. Raises ValueError for a time outside 1970 to 2100."""
    if not milliseconds:
        return 0
    if not 0 < milliseconds < _LAST_MS:
        raise ValueError(f"{milliseconds} is no time")
    return int(milliseconds * _MS)


def price_of(value: Any) -> float:
    """Raises ValueError for what no price can be."""
    price = float(value)
    if not (0 < price < math.inf):
        raise ValueError(f"{value} is no price")
    return price


def size_of(value: Any, unit: float = 1.0) -> float:
    """Base units; `unit` is the size of a contract. Raises ValueError for what no amount can be."""
    size = float(value) * unit
    if not (0 <= size < math.inf):
        raise ValueError(f"{value} is no amount")
    return size


def print_of(exchange: str, symbol: str, trade: dict[str, Any], size: float, recv_ts: Micros) -> Print:
    """A venue without ids gets them from time, price and amount."""
    ts, price, amount = micros(trade["timestamp"]) or recv_ts, price_of(trade["price"]), size_of(trade["amount"])
    side = _SIDES.get(trade.get("side") or "", 0)
    if exchange in venues.MAKER_SIDE:
        side = -side
    return Print(
        exchange,
        symbol,
        str(trade.get("id") or f"{ts}:{price}:{amount}"),
        ts,
        price,
        size_of(amount, size),
        side,
        recv_ts,
    )


def quote_of(exchange: str, symbol: str, ticker: dict[str, Any], size: float, recv_ts: Micros) -> Quote:
    return Quote(
        exchange,
        symbol,
        micros(ticker.get("timestamp")) or recv_ts,
        size_of(ticker.get("bid") or 0.0),
        size_of(ticker.get("bidVolume") or 0.0, size),
        size_of(ticker.get("ask") or 0.0),
        size_of(ticker.get("askVolume") or 0.0, size),
        size_of(ticker.get("last") or 0.0),
        recv_ts,
    )


def book_of(exchange: str, symbol: str, book: dict[str, Any], size: float, recv_ts: Micros) -> Book:
    """Raises ValueError for a book that no market can have: out of order, or bids above asks."""
    bids, asks = _levels(book["bids"], size), _levels(book["asks"], size)
    rising = [price for price, _ in (*reversed(bids), *asks)]
    if any(below >= above for below, above in itertools.pairwise(rising)):
        raise ValueError("its levels are out of order, or its bids reach its asks")
    return Book(exchange, symbol, micros(book.get("timestamp")) or recv_ts, bids, asks, True, recv_ts)


def no_book(exchange: str, symbol: str, ts: Micros, recv_ts: Micros) -> Book:
    """The chain is broken, or the connection is gone."""
    return Book(exchange, symbol, ts, [], [], False, recv_ts)


def _levels(side: Iterable[Any], size: float) -> list[tuple[float, float]]:
    return [(price_of(level[0]), size_of(level[1], size)) for level, _ in zip(side, range(DEPTH), strict=False)]


def funding_of(exchange: str, symbol: str, rate: dict[str, Any], recv_ts: Micros) -> Funding:
    ts = micros(rate.get("fundingTimestamp")) or micros(rate.get("timestamp")) or recv_ts
    value = float(rate.get("fundingRate") or 0.0)
    if not math.isfinite(value):
        raise ValueError(f"{value} is no rate")
    return Funding(
        exchange,
        symbol,
        ts,
        value,
        recv_ts,
        micros(rate.get("nextFundingTimestamp")),
    )


def closed_candle(exchange: str, symbol: str, timeframe: Timeframe, row: list[Any], recv_ts: Micros) -> Candle:
    """The library's rows have no turnover: 0 = not known."""
    ts = micros(row[0])
    return Candle(
        exchange, symbol, str(timeframe), ts, timeframe.next(ts), *_numbers(row), 0.0, Origin.VENUE, recv_ts
    )  # fmt: skip


def running_candle(exchange: str, symbol: str, timeframe: Timeframe, row: list[Any], recv_ts: Micros) -> Forming:
    return Forming(exchange, symbol, str(timeframe), micros(row[0]), *_numbers(row), recv_ts)


def _numbers(row: list[Any]) -> tuple[float, float, float, float, float]:
    """Raises ValueError for a candle that no market can have made."""
    opened, high, low, close = (price_of(value) for value in row[1:5])
    if not low <= min(opened, close) <= max(opened, close) <= high:
        raise ValueError(f"{row} is no candle")
    return opened, high, low, close, size_of(row[5] or 0.0)


WATCH: Final = {  # how the library calls each kind of stream: what it says it has, and the method
    Channel.TRADES: ("watchTrades", "watch_trades"),
    Channel.CANDLES: ("watchOHLCV", "watch_ohlcv"),
    Channel.BOOK: ("watchOrderBook", "watch_order_book"),
    Channel.TICKER: ("watchTicker", "watch_ticker"),
    Channel.FUNDING: ("watchFundingRate", "watch_funding_rate"),
}
