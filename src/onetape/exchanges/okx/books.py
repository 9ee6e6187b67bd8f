"""One book out of several connections. Pure: messages in, what they did out.

OKX numbers the messages of a book alike on all connections. So each connection's chain is followed on its own, the
first to bring the next message moves the book on, and the other's copy is dropped. The book is broken only when no
connection with an unbroken chain is left that can bring the next message.
"""

from __future__ import annotations

from typing import Final

import msgspec

from onetape.domain.market import Book
from onetape.domain.units import Micros
from onetape.exchanges.okx import wire
from onetape.exchanges.okx.book import LocalBook
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.recent import Recent

DEPTH: Final = 25
INTERVAL: Final[Micros] = 100_000  # a book is told at most so often

_REMEMBERED: Final = 2_000  # sequence ids: how far one connection may lie behind the other
_KEPT: Final = 1_000  # updates that wait for a snapshot


class Moved(msgspec.Struct, frozen=True, gc=False):
    """What one message did."""

    ts: Micros
    fresh: bool  # False: another connection has brought it before
    loaded: bool = False
    broken: tuple[str, ...] = ()  # the connections whose chain broke: the channel must be asked for again on them
    told: tuple[Book, ...] = ()


class BookStream:
    """The book of one stream and the chains that feed it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.told_ts: Micros = 0
        self._book = LocalBook()
        self._untold = False
        self._chains: dict[str, int | None] = {}  # the id that each connection has reached
        self._recent: Recent[int] = Recent(_REMEMBERED)  # the ids that the book has passed
        self._waiting: list[tuple[str, wire.AnyBook]] = []
        self._seed: int | None = None  # the id of a REST snapshot that no connection has joined on to yet

    @property
    def valid(self) -> bool:
        return self._book.valid

    @property
    def ts(self) -> Micros:
        return self._book.ts * 1_000

    @property
    def seq(self) -> int | None:
        """The sequence id that the book has reached; None while it is not whole."""
        return self._book.last if self._book.valid else None

    def levels(self, n: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """The n best bids and asks, best first, each (price, size as the venue states it)."""
        return self._book.bids(n), self._book.asks(n)

    def chained(self, source: str) -> bool:
        """Whether this connection has brought its snapshot and every update since."""
        return source in self._chains

    def take(self, source: str, action: str, data: wire.AnyBook, recv_ts: Micros) -> Moved:
        if action == "snapshot" or (not action and data.prevSeqId in (None, -1)):
            return self._snapshot(source, data, recv_ts)
        if source not in self._chains:
            return self._unchained(source, data, recv_ts)
        if data.prevSeqId != self._chains[source]:
            if data.seqId == self._chains[source] and data.seqId in self._recent:
                return Moved(data.ts * 1_000, fresh=False)  # the line says it twice
            return self._broken(data, recv_ts, source)
        self._chains[source] = data.seqId
        if data.prevSeqId == self._book.last and self._book.valid:
            alive = data.seqId == data.prevSeqId and data.empty
            if alive and data.seqId is not None and data.ts <= self._book.ts:
                return Moved(data.ts * 1_000, fresh=False)  # the same sign of life
            return self._apply(data, recv_ts)
        if data.seqId in self._recent or self._carried(but=source):
            return Moved(data.ts * 1_000, fresh=False)
        return self._broken(data, recv_ts, *self._chains)

    def seed(self, data: wire.RestBook, recv_ts: Micros) -> Moved:
        """A snapshot from REST, on which the updates that waited are put. `loaded` is False when they do not join."""
        if self._book.valid or data.seqId is None:
            return Moved(data.ts * 1_000, fresh=False)
        waiting = [(s, d) for s, d in self._waiting if d.seqId is not None and d.seqId > data.seqId]
        if waiting and (waiting[0][1].prevSeqId or 0) > data.seqId:
            return Moved(data.ts * 1_000, fresh=True)
        self._load(wire.BookMessage(data.ts, data.asks, data.bids, data.seqId, -1))
        self._seed = data.seqId
        for source, update in waiting:
            self.take(source, "update", update, recv_ts) if source in self._chains else self._join(source, update)
        return Moved(data.ts * 1_000, fresh=True, loaded=True, told=(self._tell(recv_ts),))

    def left(self, source: str, recv_ts: Micros) -> Moved:
        """A connection is gone, or its channel is asked for again: the book breaks when it was the last to carry it."""
        self._chains.pop(source, None)
        self._waiting = [(s, d) for s, d in self._waiting if s != source]
        if not self._book.valid or self._carried():
            return Moved(self.ts, fresh=False)
        others = tuple(self._chains)
        self._invalidate()
        return Moved(self.ts, fresh=False, broken=others, told=(self._tell(recv_ts),))

    def due(self, now_ts: Micros) -> tuple[Book, ...]:
        """The book, when it has changed and was not told for a while."""
        return (self._tell(now_ts),) if self._untold and now_ts - self.told_ts >= INTERVAL else ()

    def _snapshot(self, source: str, data: wire.AnyBook, recv_ts: Micros) -> Moved:
        self._chains[source] = data.seqId
        if self._book.valid and data.seqId is not None and (data.seqId in self._recent or data.ts <= self._book.ts):
            return Moved(data.ts * 1_000, fresh=False)
        self._load(data)
        return Moved(data.ts * 1_000, fresh=True, loaded=True, told=(self._tell(recv_ts),))

    def _load(self, data: wire.AnyBook) -> None:
        self._book.apply("snapshot", data)
        self._waiting_over()
        self._passed(data.seqId)

    def _waiting_over(self) -> None:
        self._waiting, self._seed = [], None

    def _unchained(self, source: str, data: wire.AnyBook, recv_ts: Micros) -> Moved:
        """An update of a connection whose snapshot has not come."""
        ts = data.ts * 1_000
        if not self._book.valid:
            known = any(d.seqId == data.seqId for _, d in self._waiting)
            self._waiting = [*self._waiting[-_KEPT:], (source, data)]
            return Moved(ts, fresh=not known)
        if self._seed is None or data.seqId is None or data.seqId <= self._seed:
            return Moved(ts, fresh=False)
        if not self._join(source, data):
            return self._broken(data, recv_ts, source)
        return Moved(ts, fresh=True, told=self.due(recv_ts))

    def _join(self, source: str, data: wire.AnyBook) -> bool:
        """The first update after a REST snapshot: it reaches from before the snapshot to after it."""
        seed = self._seed
        if seed is None or data.seqId is None or data.prevSeqId is None:
            return False
        self._chains[source] = data.seqId
        if data.seqId in self._recent:
            return True
        if data.prevSeqId > seed and data.prevSeqId != self._book.last:
            return False
        self._book.apply("update", msgspec.structs.replace(data, prevSeqId=self._book.last))
        self._passed(data.seqId)
        self._untold = True
        return True

    def _apply(self, data: wire.AnyBook, recv_ts: Micros) -> Moved:
        self._book.apply("update", data)
        self._passed(data.seqId)
        self._untold = True
        return Moved(data.ts * 1_000, fresh=True, told=self.due(recv_ts))

    def _passed(self, seq: int | None) -> None:
        if seq is not None:
            self._recent.add(seq)

    def _carried(self, but: str = "") -> bool:
        """Whether a connection is left that will bring what follows on the book."""
        return any(
            seq == self._book.last or seq in self._recent for source, seq in self._chains.items() if source != but
        )

    def _broken(self, data: wire.AnyBook, recv_ts: Micros, *sources: str) -> Moved:
        for source in sources:
            self._chains.pop(source, None)
        ts = data.ts * 1_000
        if self._book.valid and self._carried():
            return Moved(ts, fresh=False, broken=sources)
        told: tuple[Book, ...] = ()
        if self._book.valid:
            sources = (*sources, *self._chains)
            self._invalidate()
            self._waiting = [(sources[0], data)]  # the other connection's copy is not new
            told = (self._tell(recv_ts),)
        return Moved(ts, fresh=True, broken=sources, told=told)

    def _invalidate(self) -> None:
        self._book.invalidate()
        self._chains.clear()
        self._recent.clear()
        self._waiting_over()

    def _tell(self, recv_ts: Micros) -> Book:
        book, stream = self._book, self.stream
        self.told_ts, self._untold = recv_ts, False
        bids = book.bids(DEPTH, stream.size) if book.valid else []
        asks = book.asks(DEPTH, stream.size) if book.valid else []
        return Book(stream.exchange, stream.symbol, book.ts * 1_000, bids, asks, book.valid, recv_ts)
