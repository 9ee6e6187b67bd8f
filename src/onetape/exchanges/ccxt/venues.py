"""What the library does not say about venues, and how it is set for them. A venue without an entry works by the rules
that hold for all; an entry makes it exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Message = Any  # a venue's JSON, decoded

_LISTED: Final[dict[str, object]] = {"fetchMarkets": {"types": ["spot", "linear"]}}
_OKX: Final[dict[str, object]] = {"fetchMarkets": {"types": ["spot", "swap", "future"]}}
_AGGREGATES: Final[
    dict[str, object]
] = {  # one message per taker order and price, in the stream and in the history alike
    "watchTrades": {"name": "aggTrade"},
    "watchTradesForSymbols": {"name": "aggTrade"},
}
_OPTIONS: Final[dict[str, dict[str, object]]] = {
    "binance": {**_LISTED, **_AGGREGATES},
    "binanceusdm": _AGGREGATES,
    "binanceus": _AGGREGATES,
    "bybit": _LISTED,
    "okx": _OKX,
    "okxus": _OKX,
    "myokx": _OKX,
}
TRADES_LIMIT: Final = 5_000  # of one series in the library's memory; Bybit sends up to 1,024 in one message

MAKER_SIDE: Final = frozenset(("coinbase",))  # the feed states the maker's side; ours is the taker's
DEPTHS: Final = {"kraken": 25, "bybit": 50}  # where the library's own depth does not show the 25 levels that we tell
PAST_TRADES: Final = frozenset(("binance", "binanceusdm", "binanceus", "kraken"))  # give trades from a time on
BASE_VOLUMES: Final = frozenset(  # candles of contracts are in coins, also where one contract is not one coin
    ("okx", "okxus", "myokx", "binance", "binanceusdm", "bybit", "kraken", "krakenfutures", "coinbase")
)

BOOK_BY_REST: Final = frozenset(("binance", "binanceusdm", "binanceus"))  # a book begins with an answer of REST


def options(exchange: str) -> dict[str, object]:
    """The library's options for a venue."""
    return {"tradesLimit": TRADES_LIMIT, **_OPTIONS.get(exchange, {})}


def _kraken_id(answer: Message) -> str:
    return str(next(key for key in answer["result"] if key != "last"))


ID_IN_ANSWER: Final[dict[str, Callable[[Message], str]]] = {"kraken": _kraken_id}  # else the answer holds the data only


def _okx(message: Message) -> list[int]:
    return [int(row[0]) for row in message.get("data", ()) if len(row) > 8 and row[8] == "1"]


def _binance(message: Message) -> list[int]:
    kline = message.get("data", message).get("k", {})
    return [int(kline["t"])] if kline.get("x") else []


def _bybit(message: Message) -> list[int]:
    return [int(row["start"]) for row in message.get("data", ()) if row.get("confirm")]


# Which candles of a message the venue itself calls closed (open times, ms). The library drops that word.
CLOSED: Final[dict[str, Callable[[Message], list[int]]]] = {
    "okx": _okx,
    "okxus": _okx,
    "myokx": _okx,
    "binance": _binance,
    "binanceusdm": _binance,
    "binanceus": _binance,
    "bybit": _bybit,
}
