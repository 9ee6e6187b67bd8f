"""What OKX's REST tells of the past and the present with the answer kept as it came: public trades, the order book."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Final, TypeVar

import msgspec

from onetape.domain.errors import Refused, Transient
from onetape.domain.market import Book, Channel, MarketEvent, Print, RawFrame, Received
from onetape.domain.units import DAY, MINUTE, Micros
from onetape.exchanges.okx import events, wire
from onetape.exchanges.okx.books import DEPTH
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.rest import Answered, OkxRest, read
from onetape.observe import log
from onetape.ports import PastTrades

TRADES: Final = "trades_rest"  # the channels of these answers in raw frames
BOOK: Final = "book_rest"
PAST: Final = PastTrades(kept=90 * DAY, page=100, per_second=10.0)  # three months, 20 requests in 2 seconds

_WINDOW: Final[Micros] = 5 * MINUTE  # of trades held in memory, because the venue walks backward only
_PAGE: Final = 100
_NEWEST: Final = 500
_LEVELS: Final = "400"
T = TypeVar("T")


class Past:
    """Reads over one REST client."""

    def __init__(self, rest: OkxRest) -> None:
        self._rest = rest
        self._seq = itertools.count(1)

    async def trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """Single trades in [start_ts, end_ts), older pages first. The venue keeps three months.

        Windows lie on the clock: who was interrupted and begins anew, wherever, is given the same pages."""
        stream = await self._stream(symbol, Channel.TRADES_ALL, TRADES)
        while start_ts < end_ts:
            until = min(end_ts, (start_ts // _WINDOW + 1) * _WINDOW)
            pages = [page async for page in self._backward(stream, start_ts, until)]
            for page in reversed(pages):
                yield page
            start_ts = until

    async def _backward(self, stream: Stream, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """The first page by time, the others by trade id, since many trades share a millisecond."""
        kind, after = "2", str(-(-end_ts // 1_000))
        while True:
            answered = await self._page(stream.symbol, start_ts, kind, after)
            told = _understood(prints, stream, answered)
            if kind == "1":
                told = tuple(p for p in told if int(p.id) < int(after))
            inside = tuple(p for p in told if start_ts <= p.ts < end_ts)
            if inside:
                yield self._received(stream, answered, inside[-1].ts, inside)
            if not told or told[0].ts < start_ts or told[0].id == after:
                return
            kind, after = "1", told[0].id

    async def _page(self, symbol: str, start_ts: Micros, kind: str, after: str) -> Answered:
        """From the endpoint that has three months; while it does not answer, from the newest trades, if they reach
        back as far as is wanted."""
        asked = {"instId": symbol, "type": kind, "after": after, "limit": str(_PAGE)}
        try:
            return await self._rest.ask("/api/v5/market/history-trades", **asked)
        except Transient as error:
            newest = await self._rest.ask("/api/v5/market/trades", instId=symbol, limit=str(_NEWEST))
            rows = read(wire.trades, newest.data)
            if not rows or rows[-1].ts * 1_000 >= start_ts:
                raise
            log.info("trades_from_the_other_endpoint", symbol=symbol, problem=str(error))
            return newest

    async def book(self, symbol: str) -> Received:
        """The best 25 levels of each side; `raw` has all that the venue gave."""
        stream = await self._stream(symbol, Channel.BOOK, BOOK)
        answered = await self._rest.ask("/api/v5/market/books", instId=symbol, sz=_LEVELS)
        book = _understood(levels, stream, answered)
        return self._received(stream, answered, book.ts, (book,))

    async def levels(self, symbol: str) -> tuple[bytes, Micros]:
        """The whole book of 400 levels as REST answers it, and when. Raises Transient, Refused."""
        answered = await self._rest.ask("/api/v5/market/books", instId=symbol, sz=_LEVELS)
        return answered.body, answered.recv_ts

    def _received(self, stream: Stream, answered: Answered, ts: Micros, told: tuple[MarketEvent, ...]) -> Received:
        raw = RawFrame(
            stream.exchange, stream.symbol, stream.name, ts, answered.recv_ts, next(self._seq), answered.body
        )
        return Received(raw, told)

    async def _stream(self, symbol: str, channel: Channel, name: str) -> Stream:
        return Stream(self._rest.exchange, symbol, channel, name, size=await self._rest.size(symbol))


def prints(stream: Stream, data: msgspec.Raw, recv_ts: Micros) -> tuple[Print, ...]:
    """The trades of one answer, oldest first. Raises msgspec.DecodeError."""
    return tuple(events.trade(stream, t, recv_ts) for t in reversed(wire.trades.decode(data)))


def levels(stream: Stream, data: msgspec.Raw, recv_ts: Micros) -> Book:
    """The best levels of one answer. Raises msgspec.DecodeError."""
    book = wire.rest_books.decode(data)[0]
    bids, asks = ([(level.px, level.sz * stream.size) for level in side[:DEPTH]] for side in (book.bids, book.asks))
    return Book(stream.exchange, stream.symbol, book.ts * 1_000, bids, asks, True, recv_ts)


def _understood(of: Callable[[Stream, msgspec.Raw, Micros], T], stream: Stream, answered: Answered) -> T:
    try:
        return of(stream, answered.data, answered.recv_ts)
    except wire.UNREADABLE as error:
        raise Refused(f"OKX's answer has a form that onetape does not know: {error}.") from error
