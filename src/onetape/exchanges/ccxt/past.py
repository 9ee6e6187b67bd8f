"""Past trades and the book, by REST, with the venue's answer as it came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from onetape.clock import RealClock
from onetape.domain.errors import Refused
from onetape.domain.market import RawFrame, Received
from onetape.domain.units import Micros
from onetape.exchanges.ccxt import events, venues
from onetape.exchanges.ccxt.rest import Rest

TRADES: Final = "trades_rest"
BOOK: Final = "book_rest"
_DEPTH: Final = 100
PAGE: Final = 1_000
PAST_PER_SECOND: Final = 1.0  # answers; the library keeps each venue's own limit
_HOUR_MS: Final = 3_600_000


class Past:
    def __init__(self, exchange: str, rest: Rest) -> None:
        self._exchange, self._rest = exchange, rest
        self._clock = RealClock()
        self._seq = 0

    async def trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """See the port. Raises Refused for a venue that gives only its newest trades."""
        if self._exchange not in venues.PAST_TRADES:
            raise Refused(
                f"{self._exchange} gives past trades from a time on only through an adapter of its own; "
                "its candles can be fetched instead."
            )
        instrument, theirs = await self._rest.instrument(symbol)
        since, end, seen = -(-start_ts // 1_000), end_ts / 1_000, set[str]()
        now = await self._rest.now() // 1_000
        while since < min(end, now):
            answer: list[dict[str, Any]] = await self._rest.ask(
                self._rest.venue.fetch_trades, theirs, since=since, limit=PAGE
            )
            raw, recv_ts = self._rest.answer(), self._clock.now()
            page = sorted((trade for trade in answer if since <= trade["timestamp"]), key=lambda t: t["timestamp"])
            prints = [
                events.print_of(self._exchange, symbol, trade, instrument.contract_size, recv_ts)
                for trade in page
                if trade["timestamp"] < end
            ]
            new = tuple(one for one in prints if one.id not in seen)
            seen = {one.id for one in prints}
            if new:
                yield self._received(symbol, TRADES, new[-1].ts, recv_ts, raw, new)
            if not page:
                since += _HOUR_MS  # Binance looks no further than that from a time on
            elif page[-1]["timestamp"] >= end:
                return
            else:
                # the same millisecond again: there may be more of it; but never twice the same question
                since = page[-1]["timestamp"] if new and page[-1]["timestamp"] > since else page[-1]["timestamp"] + 1

    async def book(self, symbol: str) -> Received:
        """See the port."""
        instrument, theirs = await self._rest.instrument(symbol)
        book = await self._rest.ask(self._rest.venue.fetch_order_book, theirs, limit=_DEPTH)
        raw, recv_ts = self._rest.answer(), self._clock.now()
        told = events.book_of(self._exchange, symbol, book, instrument.contract_size, recv_ts)
        return self._received(symbol, BOOK, told.ts, recv_ts, raw, (told,))

    def _received(
        self, symbol: str, channel: str, ts: Micros, recv_ts: Micros, raw: bytes, found: tuple[Any, ...]
    ) -> Received:
        self._seq += 1
        return Received(RawFrame(self._exchange, symbol, channel, ts, recv_ts, self._seq, raw), found)
