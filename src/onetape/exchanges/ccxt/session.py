"""All streams of one venue: messages in, `Received` out. No waiting here; the same code reads stored messages again.

One message may speak of several streams. It is then told once for each of them, so that each series can be read
again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from onetape.domain.market import Channel, Gap, RawFrame, Received, StreamState
from onetape.domain.units import Micros
from onetape.exchanges.ccxt.library import NOT_UNDERSTOOD
from onetape.exchanges.ccxt.tracks import Track
from onetape.observe import log

_LONG_LIFE: Final[Micros] = 3_600_000_000
_MAX_PATIENCE: Final = 16


class _Socket:
    __slots__ = ("data_ts", "opened_ts")

    def __init__(self, opened_ts: Micros) -> None:
        self.opened_ts, self.data_ts = opened_ts, 0


class Session:
    """`tell` takes what is received, `again` the tracks that have to be subscribed to once more."""

    def __init__(self, tell: Callable[[Received], None], again: Callable[[Track], None]) -> None:
        self.venue: Any = None
        self.tracks: dict[tuple[str, str], Track] = {}
        self._tell, self._again = tell, again
        self._seq = 0
        self._sockets: dict[str, _Socket] = {}
        self._patience: dict[str, int] = {}  # times the usual one
        self._index()

    def add(self, track: Track) -> None:
        self.tracks[track.want.symbol, track.want.name] = track
        self._index()

    def remove(self, track: Track) -> None:
        self.tracks.pop((track.want.symbol, track.want.name), None)
        self._index()

    def _index(self) -> None:
        self._by_symbol: dict[str, list[Track]] = {}
        for track in self.tracks.values():
            self._by_symbol.setdefault(track.theirs, []).append(track)
        self._books = [track for track in self.tracks.values() if track.want.channel is Channel.BOOK]

    def frame(self, url: str, data: str | bytes, recv_ts: Micros, touched: Iterable[Any]) -> None:
        text = data.encode() if isinstance(data, str) else data
        told: set[int] = set()
        for result in touched:
            for track in self._candidates(result):
                if id(track) not in told and track.owns(result, self.venue):
                    told.add(id(track))
                    self._news(track, url, result, text, recv_ts)
        for track in self._books:
            if id(track) not in told:
                self._unseen(track, url, text, recv_ts)

    def _candidates(self, result: Any) -> Iterable[Track]:
        """The tracks of the symbol that a result names, all where it names none."""
        if isinstance(result, dict):
            symbol = result.get("symbol")
        elif isinstance(result, list) and len(result) > 0:
            symbol = result[0] if isinstance(result[0], str) else _symbol(result[-1])
        else:
            symbol = None
        return self._by_symbol.get(symbol, ()) if symbol else self.tracks.values()

    def _news(self, track: Track, url: str, result: Any, text: bytes, recv_ts: Micros) -> None:
        track.url = url
        if url in self._sockets:
            self._sockets[url].data_ts = recv_ts
        try:
            ts, events = track.read(result, self.venue, text, recv_ts)
        except NOT_UNDERSTOOD as error:
            log.warning("frame_not_understood", symbol=track.want.symbol, channel=track.want.name, problem=str(error))
            ts, events = 0, ()
        self._seq += 1
        raw = RawFrame(*track.key, ts or recv_ts, recv_ts, self._seq, text)
        hole = track.advance(ts, events, recv_ts)
        if hole is not None:
            events = (Gap(*track.key, *hole, track.cause), *events)
        self._tell(Received(raw, events))

    def _unseen(self, track: Track, url: str, text: bytes, recv_ts: Micros) -> None:
        """A message about a book that the library keeps for later, or threw the book away for."""
        book = self.venue.orderbooks.get(track.theirs) if self.venue.orderbooks else None
        waiting = len(book.cache) if book is not None else 0
        more, track.waiting = waiting > track.waiting, waiting
        broken = track.break_book(recv_ts) if track.thrown_away(book) else None
        if more or (broken is not None and track.url == url):
            self._seq += 1
            raw = RawFrame(*track.key, recv_ts, recv_ts, self._seq, text)
            self._tell(Received(raw, (broken,) if broken is not None else ()))
        elif broken is not None:
            self._tell(Received(None, (broken,)))
        if broken is not None:
            log.warning("book_chain_broken", symbol=track.want.symbol)
            self._again(track)

    def changed(self, url: str, result: Any, recv_ts: Micros) -> None:
        """A book was put together from a snapshot that came by REST. Its messages follow; now it can be shown."""
        for track in self._books:
            if track.owns(result, self.venue):
                track.url = url
                _, events = track.read(result, self.venue, b"", recv_ts)
                if events:
                    self._tell(Received(None, events))

    def late_books(self, now_ts: Micros) -> None:
        for track in self._books:
            if told := track.late_book(now_ts):
                self._tell(Received(None, told))

    def lost(self, url: str, cause: str, recv_ts: Micros) -> None:
        self._sockets.pop(url, None)
        for track in self.tracks.values():
            if track.url != url:
                continue
            broken = track.lose(cause, recv_ts)
            if track.want.channel is Channel.BOOK and self.venue.orderbooks:
                self.venue.orderbooks.pop(track.theirs, None)
            if broken is not None:
                self._tell(Received(None, (broken,)))
            self._again(track)

    def snapshot(self, theirs: str, data: bytes, recv_ts: Micros) -> None:
        """The answer of REST that a book begins with is kept among its messages: with them it can be read again."""
        for track in self._books:
            if track.theirs == theirs:
                self._seq += 1
                self._tell(Received(RawFrame(*track.key, recv_ts, recv_ts, self._seq, data), ()))

    def opened(self, url: str, now_ts: Micros) -> None:
        self._sockets[url] = _Socket(now_ts)

    def silent(self, now_ts: Micros, silence: Micros) -> list[str]:
        """Sockets that are open and brought nothing for so long, and for twice as long after each time it helped not:
        then the silence is the market's."""
        found = []
        for url, socket in self._sockets.items():
            patience = silence * self._patience.get(url, 1)
            if now_ts - max(socket.opened_ts, socket.data_ts) > patience:
                self._patience[url] = min(_MAX_PATIENCE, 2 * self._patience.get(url, 1))
                found.append(url)
            elif socket.data_ts - socket.opened_ts > _LONG_LIFE:
                self._patience.pop(url, None)
        return found

    def states(self, now_ts: Micros) -> tuple[StreamState, ...]:
        return tuple(track.state(now_ts) for track in self.tracks.values())


def _symbol(item: Any) -> str | None:
    return item.get("symbol") if isinstance(item, dict) else None
