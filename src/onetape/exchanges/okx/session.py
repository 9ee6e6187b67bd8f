"""One stream's state: what came in becomes what consumers get. No waiting here: items in, `Received` out.

Each frame is kept as it came and decoded into events. Absences become gaps in the venue's own time, from the last
event before to the first event after. Books are kept whole, and told at most ten times a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, KeysView
from typing import Final

import msgspec

from onetape.domain.market import Book, Candle, Channel, Gap, MarketEvent, RawFrame, Received, StreamState
from onetape.domain.units import Micros
from onetape.exchanges.connection import Closed, Frame, Item, Opened, Tick
from onetape.exchanges.okx import pushes, wire
from onetape.exchanges.okx.books import BookStream
from onetape.exchanges.okx.events import DECODE, Series
from onetape.exchanges.okx.subscriptions import State, Subscriptions
from onetape.observe import log

_SNAPSHOT_SECONDS: Final = 5.0
_SOUND_SECONDS: Final = 60.0  # a book that lived so long was no part of a series of breaks
_UPGRADE: Final = "64008"
_PASSING: Final = frozenset(("60014", "60023", "63999", "64007"))  # too frequent, internal: tried again
_IGNORED: Final = frozenset(("unsubscribe", "login", "channel-conn-count"))


def _begin(frame: Frame) -> str:
    """Enough of a strange frame to recognise it in the log."""
    return frame.data[:200].decode("utf8", "replace")


class _Track:
    """What is known of one subscription."""

    __slots__ = ("absent", "book", "cause", "gaps", "heard_ts", "loaded_at", "messages", "series", "ts", "wanted_at")

    def __init__(self, series: Series) -> None:
        self.series = series
        self.ts: Micros = 0  # the newest event
        self.absent = False  # no frame since the connection was lost
        self.cause = ""
        self.book = BookStream(series) if series.channel is Channel.BOOK else None
        self.wanted_at = float("inf")  # when the missing snapshot was asked for
        self.loaded_at = 0.0
        self.heard_ts: Micros = 0  # when the newest frame came
        self.messages = self.gaps = 0


class Link:
    """One connection as the session sees it: its subscriptions, and how to send and renew."""

    def __init__(self, args: Iterable[wire.Arg], send: Callable[[bytes], bool], renew: Callable[[str], None]) -> None:
        self.subscriptions, self.send, self.renew = Subscriptions(args), send, renew


class Session:
    """See the module. `links` by the connection's address."""

    def __init__(self, tracks: dict[wire.Arg, Series], links: dict[str, Link], monotonic: Callable[[], float]) -> None:
        self._tracks = {arg: _Track(series) for arg, series in tracks.items()}
        self._links, self._monotonic = links, monotonic
        self._seq = 0
        self.refused: set[str] = set()  # sentences

    @property
    def args(self) -> KeysView[wire.Arg]:
        return self._tracks.keys()

    def add(self, source: str, tracks: dict[wire.Arg, Series]) -> None:
        """New streams on one connection."""
        self._tracks.update((arg, _Track(series)) for arg, series in tracks.items())
        self._links[source].subscriptions.add(tracks)

    def remove(self, args: Iterable[wire.Arg]) -> None:
        """Streams that nobody wants any more; what still comes of them is ignored."""
        for link in self._links.values():
            self._send(link, link.subscriptions.remove(args))
        for arg in args:
            self._tracks.pop(arg, None)

    def open(self, source: str, link: Link) -> None:
        """A further connection."""
        self._links[source] = link

    def states(self, now_ts: Micros) -> tuple[StreamState, ...]:
        return tuple(self._state(arg, track, now_ts) for arg, track in self._tracks.items())

    def _state(self, arg: wire.Arg, track: _Track, now_ts: Micros) -> StreamState:
        series = track.series
        links = [link.subscriptions for link in self._links.values() if arg in link.subscriptions]
        if any(link.state(arg) is State.REFUSED for link in links):
            state = "refused"
        elif track.book is not None and track.heard_ts and not track.book.valid:
            state = "broken"
        else:
            state = "down" if track.absent else "live" if track.heard_ts else "starting"
        return StreamState(
            exchange=series.exchange,
            symbol=series.symbol,
            channel=series.name,
            state=state,
            sockets=sum(link.state(arg) is State.ACTIVE for link in links) if not track.absent else 0,
            age_ms=(now_ts - track.heard_ts) / 1e3 if track.heard_ts else -1.0,
            event_ts=track.ts,
            messages=track.messages,
            gaps=track.gaps,
            reason=track.cause if track.absent else "",
        )

    def on(self, item: Item, now_ts: Micros) -> Iterator[Received]:
        if isinstance(item, Frame):
            yield from self._frame(item)
        elif isinstance(item, Tick):
            yield from self._tick(now_ts)
        elif isinstance(item, Opened):
            link = self._links[item.source]
            self._send(link, link.subscriptions.start(self._monotonic()))
        elif isinstance(item, Closed):
            yield from self._closed(item, now_ts)

    def _send(self, link: Link, messages: Iterable[bytes]) -> None:
        for message in messages:
            link.send(message)

    def _frame(self, frame: Frame) -> Iterator[Received]:
        try:
            arg, message = pushes.decode(frame.data)
        except msgspec.DecodeError as error:
            log.warning(
                "frame_not_understood",
                url=frame.source,
                problem=str(error),
                begin=_begin(frame),
            )
            return
        link = self._links[frame.source]
        if isinstance(message, wire.Envelope) and message.event:
            self._event(link, message)
        elif arg is not None and arg in self._tracks:
            yield self._data(link, arg, message, frame)
        else:
            log.info("frame_ignored", url=frame.source, begin=_begin(frame))

    def _event(self, link: Link, message: wire.Envelope) -> None:
        arg = message.arg
        if message.event == "subscribe" and arg is not None:
            if link.subscriptions.acknowledged(arg) and arg in self._tracks and self._tracks[arg].book:
                self._tracks[arg].wanted_at = self._monotonic()
        elif message.event == "notice" and message.code == _UPGRADE:
            link.renew("the venue announced a service upgrade")
        elif message.event == "error":
            final = message.code not in _PASSING
            refused = link.subscriptions.refused(message.id, arg, self._monotonic(), final)
            if refused is not None:
                problem = f"{refused.instId} {refused.channel} is refused by the venue: {message.msg} ({message.code})."
                self.refused.add(problem)
                log.error("subscription_refused", problem=problem)
            else:
                log.warning("venue_error", code=message.code, text=message.msg)
        elif message.event not in _IGNORED:
            log.info("event_ignored", name=message.event, code=message.code, text=message.msg)

    def _data(self, link: Link, arg: wire.Arg, message: pushes.Message, frame: Frame) -> Received:
        track = self._tracks[arg]
        series = track.series
        before = track.ts
        ts: Micros
        events: tuple[MarketEvent, ...]
        try:
            if track.book is not None:
                ts, events = self._book(link, arg, track, message, frame)
            else:
                ts, events = DECODE[series.channel](series, message.data, frame.recv_ts)
        except msgspec.ValidationError as error:
            log.warning("frame_not_understood", symbol=series.symbol, channel=series.name, problem=str(error))
            ts, events = 0, ()
        self._seq += 1
        track.heard_ts, track.messages = frame.recv_ts, track.messages + 1
        key = (series.exchange, series.symbol, series.name)
        raw = RawFrame(*key, ts or frame.recv_ts, frame.recv_ts, self._seq, frame.data)
        if ts:
            track.ts = max(before, ts, *(e.close_ts for e in events if isinstance(e, Candle)))  # a closed one is whole
            if track.absent:
                track.absent = False
                if 0 < before < ts:
                    gap = Gap(*key, before, ts, track.cause)
                    events = (gap, *events)
                    track.gaps += 1
        return Received(raw, events)

    def _book(
        self, link: Link, arg: wire.Arg, track: _Track, message: pushes.Message, frame: Frame
    ) -> tuple[Micros, tuple[Book, ...]]:
        book = track.book
        assert book is not None
        told: tuple[Book, ...] = ()
        ts = 0
        rows = message.data if isinstance(message.data, list) else wire.books.decode(message.data)
        for data in rows:
            moved = book.take(frame.source, message.action, data, frame.recv_ts)
            ts, told = moved.ts, moved.told
            if moved.broken:
                log.warning("book_chain_broken", symbol=track.series.symbol, got=data.prevSeqId)
                now = self._monotonic()
                if now - track.loaded_at > _SOUND_SECONDS:
                    link.subscriptions.settled(arg)
                self._send(link, (link.subscriptions.renew(arg, now),))
                break
            if moved.loaded:
                track.loaded_at, track.wanted_at = self._monotonic(), float("inf")
        return ts, told

    def _tick(self, now_ts: Micros) -> Iterator[Received]:
        now = self._monotonic()
        for link in self._links.values():
            self._send(link, link.subscriptions.due(now))
        for arg, track in self._tracks.items():
            if track.book is not None and (told := track.book.due(now_ts)):
                yield Received(None, told)
            if now - track.wanted_at > _SNAPSHOT_SECONDS:
                track.wanted_at = float("inf")
                self._without_snapshot(arg, now)

    def _without_snapshot(self, arg: wire.Arg, now: float) -> None:
        for link in self._links.values():
            if arg in link.subscriptions:
                log.warning("book_snapshot_missing", symbol=arg.instId)
                self._send(link, (link.subscriptions.renew(arg, now),))

    def _closed(self, item: Closed, now_ts: Micros) -> Iterator[Received]:
        subscriptions = self._links[item.source].subscriptions
        for arg, track in self._tracks.items():
            if arg not in subscriptions:
                continue
            track.absent, track.cause = True, item.cause
            if track.book is not None and (told := track.book.left(item.source, now_ts).told):
                yield Received(None, told)
