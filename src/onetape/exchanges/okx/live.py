"""A running stream: the connections that carry it, who takes over from whom, and the session they feed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from onetape.domain.errors import Refused, Transient
from onetape.domain.instrument import Instrument
from onetape.domain.market import Received, StreamState
from onetape.domain.units import Micros
from onetape.exchanges.connection import Connection, Failed, Frame, Habits, Inbox, Item, Own, Tick
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.session import Around, Link, Seed, Session
from onetape.exchanges.okx.spread import Slot, Spread
from onetape.exchanges.okx.wire import Arg
from onetape.observe import log

_TICK_SECONDS: Final = 0.1
_USUAL_SILENCE: Final = 30.0  # of Habits: the venue's own rhythm
_TAKE_OVER_SECONDS: Final = 45.0  # the venue closes 60 s after its notice

Wanted = dict[Arg, Stream]
Listed = Callable[[msgspec.Raw], object]


class Replace(NamedTuple):
    slot: Slot
    cause: str


class _Running(NamedTuple):
    slot: Slot
    connection: Connection
    task: asyncio.Task[None]


class _Leaving(NamedTuple):
    successor: str
    cause: str
    deadline: float


class Live:
    """`lanes` connections (1 or 2) carry each stream that matters; `book` asks REST for an order book."""

    def __init__(
        self,
        ws_url: str,
        habits: Habits,
        lanes: int,
        now: Callable[[], Micros],
        book: Callable[[str], Awaitable[tuple[bytes, Micros]]],
        listed: Listed,
        login_needed: Callable[[Arg], None] = lambda _: None,
        venue_now: Callable[[], Micros] = lambda: 0,
    ) -> None:
        self._ws_url, self._habits, self._now, self._book = ws_url, habits, now, book
        self.inbox = Inbox()
        self._spread = Spread(lanes)
        around = Around(time.monotonic, self._fetch_book, listed, login_needed, venue_now)
        self.session = Session(around, habits.silence / _USUAL_SILENCE)
        self._running: dict[str, _Running] = {}
        self._leaving: dict[str, _Leaving] = {}
        self._errands: set[asyncio.Task[None]] = set()

    @property
    def trouble(self) -> str:
        """ "" while at least one connection is open, or nothing is known yet."""
        connections = [running.connection for running in self._running.values()]
        if any(connection.opened for connection in connections):
            return ""
        return next((connection.trouble for connection in connections if connection.trouble), "")

    def states(self, offset: Micros) -> tuple[StreamState, ...]:
        return self.session.states(self._now(), offset)

    def changed(self, instrument: Instrument) -> None:
        """From now on it is traded in these steps and sizes."""
        self.inbox.put(Own(instrument))

    def want(self, wanted: Wanted) -> None:
        """From now on these streams."""
        self.inbox.put(Own(wanted))

    async def events(self) -> AsyncIterator[Received]:
        """For ever. Closing the iterator ends every connection."""
        self.start(_ticking(self.inbox))
        try:
            while True:
                for item in await self.inbox.some():
                    for received in self._happened(item):
                        yield received
        finally:
            tasks = [*self._errands, *(running.task for running in self._running.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _happened(self, item: Item) -> Iterable[Received]:
        if isinstance(item, Frame):
            return self.session.on(item, item.recv_ts)
        if isinstance(item, Failed):
            raise item.error
        if isinstance(item, Own):
            return self._on(item.what)
        told = self.session.on(item, self._now())
        return chain(told, self._take_over()) if isinstance(item, Tick) else told

    def start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """A task that ends with the stream; its bug reaches the consumer instead of dying unseen."""
        task = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.inbox.put(Failed(error))

    def _on(self, what: Wanted | Replace | Seed | Instrument) -> Iterator[Received]:
        if isinstance(what, Instrument):
            self.session.changed(what)
        elif isinstance(what, Seed):
            yield from self.session.on(what, self._now())
        elif isinstance(what, Replace):
            self._replace(what.slot, what.cause)
        else:
            yield from self._follow(what)

    def _follow(self, wanted: Wanted) -> Iterator[Received]:
        gone = [arg for arg in self.session.args if arg not in wanted]
        self.session.remove(gone)
        for slot in self._spread.remove(gone):
            yield from self._give_up(str(slot), "nothing is wanted of it any more")
        new = {arg: stream for arg, stream in wanted.items() if arg not in self.session.args}
        self.session.add(new)
        placed = [(slot, arg) for arg, stream in new.items() for slot in self._spread.place(arg, stream.channel)]
        for slot, arg in sorted(placed, key=lambda item: item[0].lane):  # the first lane of all before the second
            if str(slot) not in self._running:
                self._open(slot)
            self.session.carry(str(slot), (arg,))

    def _open(self, slot: Slot) -> None:
        name = str(slot)
        connection = Connection(f"{self._ws_url}/{slot.path}", self.inbox, self._habits, self._now, name)
        self.session.open(name, Link(connection.send, lambda cause: self.inbox.put(Own(Replace(slot, cause)))))
        self._running[name] = _Running(slot, connection, self.start(connection.run()))

    def _replace(self, slot: Slot, cause: str) -> None:
        """The successor is opened first; the old connection goes on until the new one brings everything."""
        name = str(slot)
        if name not in self._running or name in self._leaving:
            return
        successor, args = self._spread.replace(slot)
        log.info("connection_replaced", name=name, successor=str(successor), cause=cause)
        self._open(successor)
        self.session.carry(str(successor), args)
        self._running[name].connection.retire()
        self._leaving[name] = _Leaving(str(successor), cause, time.monotonic() + _TAKE_OVER_SECONDS)

    def _take_over(self) -> Iterator[Received]:
        for name, leaving in list(self._leaving.items()):
            if self._may_go(name, leaving):
                yield from self._give_up(name, leaving.cause)

    def _may_go(self, name: str, leaving: _Leaving) -> bool:
        """While the successor cannot be reached, the old connection is better than none."""
        successor = self._running.get(leaving.successor)
        if successor is None or not self._running[name].connection.opened:
            return True
        late = time.monotonic() > leaving.deadline and successor.connection.opened
        return late or self.session.ready(leaving.successor)

    def _give_up(self, name: str, cause: str) -> list[Received]:
        self._leaving.pop(name, None)
        running = self._running.pop(name)
        running.task.cancel()
        return self.session.close(name, cause, self._now())

    def _fetch_book(self, arg: Arg) -> None:
        self.start(self._seed(arg))

    async def _seed(self, arg: Arg) -> None:
        try:
            body, recv_ts = await self._book(arg.instId)
        except (Transient, Refused) as error:
            log.warning("book_not_fetched", symbol=arg.instId, problem=str(error))
        else:
            self.inbox.put(Own(Seed(arg, body, recv_ts)))


async def _ticking(inbox: Inbox) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        inbox.put(Tick())
