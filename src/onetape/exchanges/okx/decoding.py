"""From stored frames back to events: what the live session would have said of the same messages, in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from onetape.domain.errors import Refused
from onetape.domain.instrument import Instrument
from onetape.domain.market import UNKNOWN, Channel, MarketEvent, RawFrame
from onetape.domain.units import Timeframe
from onetape.exchanges.okx import names, past, pushes, wire
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.reading import StreamReader

Decode = Callable[[RawFrame], tuple[MarketEvent, ...]]

_REST: Final = {past.TRADES: Channel.TRADES_ALL, past.BOOK: Channel.BOOK}
_SIZED: Final = frozenset(
    (Channel.TRADES, Channel.TRADES_ALL, Channel.BOOK, Channel.BOOK5, Channel.BBO, Channel.TICKER)
)


def decoder(exchange: str, instruments: Iterable[Instrument] = ()) -> Decode:
    """A function that takes the raw frames of `exchange` in the order of their receipt and gives their events.

    It remembers the books, so one function serves one pass. `instruments` must hold the contracts among the symbols,
    because OKX states their sizes in contracts: raises Refused for one that is missing, and for a channel that no
    onetape has written. A frame that is no message of its channel gives nothing, as it did when it came.
    """
    sizes = {instrument.symbol: instrument.contract_size for instrument in instruments}
    readers: dict[tuple[str, str], Decode] = {}

    def decode(raw: RawFrame) -> tuple[MarketEvent, ...]:
        if raw.channel == UNKNOWN:
            return ()
        key = (raw.symbol, raw.channel)
        reader = readers.get(key)
        if reader is None:
            reader = readers[key] = _reader(_stream(exchange, raw, sizes))
        try:
            return reader(raw)
        except wire.UNREADABLE:
            return ()

    return decode


def begins_book(raw: RawFrame) -> bool:
    """Whether this message of a book states all of it: a snapshot of the stream, or an answer of REST."""
    try:
        message = wire.envelope.decode(raw.data)
    except wire.UNREADABLE:
        return False
    return message.action == "snapshot" or (message.arg is None and not message.event)


def _reader(stream: Stream) -> Decode:
    if stream.name == past.TRADES:
        return lambda raw: past.prints(stream, wire.answer.decode(raw.data).data, raw.recv_ts)
    if stream.name == past.BOOK:
        return lambda raw: (past.levels(stream, wire.answer.decode(raw.data).data, raw.recv_ts),)
    reading = StreamReader(stream)

    def understood(raw: RawFrame) -> tuple[MarketEvent, ...]:
        arg, message = pushes.decode(raw.data)
        if reading.book is not None and arg is None:
            return reading.seed(wire.answer.decode(raw.data), raw.recv_ts).events
        return reading.take("", message, raw.recv_ts).events

    return understood


def _stream(exchange: str, raw: RawFrame, sizes: dict[str, float]) -> Stream:
    name, _, timeframe = raw.channel.partition(":")
    name = _REST.get(name, name)
    if name not in set(Channel):
        raise Refused(f"{exchange}:{raw.symbol} has stored messages of a channel {raw.channel}, which OKX has not.")
    channel, spot = Channel(name), names.is_spot(raw.symbol)
    if not spot and channel in _SIZED and raw.symbol not in sizes:
        raise Refused(
            f"The contract size of {exchange}:{raw.symbol} is not known, so its messages cannot be read. "
            "Let the collector fetch the instruments of the exchange once."
        )
    size = 1.0 if spot else sizes.get(raw.symbol, 1.0)
    length = Timeframe.parse(timeframe) if timeframe else None
    return Stream(exchange, raw.symbol, channel, raw.channel, length, size, spot)
