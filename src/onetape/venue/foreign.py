"""Messages of Binance's USD-M futures turned into OKX's wire: prints, and a book of the best 400 levels with a chain.

`{"stream":"btcusdt@trade","data":{"e":"trade","T":1723161256322,"s":"BTCUSDT","t":5266583935,"p":"61800.30",
"q":"0.006","X":"MARKET","m":false}}`: `m` says that the buyer was the maker. `depthUpdate` has `U`, `u`, `pu` and
absolute sizes. A REST snapshot (`lastUpdateId`) begins the book. It is answered late: updates that were heard before it
and are newer follow it, and the first of them may reach from before it. From then on each must begin where the one
before ended (`pu` is that one's `u`); where it does not, the chain is broken on our wire too.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, Final

from onetape.venue import wire

Json = dict[str, Any]
Told = tuple[str, str, str, list[Any], str]  # symbol, channel, action, data, text

DEPTH: Final = 400
CONTRACT_DIGITS: Final = 2  # a contract is 0.01 coins, as OKX has it for bitcoin
_HEARD: Final = 1_000  # updates that a snapshot may be late by: many seconds
UNUSABLE: Final = (KeyError, TypeError, ValueError, ArithmeticError)  # what a message that lacks something raises
_QUOTES: Final = ("USDT", "USDC")


class Converter:
    def __init__(self) -> None:
        self._books: dict[str, _Book] = {}
        self._symbol = ""  # of the newest stream; the snapshot does not name its own
        self._react: dict[str, Callable[[str, Json], list[Told]]] = {"trade": self._trade, "depthUpdate": self._depth}

    def convert(self, message: Json) -> list[Told]:
        if "lastUpdateId" in message and self._symbol:
            return self._book(self._symbol).begin(message)
        data = message.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("s"), str):
            return []
        symbol = swap_symbol(data["s"])
        react = self._react.get(str(data.get("e")))
        if not symbol or not react:
            return []
        self._symbol = symbol
        return react(symbol, data)

    def _book(self, symbol: str) -> _Book:
        return self._books.setdefault(symbol, _Book(symbol))

    def _depth(self, symbol: str, data: Json) -> list[Told]:
        return self._book(symbol).hear(data)

    def _trade(self, symbol: str, data: Json) -> list[Told]:
        """Prints of the market only: those of the insurance fund have no price."""
        if data.get("X", "MARKET") != "MARKET":
            return []
        row = {
            "instId": symbol,
            "tradeId": str(data["t"]),
            "px": _plain(data["p"]),
            "sz": contracts(data["q"]),
            "side": "sell" if data["m"] else "buy",
            "ts": str(data["T"]),
            "count": "1",
            "source": "0",
            "seqId": data["t"],
        }
        return [_told(symbol, "trades", "", row)]


class _Side:
    """Levels by price, best first when `sign` times the price rises."""

    def __init__(self, sign: int) -> None:
        self.sign, self.keys, self.sizes = sign, list[Decimal](), dict[Decimal, str]()

    def put(self, price: str, size: str) -> None:
        key = self.sign * Decimal(price)
        gone = not Decimal(size)
        if gone and key in self.sizes:
            del self.sizes[key]
            self.keys.pop(bisect.bisect_left(self.keys, key))
        elif not gone:
            if key not in self.sizes:
                bisect.insort(self.keys, key)
            self.sizes[key] = contracts(size)

    def best(self) -> dict[Decimal, str]:
        return {key: self.sizes[key] for key in self.keys[:DEPTH]}

    def levels(self, sizes: dict[Decimal, str]) -> list[list[str]]:
        """Binance does not tell the number of orders: 1, and 0 for a level that is gone."""
        return [[_plain(key * self.sign), size, "0", "0" if size == "0" else "1"] for key, size in sizes.items()]


class _Book:
    def __init__(self, symbol: str) -> None:
        self._symbol, self._last = symbol, 0
        self._joined = False  # an update has followed the snapshot
        self._asks, self._bids = _Side(1), _Side(-1)
        self._shown: tuple[dict[Decimal, str], ...] = ()
        self._heard: deque[Json] = deque(maxlen=_HEARD)

    def begin(self, snapshot: Json) -> list[Told]:
        self._asks, self._bids = _Side(1), _Side(-1)
        for side, name in ((self._asks, "asks"), (self._bids, "bids")):
            for price, size in snapshot[name]:
                side.put(price, size)
        self._last, self._joined = snapshot["lastUpdateId"], False
        self._shown = (self._asks.best(), self._bids.best())
        told = [self._tell("snapshot", self._shown, -1, str(snapshot["T"]))]
        for data in self._heard:
            with suppress(*UNUSABLE):
                told += self._move(data)
        return told

    def hear(self, data: Json) -> list[Told]:
        """The update as a client with 400 levels sees it; nothing before the first snapshot."""
        self._heard.append(data)
        return self._move(data) if self._shown else []

    def _move(self, data: Json) -> list[Told]:
        before, last = data["pu"], data["u"]
        if last <= self._last:
            return []
        if not self._joined:
            before = max(before, self._last)
        for side, name in ((self._asks, "a"), (self._bids, "b")):
            for price, size in data[name]:
                side.put(price, size)
        old, self._shown = self._shown, (self._asks.best(), self._bids.best())
        moved = tuple(_moved(*each) for each in zip(old, self._shown, strict=True))
        self._last, self._joined = last, True
        return [self._tell("update", moved, before, str(data["T"]))]

    def _tell(self, action: str, sides: tuple[dict[Decimal, str], ...], before: int, ts: str) -> Told:
        asks, bids = self._asks.levels(sides[0]), self._bids.levels(sides[1])
        chain = {"checksum": 0, "prevSeqId": before, "seqId": self._last}
        return _told(self._symbol, "books", action, {"asks": asks, "bids": bids, "ts": ts, **chain})


def _moved(old: dict[Decimal, str], new: dict[Decimal, str]) -> dict[Decimal, str]:
    changed = {key: size for key, size in new.items() if old.get(key) != size}
    return changed | {key: "0" for key in old if key not in new}


def _told(symbol: str, channel: str, action: str, row: Json) -> Told:
    arg = {"channel": channel, "instId": symbol}
    text = wire.encode({"arg": arg, **({"action": action} if action else {}), "data": [row]})
    return symbol, channel, action, [row], text


def swap_symbol(name: str) -> str:
    """`BTCUSDT` is BTC-USDT-SWAP here; empty for what is no perpetual in a dollar coin."""
    quote = next((quote for quote in _QUOTES if name.endswith(quote) and len(name) > len(quote)), "")
    return f"{name.removesuffix(quote)}-{quote}-SWAP" if quote else ""


def contracts(coins: str) -> str:
    return _plain(Decimal(coins).scaleb(CONTRACT_DIGITS))


def _plain(number: str | Decimal) -> str:
    text = format(Decimal(number), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
