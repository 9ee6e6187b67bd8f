"""What the venue pushes: a pulse ten times a real second that makes only what somebody has subscribed to.

Each instrument has a cursor, the venue time up to which its tape was pushed; a pulse pushes what lies between the
cursor and now, in order. Without subscribers the pulse sleeps.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final, Protocol

from onetape.domain.units import MINUTE, Micros
from onetape.venue import wire
from onetape.venue.bars import BARS
from onetape.venue.book import Book, changes, seq_of
from onetape.venue.channels import CANDLE, Channel
from onetape.venue.floor import MOMENT_S, Floor
from onetape.venue.tape import Tape

_STRIDE: Final = 10 * MINUTE  # venue time pushed before other tasks get their turn
_RUNNING_S: Final = 1.0  # a running bar is pushed at most so often (real seconds)
_MARK_S: Final = 10.0
_BEFORE_ALL: Final = -1


class Subscriber(Protocol):
    """A connection. `put` never waits."""

    def put(self, text: str) -> None: ...


class Stream:
    """One instrument's subscribers, and what was pushed last."""

    def __init__(self, tape: Tape, cursor: Micros) -> None:
        self.tape, self.cursor = tape, cursor
        self.listeners: defaultdict[str, dict[Subscriber, None]] = defaultdict(dict)
        self.book: Book | None = None
        self.book_s = 0.0
        self.pushed: dict[str, str] = {}  # channel -> what was said last, to say nothing twice
        self.pushed_s: defaultdict[str, float] = defaultdict(float)

    @property
    def active(self) -> bool:
        return any(self.listeners.values())


