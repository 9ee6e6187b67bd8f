"""All streams' state: what came in becomes what consumers get. No waiting here: items in, `Received` out.

Each frame that says something new is kept as it came and decoded into events. Absences become gaps in the venue's own
time, from the last event before to the first event after, but only when no connection carried the stream. Books are
kept whole, and told at most ten times a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, KeysView
from typing import Final, NamedTuple

import msgspec

from onetape.domain.instrument import LIVE, Instrument
from onetape.domain.market import UNKNOWN, RawFrame, Received, StreamState
from onetape.domain.units import Micros
from onetape.exchanges import odd
from onetape.exchanges.connection import Closed, Frame, Item, Opened, Tick
from onetape.exchanges.odd import Odd
from onetape.exchanges.okx import pushes, wire
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.reading import StreamStep
from onetape.exchanges.okx.subscriptions import Subscriptions
from onetape.exchanges.okx.tracks import Carrier, Track, together
from onetape.exchanges.once import Events
from onetape.observe import log

_UPGRADE: Final = "64008"
_LOGIN: Final = "60011"
_ALL_TRADES: Final = "trades-all"
_PASSING: Final = frozenset(("60014", "60023", "63999", "64007"))  # too frequent, internal: tried again
_IGNORED: Final = frozenset(("unsubscribe", "login", "channel-conn-count"))
_CHANGED: Final = "instruments"
_BROKEN_CHAIN: Final = "an update of the book was lost"


class Link:
    """One connection as the session sees it: its subscriptions, and how to send and to have it replaced."""

    def __init__(self, send: Callable[[bytes], bool], replace: Callable[[str], None]) -> None:
        self.subscriptions = Subscriptions()
        self.send, self.replace = send, replace
        self.opened = False


class Seed(NamedTuple):
    """The answer of REST to a book whose snapshot did not come."""

    arg: wire.Arg
    body: bytes
    recv_ts: Micros


class Around(NamedTuple):
    """What the session asks of the world: the time in seconds, and two errands that are answered later."""

    monotonic: Callable[[], float]
    fetch_book: Callable[[wire.Arg], None]  # answered by a Seed
    listed: Callable[[msgspec.Raw], object]  # instruments changed
    login_needed: Callable[[wire.Arg], None] = lambda _: None  # of a stream that is open to all elsewhere
    venue_now: Callable[[], Micros] = lambda: 0  # the venue's time; 0 = not known yet


class Session:
    """See the module. `patience` scales how long a stream may be silent (1: the venue's own rhythm)."""

    def __init__(self, around: Around, patience: float = 1.0) -> None:
        self._around, self._patience = around, patience
        self._tracks: dict[wire.Arg, Track] = {}
        self._links: dict[str, Link] = {}
        self._seq = 0
        self._second = float("-inf")
        self._refused: dict[wire.Arg, str] = {}  # sentences
        self._odd = Odd(around.monotonic)

    @property
    def args(self) -> KeysView[wire.Arg]:
        return self._tracks.keys()

    @property
    def refused(self) -> set[str]:
        return set(self._refused.values())

    def add(self, stream: dict[wire.Arg, Stream]) -> None:
        """New streams; `carry` says which connections bring them."""
        self._tracks.update((arg, Track(arg, one)) for arg, one in stream.items() if arg not in self._tracks)

    def changed(self, instrument: Instrument) -> None:
        """What comes from now on is in these sizes, and a halted instrument need not say anything. What was refused of
        it is asked for once more: it may be listed now."""
        now = self._around.monotonic()
        for arg, track in self._tracks.items():
            if track.stream.symbol != instrument.symbol:
                continue
            track.changed(instrument)
            if instrument.state == LIVE and self._refused.pop(arg, ""):
                for link in self._links.values():
                    link.subscriptions.retry(arg, now)

    def carry(self, source: str, args: Iterable[wire.Arg]) -> None:
        self._links[source].subscriptions.add(args)

    def remove(self, args: Iterable[wire.Arg]) -> None:
        """Streams that nobody wants any more; what still comes of them is ignored."""
        args = tuple(args)
        for link in self._links.values():
            self._send(link, link.subscriptions.remove(args, self._around.monotonic()))
        for arg in args:
            self._tracks.pop(arg, None)
            self._refused.pop(arg, None)

    def open(self, source: str, link: Link) -> None:
        """A further connection."""
        self._links[source] = link

    def close(self, source: str, cause: str, now_ts: Micros) -> list[Received]:
        """A connection that is given up."""
        told = list(self._closed(Closed(source, cause), now_ts))
        del self._links[source]
        return told

    def ready(self, source: str) -> bool:
        """Whether a connection brings all that it carries: acknowledged, and the books with their snapshots."""
        link = self._links[source]
        if not link.opened or not link.subscriptions.settled:
            return False
        books = [track.reading.book for arg in link.subscriptions if (track := self._tracks.get(arg))]
        return all(book.chained(source) for book in books if book is not None)

    def states(self, now_ts: Micros, offset: Micros) -> tuple[StreamState, ...]:
        """One for each stream; `offset` is the venue's clock minus ours."""
        found: dict[tuple[str, str], StreamState] = {}
        for arg, track in self._tracks.items():
            state = track.state(now_ts, offset, self._refused.get(arg, ""))
            key = (state.symbol, state.channel)
            found[key] = together(found[key], state) if key in found else state
        return tuple(found.values())

    def on(self, item: Item | Seed, now_ts: Micros) -> Iterable[Received]:
        return self._frame(item) if isinstance(item, Frame) else self._other(item, now_ts)

    def _other(self, item: Item | Seed, now_ts: Micros) -> Iterator[Received]:
        if isinstance(item, Tick):
            yield from self._tick(now_ts)
        elif isinstance(item, Opened):
            if (link := self._links.get(item.source)) is not None:
                link.opened = True
                self._send(link, link.subscriptions.start(self._around.monotonic()))
        elif isinstance(item, Closed):
            yield from self._closed(item, now_ts)
        elif isinstance(item, Seed):
            yield from self._seed(item)

    def _send(self, link: Link, messages: Iterable[bytes]) -> None:
        for message in messages:
            link.send(message)

    def _frame(self, frame: Frame) -> tuple[Received, ...]:
        """No generator: thousands a second pass here."""
        link = self._links.get(frame.source)
        if link is None:
            return ()  # given up meanwhile
        try:
            arg, message = pushes.decode(frame.data)
        except msgspec.DecodeError as error:
            return self._not_understood(frame, str(error))
        if isinstance(message, wire.Envelope) and message.event:
            self._event(link, frame.source, message)
        elif arg is not None and (track := self._tracks.get(arg)) is not None:
            return self._data(track, message, frame)
        else:
            log.debug("frame_ignored", source=frame.source, begin=odd.begin(frame))
        return ()

    def _not_understood(self, frame: Frame, problem: str) -> tuple[Received, ...]:
        kept = self._odd.came(frame, problem)
        exchange = next((track.stream.exchange for track in self._tracks.values()), "")
        if kept is None or not exchange:
            return ()
        self._seq += 1
        raw = RawFrame(exchange, "*", UNKNOWN, frame.recv_ts, frame.recv_ts, self._seq, kept)
        return (Received(raw, ()),)

    def _event(self, link: Link, source: str, message: wire.Envelope) -> None:
        arg, now = message.arg, self._around.monotonic()
        if message.event == "subscribe" and arg is not None:
            if link.subscriptions.acknowledged(arg) and arg in self._tracks:
                self._tracks[arg].carriers[source] = Carrier(now)
        elif message.event == "notice" and message.code == _UPGRADE:
            link.replace("the venue announced a service upgrade")
        elif message.event == "error":
            self._error(link, message)
        elif message.event not in _IGNORED:
            log.info("event_ignored", name=message.event, code=message.code, text=message.msg)

    def _error(self, link: Link, message: wire.Envelope) -> None:
        final = message.code not in _PASSING
        refused = link.subscriptions.refused(message.id, message.arg, self._around.monotonic(), final)
        if refused is None:
            log.warning("venue_error", code=message.code, text=message.msg)
            return None
        if message.code == _LOGIN and refused.channel == _ALL_TRADES:
            return self._around.login_needed(refused)
        name = f"{refused.instId} {refused.channel}".strip()
        problem = f"{name} is refused by the venue: {message.msg} ({message.code})."
        if refused not in self._refused:
            log.error("subscription_refused", problem=problem)
        self._refused[refused] = problem
        return None

    def _data(self, track: Track, message: pushes.Message, frame: Frame) -> tuple[Received, ...]:
        track.heard(frame.source, self._around.monotonic())
        trade = track.next_trade(message.data, frame.recv_ts)
        if trade is not None:
            return (self._kept(track.stream, trade.ts, frame.recv_ts, frame.data, (trade,)),)
        joined = track.absent and track.reading.joins(frame.data)
        step = track.reading.take(frame.source, message, frame.recv_ts)
        if step.broken:
            self._renew(track, step.broken, _BROKEN_CHAIN)
        if not step.fresh:
            track.dropped += 1
            return ()
        if track.stream.name == _CHANGED and step.ts and isinstance(message.data, msgspec.Raw):
            self._around.listed(message.data)
        before, absent = track.ts, track.absent
        received = self._received(track, step, frame.data, frame.recv_ts, joined)
        holes = track.holes
        if holes is not None and holes.trusted and step.ts and not holes.follows(step.events):
            holes.jumped(frame.data, (before, step.ts), self._around.monotonic(), absent)
        return (received,)

    def _received(self, track: Track, step: StreamStep, data: bytes, recv_ts: Micros, joined: bool = False) -> Received:
        gap: Events = ()
        if step.broken and track.reading.book is not None and not track.reading.book.valid:
            track.broke("broken", _BROKEN_CHAIN)
            gap = track.known(step.ts)
        told = (*gap, *track.told(step, recv_ts, joined))
        return self._kept(track.stream, step.ts or recv_ts, recv_ts, data, told)

    def _kept(self, stream: Stream, ts: Micros, recv_ts: Micros, data: bytes, told: Events) -> Received:
        self._seq += 1
        return Received(RawFrame(stream.exchange, stream.symbol, stream.name, ts, recv_ts, self._seq, data), told)

    def _renew(self, track: Track, sources: Iterable[str], cause: str) -> None:
        """One channel is left and asked for again, on these connections only."""
        now = self._around.monotonic()
        for source in sources:
            link = self._links[source]
            track.carriers.pop(source, None)
            messages = link.subscriptions.renew(track.arg, now)
            self._send(link, messages)
            if not messages:
                link.replace(f"its requests of this hour are used up ({cause})")

    def _seed(self, item: Seed) -> Iterator[Received]:
        track = self._tracks.get(item.arg)
        if track is None:
            return
        answer = wire.answer.decode(item.body)
        step = track.reading.seed(answer, item.recv_ts)
        if step.fresh:
            log.info("book_from_rest", symbol=track.stream.symbol, joined=step.loaded)
            yield self._received(track, step, item.body, item.recv_ts)

    def _tick(self, now_ts: Micros) -> Iterator[Received]:
        now = self._around.monotonic()
        for link in self._links.values():
            if link.opened:
                self._send(link, link.subscriptions.due(now))
                if link.subscriptions.starved(now):
                    link.replace("its requests of this hour are used up")
        for track in self._tracks.values():
            book = track.reading.book
            if book is not None and (told := book.due(now_ts)):
                yield Received(None, told)
        if now - self._second >= 1.0 * min(1.0, self._patience):
            self._second = now
            for track in self._tracks.values():
                track.mark(now)
                if gaps := track.missing(now):
                    yield Received(None, tuple(gaps))
                self._owed(track, now)
                yield from self._silent(track, now, now_ts)
                yield from self._stale(track, now, now_ts)

    def _owed(self, track: Track, now: float) -> None:
        for source, from_rest in track.without_snapshot(now, self._patience):
            log.warning("book_snapshot_missing", symbol=track.arg.instId, source=source)
            if from_rest:
                self._around.fetch_book(track.arg)
            else:
                self._renew(track, (source,), "no snapshot of the book came")

    def _silent(self, track: Track, now: float, now_ts: Micros) -> Iterator[Received]:
        for source, seconds in track.silent(now, self._patience):
            cause = f"silent for {seconds:.0f} s under a live connection"
            log.warning(
                "stream_silent", symbol=track.stream.symbol, channel=track.stream.name, source=source, says=cause
            )
            yield from self._left(track, source, ("silent", cause), now_ts)
            self._renew(track, (source,), cause)

    def _stale(self, track: Track, now: float, now_ts: Micros) -> Iterator[Received]:
        """It lives, and tells only what was long ago: one connection after the other asks for it again."""
        source, seconds = track.stale(now, self._around.venue_now(), self._patience)
        if source:
            cause = f"nothing newer than {seconds:.0f} s came"
            log.warning(
                "stream_stale", symbol=track.stream.symbol, channel=track.stream.name, source=source, says=cause
            )
            yield from self._left(track, source, ("silent", cause), now_ts)
            self._renew(track, (source,), cause)

    def _closed(self, item: Closed, now_ts: Micros) -> Iterator[Received]:
        link = self._links.get(item.source)
        if link is None:
            return
        link.opened = False
        for arg in link.subscriptions:
            if (track := self._tracks.get(arg)) is not None:
                yield from self._left(track, item.source, ("down", item.cause), now_ts)

    def _left(self, track: Track, source: str, why: tuple[str, str], now_ts: Micros) -> Iterator[Received]:
        """A connection does not bring this stream any more."""
        track.lost(source, *why)
        book = track.reading.book
        if book is None:
            return
        moved = book.left(source, now_ts)
        self._renew(track, moved.broken, _BROKEN_CHAIN)
        if moved.told:
            track.broke(*why)
            yield Received(None, moved.told)
