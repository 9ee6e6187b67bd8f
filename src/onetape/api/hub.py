"""What is new, for every open page: one listener on the bus, one small mailbox per page. Knows the bus port only.

A price, a book, the running candle or a bot's state is a value: the newest one wins. Closed candles, public trades,
signals and fills are events: they wait in short lists until the page takes them. Mailboxes are bounded, so a page that
stops reading costs nothing; whatever is lost can be read from the API again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from onetape.api import wire, wire_data, wire_jobs
from onetape.domain.bots import BotView, Wish
from onetape.domain.errors import NotFound, Transient
from onetape.domain.jobs import Job
from onetape.domain.market import Book, Candle, Corrected, Drained, Forming, Gap, Print, Prints, Quote, Streams
from onetape.domain.orders import Fill, OrderEvent
from onetape.domain.services import Recording, ServiceState
from onetape.domain.units import MINUTE, Micros
from onetape.ports import BotStore, Bus, Clock, Resync, SignalView

DEPTH: Final = 15  # levels of the book on each side
KEPT: Final = 60  # events a mailbox or a symbol's memory keeps of each kind
LIVE: Final[Micros] = 5 * MINUTE  # without a word of a symbol, after which it is not being received any more
PAUSE: Final = 0.03  # seconds between two messages to one page; the first goes at once


class Beat(msgspec.Struct, frozen=True):
    """What was last heard of a service, and when."""

    state: ServiceState
    heard_ts: Micros


class Told(msgspec.Struct, frozen=True):
    """What was last heard of the streams of an exchange, and when."""

    streams: Streams
    heard_ts: Micros


class Mailbox:
    """What one page has not seen yet. `symbol` is `okx:BTC-USDT` or "" for none; `data` pages see the streams."""

    def __init__(self, symbol: str, bots: bool, data: bool = False, jobs: bool = False) -> None:
        self.symbol, self.bots, self.data, self.jobs = symbol, bots, data, jobs
        self.values: dict[str, Any] = {}
        self.events: dict[str, deque[Any]] = {}
        self.ready = asyncio.Event()
        self.recv_ts: Micros = 0

    def value(self, key: str, value: Any, recv_ts: Micros = 0) -> None:
        self.values[key] = value
        self.recv_ts = max(self.recv_ts, recv_ts)
        self.ready.set()

    def event(self, key: str, value: Any, recv_ts: Micros = 0) -> None:
        self.events.setdefault(key, deque(maxlen=KEPT)).append(value)
        self.recv_ts = max(self.recv_ts, recv_ts)
        self.ready.set()

    def member(self, key: str, name: str, value: Any) -> None:
        self.values.setdefault(key, {})[name] = value
        self.ready.set()

    def take(self) -> dict[str, Any]:
        taken: dict[str, Any] = {**self.values, **{key: list(rows) for key, rows in self.events.items()}}
        if self.recv_ts:
            taken["received"] = self.recv_ts
        self.values, self.events, self.recv_ts = {}, {}, 0
        self.ready.clear()
        return taken


class Symbol:
    """The memory of one symbol: what a page that opens now should see at once."""

    def __init__(self) -> None:
        self.quote: Quote | None = None
        self.book: Book | None = None
        self.forming: dict[str, Forming] = {}
        self.prints: deque[Print] = deque(maxlen=KEPT)
        self.heard_ts: Micros = 0


class Hub:
    """Feed it with `run()`, in one task; read it with `updates()`, once per page."""

    def __init__(self, bus: Bus, clock: Clock, store: BotStore) -> None:
        self.bus, self.clock, self.store = bus, clock, store
        self.symbols: dict[str, Symbol] = {}
        self.bots: dict[str, BotView] = {}
        self.services: dict[str, Beat] = {}
        self.streams: dict[str, Told] = {}
        self.recordings: dict[str, Recording] = {}
        self.jobs: dict[str, Job] = {}  # that are not over
        self.mailboxes: set[Mailbox] = set()
        self.synced = False
        self.resyncs = 0
        self.handlers: Final[dict[type, Callable[[Any], None]]] = {
            Quote: self.on_quote,
            Book: self.on_book,
            Forming: self.on_forming,
            Candle: self.on_candle,
            Corrected: self.on_corrected,
            Drained: self.on_drained,
            Prints: self.on_prints,
            BotView: self.on_bot,
            Fill: self.on_fill,
            SignalView: self.on_signal,
            OrderEvent: self.on_order,
            ServiceState: self.on_service,
            Streams: self.on_streams,
            Recording: self.on_recording,
            Gap: self.on_gap,
            Job: self.on_job,
        }

    async def run(self) -> None:
        """For ever: every message of the bus into the mailboxes that want it."""
        async for message in self.bus.subscribe("*"):
            if isinstance(message, Resync):
                await self.load()
                self.synced = True
                self.read_again()
            elif isinstance(message.body, Wish):
                await self.look_at(message.body.bot)
            elif handler := self.handlers.get(type(message.body)):
                handler(message.body)

    def read_again(self) -> None:
        """What the pages show may be old: they ask the API once more."""
        self.resyncs += 1
        self.tell_all("resync", self.resyncs)

    async def load(self) -> None:
        """The bots as the ledger has them. When it is away they come with their next message, as jobs do."""
        self.jobs.clear()
        with contextlib.suppress(Transient):
            views = await self.store.list()
            for name in self.bots.keys() - {view.spec.name for view in views}:
                self.forget_bot(name)
            for view in views:
                self.on_bot(view)

    async def look_at(self, name: str) -> None:
        """Somebody changed a bot, here or elsewhere: what is it now?"""
        try:
            self.on_bot(await self.store.get(name))
        except NotFound:
            self.forget_bot(name)
        except Transient:
            return

    def symbol(self, exchange: str, symbol: str) -> Symbol:
        found = self.symbols.setdefault(f"{exchange}:{symbol}", Symbol())
        found.heard_ts = self.clock.now()
        return found

    def received(self) -> dict[str, Symbol]:
        """The symbols that are being received now, by `okx:BTC-USDT`. A book of which nobody has told anything for long
        is none."""
        oldest = self.clock.now() - LIVE
        return {name: known for name, known in self.symbols.items() if known.heard_ts >= oldest}

    def of(self, exchange: str, symbol: str) -> list[Mailbox]:
        name = f"{exchange}:{symbol}"
        return [box for box in self.mailboxes if box.symbol == name]

    def tell_all(self, key: str, value: Any) -> None:
        for box in self.mailboxes:
            box.value(key, value)

    def on_quote(self, quote: Quote) -> None:
        self.symbol(quote.exchange, quote.symbol).quote = quote
        for box in self.of(quote.exchange, quote.symbol):
            box.value("quote", wire.quote(quote), quote.recv_ts)

    def on_book(self, book: Book) -> None:
        self.symbol(book.exchange, book.symbol).book = book
        for box in self.of(book.exchange, book.symbol):
            box.value("book", wire.book(book, DEPTH), book.recv_ts)

    def on_forming(self, forming: Forming) -> None:
        self.symbol(forming.exchange, forming.symbol).forming[forming.timeframe] = forming
        for box in self.of(forming.exchange, forming.symbol):
            box.value(f"forming_{forming.timeframe}", wire.tick(forming), forming.recv_ts)

    def on_candle(self, candle: Candle) -> None:
        for box in self.of(candle.exchange, candle.symbol):
            box.event("candles", wire.tick(candle), candle.recv_ts)

    def on_corrected(self, corrected: Corrected) -> None:
        for box in self.of(corrected.exchange, corrected.symbol):
            box.event("corrected", wire.corrected(corrected))

    def on_drained(self, _: Drained) -> None:
        self.read_again()

    def on_prints(self, prints: Prints) -> None:
        newest = prints.trades[-KEPT:]
        self.symbol(prints.exchange, prints.symbol).prints.extend(newest)
        for box in self.of(prints.exchange, prints.symbol):
            for trade in newest:
                box.event("prints", wire.print_out(trade), trade.recv_ts)

    def on_bot(self, view: BotView) -> None:
        self.bots[view.spec.name] = view
        for box in self.mailboxes:
            if box.bots:
                box.member("bots", view.spec.name, wire.bot(view))

    def forget_bot(self, name: str) -> None:
        self.bots.pop(name, None)
        for box in self.mailboxes:
            if box.bots:
                box.member("bots", name, None)

    def on_fill(self, fill: Fill) -> None:
        for box in self.mailboxes:
            box.event("fills", wire.fill(fill))

    def on_signal(self, signal: SignalView) -> None:
        for box in self.mailboxes:
            box.event("signals", wire.signal(signal))

    def on_order(self, event: OrderEvent) -> None:
        for box in self.mailboxes:
            if box.bots:
                box.event("orders", wire.order(event.order))

    def on_service(self, state: ServiceState) -> None:
        self.services[state.name] = Beat(state, self.clock.now())
        for box in self.mailboxes:
            box.member("services", state.name, wire.service(state))

    def on_streams(self, streams: Streams) -> None:
        self.streams[streams.exchange] = Told(streams, self.clock.now())
        for box in self.mailboxes:
            if box.data:
                box.member("streams", streams.exchange, wire_data.streams(streams))

    def on_recording(self, recording: Recording) -> None:
        self.recordings[recording.exchange] = recording

    def on_gap(self, gap: Gap) -> None:
        for box in self.mailboxes:
            if box.data:
                box.event("gaps", wire_data.fresh_gap(gap))

    def on_job(self, job: Job) -> None:
        self.jobs[job.id] = job
        if job.over:
            del self.jobs[job.id]
        for box in self.mailboxes:
            if box.jobs:
                box.member("jobs", job.id, wire_jobs.job(job))

    def open(self, symbol: str, bots: bool, data: bool = False, jobs: bool = False) -> Mailbox:
        """A mailbox that holds what is known now. Close it with `close`."""
        box = Mailbox(symbol, bots, data, jobs)
        self._tell_market(box)
        if bots:
            for name, view in self.bots.items():
                box.member("bots", name, wire.bot(view))
        for name, beat in self.services.items():
            box.member("services", name, wire.service(beat.state))
        if data:
            for exchange, told in self.streams.items():
                box.member("streams", exchange, wire_data.streams(told.streams))
        if jobs:
            for job in self.jobs.values():
                box.member("jobs", job.id, wire_jobs.job(job))
        box.ready.set()  # a page hears at once that it is connected
        self.mailboxes.add(box)
        return box

    def _tell_market(self, box: Mailbox) -> None:
        known = self.received().get(box.symbol)
        if not known:
            return
        if known.quote:
            box.value("quote", wire.quote(known.quote))
        if known.book:
            box.value("book", wire.book(known.book, DEPTH))
        for timeframe, forming in known.forming.items():
            box.value(f"forming_{timeframe}", wire.tick(forming))
        for trade in known.prints:
            box.event("prints", wire.print_out(trade))

    def close(self, box: Mailbox) -> None:
        self.mailboxes.discard(box)

    async def updates(self, box: Mailbox, idle: float = 5.0) -> AsyncIterator[dict[str, Any]]:
        """What is new for this page: at once, then at most every PAUSE; at least an empty sign of life every `idle`."""
        number = 0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(idle):
                    await box.ready.wait()
            number += 1
            yield {"seq": number, "sent": self.clock.now(), **box.take()}
            await asyncio.sleep(PAUSE)