class Feed:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._streams = {symbol: Stream(tape, 0) for symbol, tape in floor.tapes.items()}
        self._wanted = asyncio.Event()
        self.heartbeat_s = 60.0  # a book without changes says so this often (real seconds)
        self._latest: dict[str, Callable[[str, Stream], None]] = {
            "tickers": self._tickers,
            "bbo-tbt": self._top,
            "books": self._books,
            "books5": self._top,
            "mark-price": self._mark,
        }

    # subscribing

    def add(self, channel: Channel, listener: Subscriber) -> None:
        """From the next pulse on; what belongs at the beginning (a snapshot, the running bar) is sent at once."""
        if channel.name == "instruments":
            listings = [wire.instrument(tape.listing) for tape in self._floor.tapes.values()]
            listener.put(_frame({"channel": "instruments", "instType": "SPOT"}, listings))
        stream = self._streams.get(channel.symbol)
        if stream is None:
            return
        if not stream.active:
            stream.cursor, stream.book = self._floor.now(), None
        stream.listeners[channel.name][listener] = None
        self._wanted.set()
        if first := self._first(channel, stream):
            listener.put(first)

    def remove(self, channel: Channel, listener: Subscriber) -> None:
        if stream := self._streams.get(channel.symbol):
            stream.listeners[channel.name].pop(listener, None)
            if not stream.listeners["books"]:
                stream.book = None

    def _first(self, channel: Channel, stream: Stream) -> str:
        """What a new subscriber gets at once."""
        name, tape, now = channel.name, stream.tape, stream.cursor
        if now < tape.begin_ts:
            return ""
        if name.startswith(CANDLE):
            row = tape.running(BARS[name.removeprefix(CANDLE)], now)
            return _frame(_arg(name, stream), [wire.candle(tape.listing, row)]) if row else ""
        if name == "books":
            return self._snapshot(stream)
        if name in ("books5", "bbo-tbt"):
            return self._top_frame(name, stream)
        if name == "tickers":
            best = self._floor.book(tape, now, 1)
            return _frame(_arg(name, stream), [wire.ticker(tape, best, now)])
        if name == "mark-price":
            return _frame(_arg(name, stream), [wire.mark_price(tape, now)])
        return ""

    # pushing

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            await self.pulse()
            if not any(stream.active for stream in self._streams.values()):
                self._wanted.clear()
            await asyncio.sleep(MOMENT_S)

    async def pulse(self) -> None:
        """Push everything up to now."""
        now = self._floor.now()
        for stream in self._streams.values():
            while stream.active and stream.cursor < now:
                until = min(now, stream.cursor + _STRIDE)
                self._trades(stream, until)
                self._candles(stream, until)
                stream.cursor = until
                if until < now:
                    await asyncio.sleep(0)
            if stream.active and now >= stream.tape.begin_ts:
                for name, push in self._latest.items():
                    if stream.listeners[name]:
                        push(name, stream)

    def _say(self, stream: Stream, name: str, text: str) -> None:
        for listener in tuple(stream.listeners[name]):
            listener.put(text)

    def _trades(self, stream: Stream, until: Micros) -> None:
        """One message a print. `trades` also carries `count` and `seqId`."""
        wanted = [name for name in ("trades", "trades-all") if stream.listeners[name]]
        if not wanted:
            return
        for print_ in stream.tape.trades(stream.cursor, until):
            single = wire.trade(stream.tape.listing, print_)
            for name in wanted:
                seq = seq_of(print_.ts_ms * 1_000)
                row = single | {"count": "1", "seqId": seq} if name == "trades" else single
                self._say(stream, name, _frame(_arg(name, stream), [row]))

    def _candles(self, stream: Stream, until: Micros) -> None:
        """Every bar that closed, in order, then the running bar when it is due."""
        due: list[tuple[Micros, Micros, str, str]] = []
        moment, tape = time.monotonic(), stream.tape
        for name in tuple(stream.listeners):
            if not name.startswith(CANDLE) or not stream.listeners[name]:
                continue
            bar = BARS[name.removeprefix(CANDLE)]
            rows = tape.bars(bar, bar.opens(bar.floor(stream.cursor), bar.floor(min(until, tape.end_ts))))
            due += [(bar.next(r.open_ts), r.open_ts, name, self._candle(name, stream, r)) for r in rows]
            if moment - stream.pushed_s[name] >= _RUNNING_S and (row := tape.running(bar, until)):
                stream.pushed_s[name] = moment
                due.append((until + 1, row.open_ts, name, self._candle(name, stream, row)))
        for _, _, name, text in sorted(due, key=lambda item: item[:2]):
            if stream.pushed.get(name) != text:
                stream.pushed[name] = text
                self._say(stream, name, text)

    def _candle(self, name: str, stream: Stream, row: Any) -> str:
        return _frame(_arg(name, stream), [wire.candle(stream.tape.listing, row)])

    def _tickers(self, name: str, stream: Stream) -> None:
        """When the last price or the best prices have changed."""
        now, tape = stream.cursor, stream.tape
        best = self._floor.book(tape, now, 1)
        mark = f"{tape.last(now)} {wire.levels(tape.listing, best.asks)} {wire.levels(tape.listing, best.bids)}"
        if stream.pushed.get(name) != mark:
            stream.pushed[name] = mark
            self._say(stream, name, _frame(_arg(name, stream), [wire.ticker(tape, best, now)]))

    def _mark(self, name: str, stream: Stream) -> None:
        price, moment = str(stream.tape.last(stream.cursor)[0]), time.monotonic()
        if stream.pushed.get(name) != price or moment - stream.pushed_s[name] >= _MARK_S:
            stream.pushed[name], stream.pushed_s[name] = price, moment
            self._say(stream, name, _frame(_arg(name, stream), [wire.mark_price(stream.tape, stream.cursor)]))

    # books

    def _top(self, name: str, stream: Stream) -> None:
        """The best levels whole, when they have changed."""
        depth = _DEPTHS[name]
        shown = self._floor.book(stream.tape, stream.cursor, depth)
        mark = str([wire.levels(stream.tape.listing, side) for side in (shown.asks, shown.bids)])
        if stream.pushed.get(name) != mark:
            stream.pushed[name] = mark
            self._say(stream, name, _frame(_arg(name, stream), [wire.book(stream.tape.listing, shown, depth)]))

    def _top_frame(self, name: str, stream: Stream) -> str:
        depth = _DEPTHS[name]
        shown = self._floor.book(stream.tape, stream.cursor, depth)
        return _frame(_arg(name, stream), [wire.book(stream.tape.listing, shown, depth)])

    def _books(self, name: str, stream: Stream) -> None:
        """The change since the last push; a heartbeat after a minute without any."""
        moment, before, after = time.monotonic(), stream.book, self._floor.book(stream.tape, stream.cursor)
        if before is None:
            return
        asks, bids = changes(before.asks, after.asks), changes(before.bids, after.bids)
        if not len(asks.place) and not len(bids.place):
            if moment - stream.book_s >= self.heartbeat_s:
                stream.book_s = moment
                self._say(stream, name, self._update(stream, [], [], before.seq, before.seq))
            return
        stream.book, stream.book_s = after, moment
        faults, symbol = self._floor.faults, stream.tape.listing.symbol
        if symbol in faults.skip_books:
            faults.skip_books.discard(symbol)
            return
        listing = stream.tape.listing
        text = self._update(stream, wire.levels(listing, asks), wire.levels(listing, bids), before.seq, after.seq)
        self._say(stream, name, text)

    def _update(self, stream: Stream, asks: list[Any], bids: list[Any], before: int, seq: int) -> str:
        ts = wire.millis(stream.cursor)
        data = {"asks": asks, "bids": bids, "ts": ts, "checksum": 0, "prevSeqId": before, "seqId": seq}
        return _frame(_arg("books", stream), [data], action="update")

    def _snapshot(self, stream: Stream) -> str:
        if stream.book is None:
            stream.book, stream.book_s = self._floor.book(stream.tape, stream.cursor), time.monotonic()
        data = wire.book(stream.tape.listing, stream.book, len(stream.book.asks.place))
        seq = data.pop("seqId")
        data |= {"checksum": 0, "prevSeqId": _BEFORE_ALL, "seqId": seq}
        return _frame(_arg("books", stream), [data], action="snapshot")


_DEPTHS: Final = {"books5": 5, "bbo-tbt": 1}


def _arg(name: str, stream: Stream) -> dict[str, str]:
    return {"channel": name, "instId": stream.tape.listing.symbol}


def _frame(arg: dict[str, str], data: list[Any], action: str = "") -> str:
    return wire.encode({"arg": arg, **({"action": action} if action else {}), "data": data})
