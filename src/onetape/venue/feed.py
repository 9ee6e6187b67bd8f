"""What the venue pushes: a pulse ten times a real second that makes only what somebody has subscribed to.

Each instrument has a cursor, the venue time up to which its tape was pushed; a pulse pushes what lies between the
cursor and now, in order. Without subscribers the pulse sleeps.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from onetape.domain.units import MINUTE, Micros
from onetape.venue import latest, updates, wire
from onetape.venue.channels import CANDLE, INSTRUMENTS, STATUS, Channel, bar_of
from onetape.venue.floor import MOMENT_S, Floor
from onetape.venue.journal import Journal, Said
from onetape.venue.listing import FUTURES
from onetape.venue.played import Played
from onetape.venue.revise import revised
from onetape.venue.stream import Stream, Subscriber, frame, say
from onetape.venue.traded import Market

_STRIDE: Final = 10 * MINUTE  # venue time pushed before other tasks get their turn
_RUNNING_S: Final = 1.0  # a running bar is pushed at most so often (real seconds)
_TRADES: Final = ("trades", "trades-all")


class Feed:
    def __init__(self, floor: Floor, journal: Journal | None = None) -> None:
        self._floor, self._journal = floor, journal
        self._streams = {symbol: Stream(tape, 0, journal) for symbol, tape in floor.tapes.items()}
        self._general: defaultdict[Channel, dict[Subscriber, None]] = defaultdict(dict)
        self._wanted = asyncio.Event()
        self.subscribed = asyncio.Event()  # somebody has listened to an instrument
        self.listened: dict[str, Micros] = {}  # symbol -> the venue time since when prints were listened to
        self.pause_s = MOMENT_S  # from one pulse to the next (real seconds)
        self.heartbeat_s = 60.0  # a book without changes says so this often (real seconds)

    # subscribing

    def add(self, channel: Channel, listener: Subscriber) -> None:
        """From the next pulse on; what belongs at the beginning (a snapshot, the running bar) is sent at once."""
        if channel.name in (INSTRUMENTS, STATUS):
            self._general[channel][listener] = None
            if text := self._announced(channel):
                self._greet(channel, listener, text)
        stream = self._streams.get(channel.symbol)
        if stream is None:
            return
        if not stream.active:
            stream.cursor, stream.book = self._floor.now(), None
        stream.listeners[channel.name][listener] = None
        if channel.name in _TRADES:
            self.listened.setdefault(channel.symbol, stream.cursor)
        self._wanted.set()
        self.subscribed.set()
        if first := self._first(channel, stream):
            self._greet(channel, listener, first)

    def _greet(self, channel: Channel, listener: Subscriber, text: str) -> None:
        whole = listener.put(text)
        if self._journal:
            self._journal.greeted.append(Said(*channel, self._floor.now(), text, harmed=not whole))

    def remove(self, channel: Channel, listener: Subscriber) -> None:
        self._general[channel].pop(listener, None)
        if stream := self._streams.get(channel.symbol):
            stream.listeners[channel.name].pop(listener, None)
            if not stream.listeners[updates.BOOKS]:
                stream.book = None

    def _first(self, channel: Channel, stream: Stream) -> str:
        """What a new subscriber gets at once."""
        name, tape, now = channel.name, stream.tape, stream.cursor
        if now < tape.begin_ts or (name in tape.channels and name != updates.BOOKS):
            return ""
        if bar := bar_of(name):
            row = tape.running(bar, now)
            return self._candle(name, stream, row) if row else ""
        if name == updates.BOOKS:
            return updates.snapshot(self._floor, stream)
        return latest.first(self._floor, name, stream) if name in latest.CHANNELS else ""

    # announcements

    def announce(self, name: str, kind: str = "", over: Sequence[Market] = ()) -> None:
        """Tell the listeners of `instruments` (of a type) or `status` how things stand now; `over` are those that have
        expired, which are told once and not listed any more."""
        channel = Channel(name, kind)
        text = self._announced(channel, over)
        if not text:
            return
        say(text, channel, self._general[channel], self._floor.now(), self._journal)

    def _announced(self, channel: Channel, over: Sequence[Market] = ()) -> str:
        if channel.name == STATUS:
            said = self._floor.notices[-1:]
            return frame({"channel": STATUS}, [wire.notice(notice) for notice in said]) if said else ""
        tapes = [*self._floor.of_kind(channel.symbol), *over]
        listings = [wire.instrument(tape.listing, self._floor.state(tape)) for tape in tapes]
        return frame({"channel": INSTRUMENTS, "instType": channel.symbol}, listings) if listings else ""

    # pushing

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            await self.pulse()
            if not any(stream.active for stream in self._streams.values()):
                self._wanted.clear()
            await asyncio.sleep(self.pause_s)

    async def pulse(self) -> None:
        """Push everything up to now."""
        now = self._floor.now()
        if over := self._floor.expiring():
            self.announce(INSTRUMENTS, FUTURES, over)
        for stream in self._streams.values():
            while stream.active and stream.cursor < now:
                until = min(now, stream.cursor + _STRIDE)
                self._recorded(stream, until)
                self._trades(stream, until)
                self._candles(stream, until)
                stream.cursor = until
                if until < now:
                    await asyncio.sleep(0)
            if stream.active and now >= stream.tape.begin_ts:
                self._stand(stream)

    def _recorded(self, stream: Stream, until: Micros) -> None:
        """Message for message, as they came."""
        if isinstance(stream.tape, Played):
            for push in stream.tape.messages(stream.cursor, until):
                stream.say(push.channel, push.text)

    def _made(self, stream: Stream, name: str) -> bool:
        return bool(stream.listeners[name]) and name not in stream.tape.channels

    def _stand(self, stream: Stream) -> None:
        for name in latest.CHANNELS:
            if self._made(stream, name):
                latest.push(self._floor, name, stream)
        if self._made(stream, updates.BOOKS):
            updates.push(self._floor, stream, self.heartbeat_s)

    def _trades(self, stream: Stream, until: Micros) -> None:
        """One message a print. `trades` also carries `count` and `seqId`."""
        wanted = [name for name in _TRADES if self._made(stream, name)]
        if not wanted:
            return
        for print_ in stream.tape.trades(stream.cursor, until):
            single = wire.trade(stream.tape.listing, print_)
            for name in wanted:
                seq = self._floor.seq(stream.symbol, print_.ts_ms * 1_000)
                row = single | {"count": "1", "seqId": seq} if name == "trades" else single
                stream.say(name, stream.frame(name, [row]))

    def _candles(self, stream: Stream, until: Micros) -> None:
        """Every bar that closed, in order, then the running bar when it is due."""
        due: list[tuple[Micros, Micros, str, str]] = []
        moment, tape = time.monotonic(), stream.tape
        for name in tuple(stream.listeners):
            bar = bar_of(name)
            if bar is None or not self._made(stream, name):
                continue
            rows = tape.bars(bar, bar.opens(bar.floor(stream.cursor), bar.floor(min(until, tape.end_ts))))
            for row in rows:
                told = revised(self._floor.faults, name, stream, row)
                due += [(bar.next(row.open_ts), each.open_ts, name, self._candle(name, stream, each)) for each in told]
            if moment - stream.pushed_s[name] >= _RUNNING_S and (runs := tape.running(bar, until)):
                stream.pushed_s[name] = moment
                due.append((until + 1, runs.open_ts, name, self._candle(name, stream, runs)))
        for _, _, name, text in sorted(due, key=lambda item: item[:2]):
            if stream.pushed.get(name) != text:
                stream.pushed[name] = text
                stream.say(name, text)

    def _candle(self, name: str, stream: Stream, row: Any) -> str:
        shown = wire.candle if name.startswith(CANDLE) else wire.price_candle
        return stream.frame(name, [shown(stream.tape.listing, row)])
