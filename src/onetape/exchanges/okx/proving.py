"""Is a book rebuilt from stored messages the one that the venue had? OKX itself says so, in channels of its own.

Every message of books5 and bbo-tbt holds the best levels together with the sequence id that they are of, and the ids of
one instrument are the same in all channels. So whenever the rebuilt book reaches such an id, its best levels must be
those, figure for figure. And its chain must be whole: an update that does not join on is told.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from onetape.domain.market import Channel, RawFrame
from onetape.domain.units import Micros
from onetape.exchanges.okx import pushes, wire
from onetape.exchanges.okx.books import BookStream
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.proving import Told, difference

Levels = list[tuple[float, float]]
_WAITING: Final = 200  # messages of the best levels whose id the book has not reached


class _Tops(NamedTuple):
    ts: Micros
    channel: str
    bids: Levels
    asks: Levels


class BookProof:
    """One instrument. Messages of its channels go in, in the order of their receipt; others are ignored."""

    def __init__(self, exchange: str, symbol: str) -> None:
        self._book = BookStream(Stream(exchange, symbol, Channel.BOOK, str(Channel.BOOK)))
        self._waiting: dict[int, list[_Tops]] = {}

    def take(self, frame: RawFrame) -> Told:
        try:
            if frame.channel == Channel.BOOK:
                return self._moved(frame)
            if frame.channel in (Channel.BOOK5, Channel.BBO):
                return self._tops(frame)
        except msgspec.DecodeError:
            pass  # it said nothing when it came, either
        return Told(frame.ts)

    def _moved(self, frame: RawFrame) -> Told:
        arg, message = pushes.decode(frame.data)
        if arg is None:
            for seed in wire.rest_books.decode(wire.answer.decode(frame.data).data)[:1]:
                self._book.seed(seed, frame.recv_ts)
            return self._judged(frame.ts)
        rows = message.data if isinstance(message.data, list) else wire.books.decode(message.data)
        told = Told(frame.ts)
        for data in rows:
            broken = bool(self._book.take("", message.action, data, frame.recv_ts).broken)
            told = self._judged(frame.ts)._replace(broken=broken)
            if broken or told.wrong:
                break
        return told

    def _tops(self, frame: RawFrame) -> Told:
        _, message = pushes.decode(frame.data)
        rows = message.data if isinstance(message.data, list) else wire.books.decode(message.data)
        for data in rows:
            if data.seqId is not None:
                bids, asks = ([(level.px, level.sz) for level in side] for side in (data.bids, data.asks))
                self._waiting.setdefault(data.seqId, []).append(_Tops(frame.ts, frame.channel, bids, asks))
        return self._judged(frame.ts)

    def _judged(self, ts: Micros) -> Told:
        """What waits for the id that the book has reached; what the book has passed cannot be compared any more."""
        seq, wrong, compared, skipped = self._book.seq, "", 0, 0
        for tops in self._waiting.pop(seq, []) if seq is not None else []:
            compared += 1
            wrong = wrong or self._difference(tops, seq or 0)
        while len(self._waiting) > _WAITING:
            skipped += len(self._waiting.pop(next(iter(self._waiting))))
        return Told(ts, compared, skipped, wrong)

    def _difference(self, tops: _Tops, seq: int) -> str:
        own = self._book.levels(max(len(tops.bids), len(tops.asks)))
        place = f"the book {seq}: {tops.channel} says"
        sides = (("bid", own[0], tops.bids), ("ask", own[1], tops.asks))
        return next(filter(None, (difference(s, place, rebuilt, stated) for s, rebuilt, stated in sides)), "")
