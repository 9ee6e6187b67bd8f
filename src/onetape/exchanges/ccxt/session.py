"""All streams of one venue: messages in, `Received` out. No waiting here; the same code reads stored messages again.

One message may speak of several streams. It is then told once for each of them, so that each series can be read
again by itself. Two connections (lanes) bring what has an identity; its second copy is counted and left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from onetape.domain.market import UNKNOWN, Channel, RawFrame, Received, StreamState
from onetape.domain.units import SECOND, Micros
from onetape.exchanges.ccxt.books import Moved
from onetape.exchanges.ccxt.library import NOT_UNDERSTOOD
from onetape.exchanges.ccxt.reading import StreamReader
from onetape.exchanges.ccxt.tracks import Track
from onetape.exchanges.connection import Frame
from onetape.exchanges.odd import Odd
from onetape.observe import log

_LONG_LIFE: Final[Micros] = 3_600 * SECOND
_MAX_PATIENCE: Final = 16
_BROKEN_CHAIN: Final = "an update of the book was lost"

Place = tuple[str, str]  # lane and url of a socket


class Errands(NamedTuple):
    """What the session asks of the world: `again`, a stream that the library dropped is subscribed to; `anew`, one is
    left and subscribed to. Each with the lane."""

    again: Callable[[str, Track], None]
    anew: Callable[[str, Track], None]


class _Socket:
    __slots__ = ("data_ts", "opened_ts")

    def __init__(self, opened_ts: Micros) -> None:
        self.opened_ts, self.data_ts = opened_ts, 0


class Session:
    """`tell` takes what is received, `monotonic` gives seconds."""

    def __init__(
        self, exchange: str, tell: Callable[[Received], None], errands: Errands, monotonic: Callable[[], float]
    ) -> None:
        self.venues: dict[str, Any] = {}  # the library's instance of each lane
        self.tracks: dict[tuple[str, str], Track] = {}
        self._exchange, self._tell, self._errands = exchange, tell, errands
        self._odd = Odd(monotonic)
        self._seq = 0
        self._sockets: dict[Place, _Socket] = {}
        self._patience: dict[Place, int] = {}  # times the usual one
        self._index()

    def add(self, track: Track, lanes: Iterable[str]) -> None:
        self.tracks[track.want.symbol, track.want.name] = track
        track.readings = {lane: StreamReader(track.want, track.instrument, track.theirs) for lane in lanes}
        self._index()

    def remove(self, track: Track) -> None:
        if self.tracks.get((track.want.symbol, track.want.name)) is track:
            del self.tracks[track.want.symbol, track.want.name]
            self._index()

    def _index(self) -> None:
        self._by_symbol: dict[str, list[Track]] = {}
        for track in self.tracks.values():
            self._by_symbol.setdefault(track.theirs, []).append(track)
        self._books = [track for track in self.tracks.values() if track.want.channel is Channel.BOOK]

    # --- messages

    def frame(
        self, place: Place, data: str | bytes, recv_ts: Micros, touched: Iterable[Any], problem: str = ""
    ) -> None:
        """`touched` is what the library said has changed; `problem` is "" or why it could not read the message."""
        text = data.encode("utf8", "replace") if isinstance(data, str) else data
        told: set[int] = set()
        for result in touched:
            for track in self._owners(result, place[0]):
                if id(track) not in told:
                    told.add(id(track))
                    self._news(track, place, result, text, recv_ts)
        if problem and not told:
            self._not_understood(place, text, recv_ts, problem)
        for track in self._books:
            if id(track) not in told and place[0] in track.readings:
                self._unseen(track, place, text, recv_ts)

    def _owners(self, result: Any, lane: str) -> list[Track]:
        """The tracks that a result is of: most name their symbol, and some name a wrong one."""
        if isinstance(result, dict):
            symbol = result.get("symbol")
        elif isinstance(result, list) and len(result) > 0:
            symbol = result[0] if isinstance(result[0], str) else _symbol(result[-1])
        else:
            symbol = None
        near = self._by_symbol.get(symbol, ()) if isinstance(symbol, str) else ()
        return self._owning(near, result, lane) or self._owning(self.tracks.values(), result, lane)

    def _owning(self, tracks: Iterable[Track], result: Any, lane: str) -> list[Track]:
        venue = self.venues[lane]
        return [t for t in tracks if lane in t.readings and t.readings[lane].owns(result, venue)]

    def _news(self, track: Track, place: Place, result: Any, text: bytes, recv_ts: Micros) -> None:
        lane = place[0]
        track.carried(lane, place[1], recv_ts)
        if place in self._sockets:
            self._sockets[place].data_ts = recv_ts
        try:
            if track.book is not None:
                self._moved(track, track.book.news(lane, result, text, recv_ts), text, recv_ts)
                return
            ts, found = track.readings[lane].read(result, self.venues[lane], text, recv_ts)
        except NOT_UNDERSTOOD as error:
            self._not_understood(place, text, recv_ts, f"{track.want.symbol} {track.want.name}: {error}", track)
            return
        fresh = found if track.once is None else track.once.new(lane, ts, found, None, recv_ts)
        if fresh is None:
            track.dropped += 1
        else:
            self._kept(track, text, recv_ts, ts or recv_ts, track.told(ts, fresh, recv_ts))

    def _kept(self, track: Track, text: bytes, recv_ts: Micros, ts: Micros, told: Any) -> None:
        self._seq += 1
        self._tell(Received(RawFrame(*track.key, ts, recv_ts, self._seq, text), told))

    def _moved(self, track: Track, moved: Moved, text: bytes, recv_ts: Micros) -> None:
        if moved.broke:
            log.warning("book_chain_broken", exchange=self._exchange, symbol=track.want.symbol)
            track.broke("broken", _BROKEN_CHAIN)
        if text and (moved.kept or moved.broke):
            told = track.told(moved.ts, moved.told, recv_ts) if moved.kept else moved.told
            self._kept(track, text, recv_ts, moved.ts or recv_ts, told)
        elif moved.told:
            self._tell(Received(None, track.told(moved.ts, moved.told, recv_ts) if moved.kept else moved.told))
        elif not moved.kept:
            track.dropped += 1
        self._anew(track, moved)

    def _anew(self, track: Track, moved: Moved) -> None:
        for lane in moved.again:
            if self.venues[lane].orderbooks:
                self.venues[lane].orderbooks.pop(track.theirs, None)
            self._errands.anew(lane, track)

    def _not_understood(
        self, place: Place, text: bytes, recv_ts: Micros, problem: str, track: Track | None = None
    ) -> None:
        """Kept as it came, and nothing of it becomes an event."""
        kept = self._odd.came(Frame(f"{self._exchange} {place[0]}", text, recv_ts), problem)
        if kept is not None:
            self._seq += 1
            self._tell(Received(RawFrame(self._exchange, "*", UNKNOWN, recv_ts, recv_ts, self._seq, kept), ()))
        lane = place[0]
        for each in list(self.tracks.values()):
            if lane in each.readings:
                each.readings[lane].forget(self.venues[lane])
        if track is not None and track.book is not None:
            self._moved(track, track.book.left(lane, recv_ts, again=True), b"", recv_ts)

    def _unseen(self, track: Track, place: Place, text: bytes, recv_ts: Micros) -> None:
        """A message about a book that the library keeps for later, or threw the book away for."""
        (lane, url), book = place, track.book
        assert book is not None
        theirs = (self.venues[lane].orderbooks or {}).get(track.theirs)
        reading = track.readings[lane]
        waiting = len(theirs.cache) if theirs is not None else 0
        more, reading.waiting = waiting > reading.waiting, waiting
        own = lane not in track.carriers or track.carriers[lane].url == url
        if book.thrown_away(lane, theirs):
            moved = book.left(lane, recv_ts)
            self._moved(track, moved, text if own else b"", recv_ts)
            self._errands.again(lane, track)
            more = more and not moved.broke
        if more and book.waits(lane):
            self._kept(track, text, recv_ts, recv_ts, ())

    def changed(self, place: Place, result: Any, recv_ts: Micros) -> None:
        """A book was put together from a snapshot that came by REST. Its messages follow; now it can be shown."""
        lane = place[0]
        for track in self._books:
            reading = track.readings.get(lane)
            if reading is not None and track.book is not None and reading.owns(result, self.venues[lane]):
                track.carried(lane, place[1], recv_ts)
                try:
                    moved = track.book.news(lane, result, b"", recv_ts)
                except NOT_UNDERSTOOD as error:
                    log.warning("book_not_understood", symbol=track.want.symbol, problem=str(error))
                    moved = track.book.left(lane, recv_ts, again=True)
                self._moved(track, moved, b"", recv_ts)

    def snapshot(self, lane: str, theirs: str, data: bytes, recv_ts: Micros) -> None:
        """The answer of REST that a book begins with is kept among its messages: with them it can be read again."""
        for track in self._books:
            if track.theirs == theirs and track.book is not None and track.book.waits(lane):
                self._kept(track, data, recv_ts, recv_ts, ())

    # --- sockets and time

    def opened(self, place: Place, now_ts: Micros) -> None:
        self._sockets[place] = _Socket(now_ts)

    def lost(self, place: Place, cause: str, recv_ts: Micros) -> None:
        lane, url = place
        self._sockets.pop(place, None)
        for track in list(self.tracks.values()):
            carrier = track.carriers.get(lane)
            if carrier is None or carrier.url != url:
                continue
            track.lost(lane, cause)
            if track.book is not None:
                if self.venues[lane].orderbooks:
                    self.venues[lane].orderbooks.pop(track.theirs, None)
                moved = track.book.left(lane, recv_ts)
                if moved.broke:
                    track.broke("down", cause)
                    self._tell(Received(None, moved.told))
                self._anew(track, moved)
            self._errands.again(lane, track)

    def late_books(self, now_ts: Micros) -> None:
        for track in self._books:
            try:
                told = track.book.late(now_ts) if track.book is not None else ()
            except NOT_UNDERSTOOD as error:
                log.debug("book_not_understood", symbol=track.want.symbol, problem=str(error))
                continue
            if told:
                self._tell(Received(None, told))

    def mark(self, now: float) -> None:
        """Once a second, for the rates."""
        for track in self.tracks.values():
            track.mark(now)

    def silent(self, now_ts: Micros, silence: Micros, usual: Micros) -> dict[Place, str]:
        """Sockets to be left, and why: open and without data for so long, and for twice as long after each time it
        helped not (then the silence is the market's); or one of their streams says nothing while others go on."""
        found = {}
        for place, socket in self._sockets.items():
            patience = silence * self._patience.get(place, 1)
            if now_ts - max(socket.opened_ts, socket.data_ts) > patience:
                self._patience[place] = min(_MAX_PATIENCE, 2 * self._patience.get(place, 1))
                found[place] = f"no data for {silence / SECOND:g} s"
            elif socket.data_ts - socket.opened_ts > _LONG_LIFE:
                self._patience.pop(place, None)
        for track in self.tracks.values():
            for lane, url, seconds in track.silent(now_ts, silence / usual):
                found.setdefault((lane, url), f"{track.want.name} of {track.want.symbol} silent for {seconds:.0f} s")
        return found

    def states(self, now_ts: Micros, offset: Micros) -> tuple[StreamState, ...]:
        """`offset` is the venue's clock minus ours."""
        return tuple(track.state(now_ts, offset) for track in self.tracks.values())


def _symbol(item: Any) -> str | None:
    return item.get("symbol") if isinstance(item, dict) else None
