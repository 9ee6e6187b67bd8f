"""Is a book rebuilt from stored messages the one that the venue had?

Where messages are numbered, the book is made once more by the venue's written rule, apart from the library: an update
that does not join on is told, and every book that the library makes of the same messages must have the same levels.
Kraken numbers nothing, but states a checksum of its best ten levels with every message: the venue's own word.
Other venues say nothing by which a lost update could be seen, so their books cannot be proved.
"""

from __future__ import annotations

import heapq
import json
import zlib
from collections.abc import Iterable
from typing import Any, Final, Protocol

import msgspec

from onetape.domain.instrument import Instrument
from onetape.domain.market import Book, Channel, RawFrame
from onetape.exchanges.ccxt import venues
from onetape.exchanges.ccxt.chains import STEPS, BookStep
from onetape.exchanges.ccxt.decoding import decoder
from onetape.exchanges.proving import Told, difference

_UNREADABLE: Final = (msgspec.DecodeError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
_SIDES: Final = (("bids", "b"), ("asks", "a"))  # REST spells them out
_KRAKEN: Final = "kraken"
_CHECKED: Final = 10  # levels of a side in Kraken's checksum


def unprovable(exchange: str) -> str:
    """ "" or the sentence why books of a venue cannot be proved."""
    if exchange in STEPS or exchange == _KRAKEN:
        return ""
    return (
        f"The books of {exchange} are not proved: its messages have neither numbers of the market nor a checksum, so "
        "nobody can see whether one is missing."
    )


class _Plain(Protocol):
    """A book by the venue's written rule."""

    def take(self, text: bytes) -> Told:
        """Raises one of _UNREADABLE."""
        ...

    def levels(self, n: int, size: float) -> tuple[list[tuple[float, float]], list[tuple[float, float]]] | None: ...


class _Numbered:
    """Each update has to begin where the one before ended."""

    def __init__(self, exchange: str) -> None:
        self._steps, self._waits = STEPS[exchange], exchange in venues.BOOK_BY_REST
        self._sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self._at: int | None = None
        self._waiting: list[tuple[BookStep, Any]] = []

    def take(self, text: bytes) -> Told:
        step, message = self._steps(text), msgspec.json.decode(text)
        if step is None:
            return Told(0)
        data = message.get("data", message)
        for part in data if isinstance(data, list) else [data]:
            if step.whole:
                self._begin(step.last, part)
            elif self._at is None:
                if self._waits:
                    self._waiting.append((step, part))
            elif not self._next(step, part):
                return Told(0, broken=True)
        return Told(0)

    def _begin(self, last: int, part: Any) -> None:
        self._sides = ({}, {})
        self._change(part)
        self._at = last
        waiting, self._waiting = self._waiting, []
        for step, later in waiting:
            if step.last > last:
                self._next(step, later)

    def _next(self, step: BookStep, part: Any) -> bool:
        at = self._at
        assert at is not None
        if step.first != at and not step.first < at <= step.last:
            if self._waits and step.last <= at:
                return True  # the snapshot had it
            self._at = None
            return False
        self._change(part)
        self._at = step.last
        return True

    def _change(self, part: Any) -> None:
        for side, names in zip(self._sides, _SIDES, strict=True):
            rows = next((part[name] for name in names if name in part), ())
            for row in rows:
                price, qty = float(row[0]), float(row[1])
                if qty:
                    side[price] = qty
                else:
                    side.pop(price, None)

    def levels(self, n: int, size: float) -> tuple[list[tuple[float, float]], list[tuple[float, float]]] | None:
        if self._at is None:
            return None
        bids = heapq.nlargest(n, self._sides[0].items())
        asks = heapq.nsmallest(n, self._sides[1].items())
        return [(price, qty * size) for price, qty in bids], [(price, qty * size) for price, qty in asks]


class _Kraken:
    """Prices and sizes stay text: the checksum is made of their digits."""

    def __init__(self) -> None:
        self._sides: tuple[dict[float, tuple[str, str]], dict[float, tuple[str, str]]] = ({}, {})
        self._begun = False

    def take(self, text: bytes) -> Told:
        message = json.loads(text, parse_float=str, parse_int=str)
        (part,) = message["data"]
        if message["type"] == "snapshot":
            self._sides, self._begun = ({}, {}), True
        elif not self._begun:
            return Told(0)
        for side, rows in zip(self._sides, (part["bids"], part["asks"]), strict=True):
            for row in rows:
                price, qty = row["price"], row["qty"]
                if float(qty):
                    side[float(price)] = (price, qty)
                else:
                    side.pop(float(price), None)
        self._cut()
        if self._checksum() == int(part["checksum"]):
            return Told(0, compared=1)
        self._begun = False  # what follows would differ, too
        return Told(0, compared=1, wrong=f"the book's checksum is {part['checksum']}, rebuilt it is {self._checksum()}")

    def _cut(self) -> None:
        """Levels beyond the depth are not told any more when they change."""
        depth = venues.DEPTHS[_KRAKEN]
        for side, pick in zip(self._sides, (heapq.nsmallest, heapq.nlargest), strict=True):
            for price in pick(max(0, len(side) - depth), side):
                del side[price]

    def _checksum(self) -> int:
        asks = heapq.nsmallest(_CHECKED, self._sides[1].items())
        bids = heapq.nlargest(_CHECKED, self._sides[0].items())
        texts = [text.replace(".", "").lstrip("0") for _, level in (*asks, *bids) for text in level]
        return zlib.crc32("".join(texts).encode())

    def levels(self, n: int, size: float) -> tuple[list[tuple[float, float]], list[tuple[float, float]]] | None:
        if not self._begun:
            return None
        bids, asks = heapq.nlargest(n, self._sides[0].items()), heapq.nsmallest(n, self._sides[1].items())
        own = [[(price, float(qty) * size) for price, (_, qty) in side] for side in (bids, asks)]
        return own[0], own[1]


class BookProof:
    """One instrument. Messages of its channels go in, in the order of their receipt; others are ignored."""

    def __init__(self, exchange: str, symbol: str, instruments: Iterable[Instrument]) -> None:
        known = list(instruments)
        self._size = next((one.contract_size for one in known if one.symbol == symbol), 1.0)
        self._plain: _Plain = _Kraken() if exchange == _KRAKEN else _Numbered(exchange)
        self._decode = decoder(exchange, known)

    def take(self, frame: RawFrame) -> Told:
        if frame.channel != Channel.BOOK:
            return Told(frame.ts)
        try:
            told = self._plain.take(frame.data)._replace(ts=frame.ts)
        except _UNREADABLE:
            return Told(frame.ts)  # it said nothing when it came, either
        for event in self._decode(frame):
            if isinstance(event, Book) and event.valid:
                told = self._against(event, told)
        return told

    def _against(self, book: Book, told: Told) -> Told:
        own = self._plain.levels(max(len(book.bids), len(book.asks)), self._size)
        if own is None:
            return told._replace(skipped=told.skipped + 1)
        sides = (("bid", own[0], book.bids), ("ask", own[1], book.asks))
        found = next(filter(None, (difference(s, "the book: the library says", o, t) for s, o, t in sides)), "")
        return told._replace(compared=told.compared + 1, wrong=told.wrong or found)
