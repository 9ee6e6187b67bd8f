"""One stream as it is read, live or from stored messages: decoded, and what was told before left out. Pure."""

from __future__ import annotations

import msgspec

from onetape.domain.market import Channel, MarketEvent
from onetape.domain.units import Micros
from onetape.exchanges.okx import pushes, wire
from onetape.exchanges.okx.books import BookStream, Moved
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.once import Trades, rule
from onetape.exchanges.okx.prices import DECODE
from onetape.observe import log


class StreamStep(msgspec.Struct, frozen=True, gc=False):
    """What a message said. `ts` 0: it could not be understood."""

    ts: Micros
    events: tuple[MarketEvent, ...] = ()
    fresh: bool = True  # False: it was told before
    loaded: bool = False  # a book is whole again
    broken: tuple[str, ...] = ()  # connections on which a book must be asked for again


class StreamReader:
    """`book` is None for every channel but the incremental book."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.book = BookStream(stream) if stream.channel is Channel.BOOK else None
        self._once = rule(stream.channel)
        self.ids = self._once.ids if isinstance(self._once, Trades) else None
        self._decode = DECODE.get(stream.channel)
        self._odd: object = None  # the data of the last message that could not be understood

    def resize(self, stream: Stream) -> None:
        """The same stream, sized otherwise from now on."""
        self.stream = stream
        if self.book is not None:
            self.book.stream = stream

    def take(self, source: str, message: pushes.Message, recv_ts: Micros) -> StreamStep:
        """`source` is the connection that brought it."""
        try:
            if self.book is not None:
                return self._book(self.book, source, message, recv_ts)
            assert self._decode is not None
            ts, told = self._decode(self.stream, message.data, recv_ts)
        except wire.UNREADABLE as error:
            return self._not_understood(message, error)
        fresh = self._once.new(source, ts, told, message.data, recv_ts)
        return StreamStep(ts, fresh=False) if fresh is None else StreamStep(ts, fresh)

    def joins(self, frame: bytes) -> bool:
        """Whether trades prove that nothing is missing before this frame; asked before it is taken."""
        return isinstance(self._once, Trades) and self._once.joins(frame)

    def _book(self, book: BookStream, source: str, message: pushes.Message, recv_ts: Micros) -> StreamStep:
        moved = Moved(0, fresh=False)
        rows = message.data if isinstance(message.data, list) else wire.books.decode(message.data)
        for data in rows:
            moved = book.take(source, message.action, data, recv_ts)
            if moved.broken:
                log.warning("book_chain_broken", symbol=self.stream.symbol, got=data.prevSeqId)
                break
        return StreamStep(moved.ts, moved.told, moved.fresh, moved.loaded, moved.broken)

    def seed(self, answer: wire.Answer, recv_ts: Micros) -> StreamStep:
        """A snapshot from REST. Not fresh: a book was there already, or the answer is of no use."""
        assert self.book is not None
        try:
            data = wire.rest_books.decode(answer.data)
        except wire.UNREADABLE as error:
            log.warning("frame_not_understood", symbol=self.stream.symbol, channel="book", problem=str(error))
            return StreamStep(0, fresh=False)
        if not data:
            return StreamStep(0, fresh=False)
        moved = self.book.seed(data[0], recv_ts)
        return StreamStep(moved.ts, moved.told, moved.fresh, moved.loaded)

    def _not_understood(self, message: pushes.Message, error: Exception) -> StreamStep:
        stream, content = self.stream, message.data
        known, self._odd = content == self._odd, content
        if not known:
            log.warning("frame_not_understood", symbol=stream.symbol, channel=stream.name, problem=str(error))
        return StreamStep(0, fresh=not known)
