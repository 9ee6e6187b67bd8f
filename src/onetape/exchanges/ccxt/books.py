"""One book that several connections bring. Pure.

Each connection's library keeps a book of its own. Where messages are numbered, the first copy of each update is told
and kept, whoever brings it, so that what is stored is one unbroken chain; a book is unusable when no connection is in
step with it. Where they are not, one connection brings it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from onetape.domain.market import MarketEvent
from onetape.domain.units import Micros
from onetape.exchanges.ccxt import events
from onetape.exchanges.ccxt.chains import STEPS, BookStep
from onetape.observe import log

Events = tuple[MarketEvent, ...]

_INTERVAL: Final[Micros] = 100_000
_BREAKS, _OF = 20, 50  # a rule that is broken so often, and by more than one message in so many, is no rule


class Moved(NamedTuple):
    """`kept`: the message is a new one. `broke`: the book is unusable from now on. `again`: on these connections it has
    to begin anew."""

    kept: bool = False
    told: Events = ()
    ts: Micros = 0
    broke: bool = False
    again: tuple[str, ...] = ()


class Books:
    """`size` is the size of a contract."""

    def __init__(self, exchange: str, symbol: str, size: float) -> None:
        self._exchange, self._symbol, self._size = exchange, symbol, size
        self._steps = STEPS.get(exchange)
        self.valid = False
        self._seq = -1  # the newest update that was told
        self._owner = ""  # whose messages are kept until the book is whole
        self._at: dict[str, int] = {}  # how far each connection's own book is
        self._steady: set[str] = set()  # those in step with what was told
        self._shown: dict[str, Any] = {}  # the library's object on each connection
        self._best: Any = None  # the one that was told last
        self._ts: Micros = 0  # of what was told last
        self._told_ts: Micros = 0
        self._untold = False  # it has changed since
        self._messages = self._breaks = 0

    @property
    def numbered(self) -> bool:
        """Whether copies of a message are known as such."""
        return self._steps is not None

    def news(self, lane: str, book: Any, text: bytes, recv_ts: Micros) -> Moved:
        """A connection's book has changed by this message; b"": by an answer of REST. Raises ValueError for a book that
        no market can have."""
        self._shown[lane] = book
        self._messages += 1
        step = self._step(book, text)
        if step is None:
            return self._accept(lane, book, -1, recv_ts) if self.waits(lane) or self._owner == lane else Moved()
        if step.whole:
            return self._begun(lane, book, step.last, recv_ts)
        at = self._at.get(lane)
        if at is None:
            return Moved()  # it has not begun
        if step.first != at and not step.first < at <= step.last:
            return self._jumped(lane, recv_ts)
        self._at[lane] = step.last
        return self._next(lane, book, step, recv_ts)

    def _step(self, book: Any, text: bytes) -> BookStep | None:
        if self._steps is None:
            return None
        nonce = book.get("nonce")
        if not text:
            return None if nonce is None else BookStep(-1, int(nonce), whole=True)
        try:
            step = self._steps(text)
        except msgspec.DecodeError as error:
            raise ValueError(str(error)) from error
        if step is not None and step.whole and nonce is not None:
            return step._replace(last=int(nonce))  # with the updates that waited for it
        return step

    def _begun(self, lane: str, book: Any, last: int, recv_ts: Micros) -> Moved:
        self._at[lane] = last
        self._steady.discard(lane)
        if self.valid and self._steady:
            if last == self._seq:
                self._steady.add(lane)
            return Moved()
        return self._accept(lane, book, last, recv_ts) if self.valid or self.waits(lane) else Moved()

    def _next(self, lane: str, book: Any, step: BookStep, recv_ts: Micros) -> Moved:
        if not self.valid:
            return self._accept(lane, book, step.last, recv_ts) if self.waits(lane) else Moved()
        if step.last == self._seq:
            self._steady.add(lane)
        elif step.first == self._seq:
            return self._accept(lane, book, step.last, recv_ts)
        elif step.last > self._seq and self._steady <= {lane}:
            return self._jumped(lane, recv_ts)  # nobody brings what lies between
        return Moved()

    def _accept(self, lane: str, book: Any, last: int, recv_ts: Micros) -> Moved:
        self._owner = lane
        due = not self.valid or book is not self._best or recv_ts - self._told_ts >= _INTERVAL
        self._best = book
        told = self._tell(recv_ts) if due else ()
        self._untold = not told
        self._seq = last
        self._steady.add(lane)
        self.valid = self.valid or bool(told)
        return Moved(True, told, events.micros(book.get("timestamp")))

    def _tell(self, recv_ts: Micros) -> Events:
        book = self._best
        if not book["bids"] or not book["asks"]:
            return ()
        told = events.book_of(self._exchange, self._symbol, book, self._size, recv_ts)
        self._ts, self._told_ts = told.ts, recv_ts
        return (told,)

    def late(self, now_ts: Micros) -> Events:
        """What the last message changed, when none has followed."""
        if not (self.valid and self._untold):
            return ()
        self._untold = False
        return self._tell(now_ts)

    def waits(self, lane: str) -> bool:
        """Whether the book is not whole and this connection is the one that makes it so: then all it says is kept."""
        if self.valid or self._owner not in ("", lane):
            return False
        self._owner = lane
        return True

    def thrown_away(self, lane: str, book: Any) -> bool:
        """Whether the library has given up the book that it had; `book` is what it has now."""
        return lane in self._shown and book is not self._shown[lane]

    def _jumped(self, lane: str, recv_ts: Micros) -> Moved:
        self._breaks += 1
        if self._breaks > _BREAKS and self._messages < _OF * self._breaks:
            log.warning("book_numbers_not_consecutive", exchange=self._exchange, symbol=self._symbol)
            self._steps = None
        return self.left(lane, recv_ts, again=True)

    def left(self, lane: str, recv_ts: Micros, *, again: bool = False) -> Moved:
        """A connection does not bring the book any more, or not without beginning `again`."""
        self._at.pop(lane, None)
        self._shown.pop(lane, None)
        self._steady.discard(lane)
        own = (lane,) if again else ()
        if self.valid and (self._steady or (self._owner != lane and not self.numbered)):
            return Moved(again=own)
        if not self.valid and self._owner not in ("", lane):
            return Moved(again=own)
        others = tuple(self._at)  # what led to their books was not kept
        broke, self.valid, self._owner = self.valid, False, ""
        self._at.clear()
        self._steady.clear()
        told = (events.no_book(self._exchange, self._symbol, self._ts, recv_ts),) if broke else ()
        return Moved(told=told, broke=broke, again=(*own, *others))
