"""From OKX's data to market events: the channels beside trades, tickers and candles, and the table of them all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from onetape.domain.errors import Refused
from onetape.domain.market import Book, Channel, Funding, Index, InstrumentChange, Mark, VenueStatus
from onetape.domain.units import Micros, epoch_micros
from onetape.exchanges.okx import events, names, wire
from onetape.exchanges.okx.events import Decoded, Stream

_MS: Final = 1_000
_LONGEST_TIME: Final = 13  # digits: milliseconds
_LATEST: Final[Micros] = 4_102_444_800_000_000  # 2100


def tops(stream: Stream, data: list[wire.BookMessage] | msgspec.Raw, recv_ts: Micros) -> Decoded:
    """books5 and bbo-tbt: each message has all its levels."""
    books = tuple(
        Book(
            stream.exchange,
            stream.symbol,
            message.ts * _MS,
            [(level.px, level.sz * stream.size) for level in message.bids if level.sz],
            [(level.px, level.sz * stream.size) for level in message.asks if level.sz],
            True,
            recv_ts,
        )
        for message in (data if isinstance(data, list) else wire.books.decode(data))
    )
    return max((book.ts for book in books), default=0), books


def marks(stream: Stream, data: msgspec.Raw, recv_ts: Micros) -> Decoded:
    told = tuple(
        Mark(stream.exchange, stream.symbol, m.ts * _MS, m.markPx, recv_ts) for m in wire.mark_prices.decode(data)
    )
    return max((mark.ts for mark in told), default=0), told


def indices(stream: Stream, data: msgspec.Raw, recv_ts: Micros) -> Decoded:
    told = tuple(
        Index(stream.exchange, stream.symbol, i.ts * _MS, i.idxPx, recv_ts) for i in wire.index_tickers.decode(data)
    )
    return max((index.ts for index in told), default=0), told


def funding(stream: Stream, data: msgspec.Raw, recv_ts: Micros) -> Decoded:
    """The event's `ts` is the payment, which lies ahead; the message's own time is when the rate was stated."""
    rates = wire.funding_rates.decode(data)
    told = tuple(
        Funding(stream.exchange, stream.symbol, r.fundingTime * _MS, r.fundingRate, recv_ts, _millis(r.nextFundingTime))
        for r in rates
    )
    return max((_millis(r.ts) or recv_ts for r in rates), default=0), told


def statuses(stream: Stream, data: msgspec.Raw, recv_ts: Micros) -> Decoded:
    told = tuple(
        VenueStatus(
            stream.exchange,
            _millis(s.ts) or recv_ts,
            s.title,
            s.state,
            _millis(s.begin),
            _millis(s.end),
            recv_ts,
        )
        for s in wire.statuses.decode(data)
    )
    return max((status.ts for status in told), default=0), told


def listings(stream: Stream, data: msgspec.Raw, recv_ts: Micros) -> Decoded:
    """The instruments of a message that onetape reads. It says no time of its own."""
    rows = wire.instruments.decode(data)
    told = []
    for row in rows:
        with suppress(Refused):
            instrument = names.instrument(stream.exchange, row)
            told.append(InstrumentChange(stream.exchange, row.instId, recv_ts, instrument, None, recv_ts))
    return (recv_ts if rows else 0), tuple(told)


DECODE: Final[dict[Channel, Callable[[Stream, Any, Micros], Decoded]]] = {
    **events.DECODE,
    Channel.TRADES_ALL: events.trades,
    Channel.BOOK5: tops,
    Channel.BBO: tops,
    Channel.MARK: marks,
    Channel.INDEX: indices,
    Channel.FUNDING: funding,
    Channel.STATUS: statuses,
    Channel.INSTRUMENTS: listings,
}


def _millis(text: str) -> Micros:
    """`""` is 0: not known. OKX's own examples state some of these times in seconds."""
    if not text:
        return 0
    readable = text.isascii() and text.isdigit() and len(text) <= _LONGEST_TIME
    ts = epoch_micros(int(text)) if readable else -1
    if not 0 <= ts <= _LATEST:
        raise msgspec.ValidationError(f"{text[:40]!r} is no time")
    return ts
