"""The `books` channel: a snapshot, then what has changed since, as a chain of sequence numbers; a heartbeat."""

from __future__ import annotations

import time
from typing import Any, Final

from onetape.venue import wire
from onetape.venue.book import DEPTH, Book, changes
from onetape.venue.floor import Floor
from onetape.venue.stream import Stream

BOOKS: Final = "books"
_BEFORE_ALL: Final = -1


def snapshot(floor: Floor, stream: Stream) -> str:
    """Empty before a recording's first snapshot."""
    if stream.replay:
        stream.book = stream.replay.at(stream.cursor, DEPTH)
        if not stream.replay.known:
            return ""
    if stream.book is None:
        stream.book, stream.book_s = floor.book(stream.tape, stream.cursor), time.monotonic()
    data = wire.book(stream.tape.listing, stream.book, len(stream.book.asks.place))
    seq = data.pop("seqId")
    data |= {"checksum": 0, "prevSeqId": _BEFORE_ALL, "seqId": seq}
    return stream.frame(BOOKS, [data], action="snapshot")


def push(floor: Floor, stream: Stream, heartbeat_s: float) -> None:
    """The change since the last push; a heartbeat after a minute without any."""
    moment, before, after = time.monotonic(), stream.book, floor.book(stream.tape, stream.cursor)
    if before is None:
        return
    asks, bids = changes(before.asks, after.asks), changes(before.bids, after.bids)
    if not len(asks.place) and not len(bids.place):
        if moment - stream.book_s >= heartbeat_s:
            stream.book_s = moment
            stream.say(BOOKS, _update(stream, [], [], before.seq, after._replace(seq=before.seq)))
        return
    stream.book, stream.book_s = after, moment
    listing = stream.tape.listing
    stream.say(BOOKS, _update(stream, wire.levels(listing, asks), wire.levels(listing, bids), before.seq, after))


def _update(stream: Stream, asks: list[Any], bids: list[Any], before: int, now: Book) -> str:
    chain = {"checksum": 0, "prevSeqId": before, "seqId": now.seq}
    data = {"asks": asks, "bids": bids, "ts": wire.millis(now.ts), **chain}
    if stream.journal and (asks or bids):
        stream.journal.changed(stream.symbol, data, wire.book(stream.tape.listing, now, len(now.asks.place)))
    return stream.frame(BOOKS, [data], action="update")
