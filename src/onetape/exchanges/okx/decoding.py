"""From stored frames back to events: what the live session would have said of the same messages, in the same order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from onetape.domain.errors import Refused
from onetape.domain.instrument import Instrument
from onetape.domain.market import UNKNOWN, Channel, InstrumentChange, MarketEvent, RawFrame
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.okx import names, past, pushes, wire
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.reading import StreamReader

Decode = Callable[[RawFrame], tuple[MarketEvent, ...]]

_REST: Final = {past.TRADES: Channel.TRADES_ALL, past.BOOK: Channel.BOOK}
_SIZED: Final = frozenset(
    (Channel.TRADES, Channel.TRADES_ALL, Channel.BOOK, Channel.BOOK5, Channel.BBO, Channel.TICKER)
)


def decoder(exchange: str, instruments: Iterable[Instrument] = (), changes: Iterable[InstrumentChange] = ()) -> Decode:
    """A function that takes the raw frames of `exchange` in the order of their receipt and gives their events.

    It remembers the books, so one function serves one pass. `instruments` must hold the contracts among the symbols,
    because OKX states their sizes in contracts, and `changes` (oldest first) say how large these were before: raises
    Refused for one that is missing, and for a channel that no onetape has written. A frame that is no message of its
    channel gives nothing, as it did when it came.
    """
    sizes = _Sizes(instruments, changes)
    readers: dict[tuple[str, str], _Reader] = {}

    def decode(raw: RawFrame) -> tuple[MarketEvent, ...]:
        if raw.channel == UNKNOWN:
            return ()
        key = (raw.symbol, raw.channel)
        reader = readers.get(key)
        if reader is None:
            reader = readers[key] = _Reader(_stream(exchange, raw, sizes))
        elif sizes.changed(raw.symbol):
            reader.resize(sizes.of(raw.symbol, raw.ts))
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


class _Sizes:
    """Base units per contract, by symbol and time."""

    def __init__(self, instruments: Iterable[Instrument], changes: Iterable[InstrumentChange]) -> None:
        self._now = {instrument.symbol: instrument.contract_size for instrument in instruments}
        self._before: dict[str, list[tuple[Micros, float]]] = {}  # until when, and how large
        for change in changes:
            if change.before is not None and change.before.contract_size != change.instrument.contract_size:
                self._before.setdefault(change.symbol, []).append((change.ts, change.before.contract_size))

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._now

    def changed(self, symbol: str) -> bool:
        return symbol in self._before

    def of(self, symbol: str, ts: Micros) -> float:
        earlier = (size for until, size in self._before.get(symbol, ()) if ts < until)
        return next(earlier, self._now.get(symbol, 1.0))


class _Reader:
    """The messages of one channel of one symbol."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reading = None if stream.name in _REST else StreamReader(stream)

    def resize(self, size: float) -> None:
        if size == self._stream.size or self._stream.spot:
            return
        self._stream = msgspec.structs.replace(self._stream, size=size)
        if self._reading is not None:
            self._reading.resize(self._stream)

    def __call__(self, raw: RawFrame) -> tuple[MarketEvent, ...]:
        stream, reading = self._stream, self._reading
        if reading is None:
            data = wire.answer.decode(raw.data).data
            return (
                past.prints(stream, data, raw.recv_ts)
                if stream.name == past.TRADES
                else (past.levels(stream, data, raw.recv_ts),)
            )
        arg, message = pushes.decode(raw.data)
        if reading.book is not None and arg is None:
            return reading.seed(wire.answer.decode(raw.data), raw.recv_ts).events
        return reading.take("", message, raw.recv_ts).events


def _stream(exchange: str, raw: RawFrame, sizes: _Sizes) -> Stream:
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
    size = 1.0 if spot else sizes.of(raw.symbol, raw.ts)
    length = Timeframe.parse(timeframe) if timeframe else None
    return Stream(exchange, raw.symbol, channel, raw.channel, length, size, spot)
