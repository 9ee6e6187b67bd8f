"""Market data of any venue that the ccxt library streams: fulfils `ports.MarketFeed`.

A task for each want keeps it subscribed; what comes is taken at the socket (see `library`), so nothing depends on how
fast anybody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from onetape.clock import RealClock, backoff_delays
from onetape.domain.errors import BadInput, Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Channel, Received, Streams, StreamState, Want
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.ccxt import venues
from onetape.exchanges.ccxt.events import WATCH
from onetape.exchanges.ccxt.library import (
    BROKEN_BOOK,
    LIBRARY_ERRORS,
    PASSING,
    budget_of,
    in_words,
    open_library,
    silence,
)
from onetape.exchanges.ccxt.past import Past
from onetape.exchanges.ccxt.rest import Rest
from onetape.exchanges.ccxt.session import Session
from onetape.exchanges.ccxt.tracks import Track
from onetape.exchanges.connection import Habits
from onetape.observe import log
from onetape.ports import Budgets

_LIMIT: Final = 50_000  # received and not yet taken; above it the sockets are not read
_TICK_SECONDS: Final = 0.1
_LEAVE_SECONDS: Final = 5.0

_Item = Received | BaseException


class CcxtFeed:
    """`exchange` is the library's id. `settings` are more of the library's own (addresses, for another host).

    `budgets` counts requests over all processes. `trouble` is "" or one sentence why nothing comes.
    """

    def __init__(
        self,
        exchange: str,
        settings: dict[str, Any] | None = None,
        *,
        habits: Habits = Habits(),  # noqa: B008
        budgets: Budgets | None = None,
    ) -> None:
        self.exchange, self._habits = exchange, habits
        self._clock = RealClock()
        self._inbox: asyncio.Queue[_Item] = asyncio.Queue()
        self._taken = asyncio.Event()
        self._session = Session(self._inbox.put_nowait, self._again)
        given = dict(settings or {})
        options = {**venues.options(exchange), **given.pop("options", {})}
        self._venue = open_library(
            exchange, {"enableRateLimit": True, **given, "options": options}, self, budget_of(exchange, budgets)
        )
        self._session.venue = self._venue
        self.timeframes = frozenset(self._venue.timeframes or ())
        self._rest = Rest(exchange, self._venue)
        self._past = Past(exchange, self._rest)
        self._tasks: dict[Want, asyncio.Task[None]] = {}
        self._due: dict[Want, asyncio.Event] = {}
        self._refused: dict[Want, str] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._running = False
        self.trouble = ""

    async def now(self) -> Micros:
        """The venue's time; the machine's where the venue does not tell it. Raises Transient."""
        return await self._rest.now()

    async def instruments(self) -> list[Instrument]:
        """Spot and linear derivatives that can be traded. Raises Transient, Refused."""
        return await self._rest.instruments()

    def history(
        self, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        """See the port. What a venue no longer keeps is missing, not an error."""
        return self._rest.history(symbol, timeframe, start_ts, end_ts)

    def past_trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """See the port. Few venues give them from a time on: the others raise Refused."""
        return self._past.trades(symbol, start_ts, end_ts)

    async def book(self, symbol: str) -> Received:
        """See the port."""
        return await self._past.book(symbol)

    async def close(self) -> None:
        await self._stop()
        await self._venue.close()

    # --- streams

    async def stream(self, wants: Sequence[Want]) -> AsyncIterator[Received]:
        """For ever. A want that the venue cannot fulfil is logged and left out."""
        self._running = True
        tick = asyncio.create_task(self._ticking())
        self.change(wants)
        try:
            while True:
                item = await self._inbox.get()
                self._taken.set()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self._running = False
            tick.cancel()
            await asyncio.gather(tick, return_exceptions=True)
            await self._stop()

    def change(self, wants: Sequence[Want]) -> None:
        """See the port."""
        if not self._running:
            return
        wanted = dict.fromkeys(wants)
        for want in [want for want in self._tasks if want not in wanted]:
            self._tasks.pop(want).cancel()
            self._due.pop(want)
            self._refused.pop(want, None)
            self._leave(want)
        for want in wanted:
            if want not in self._tasks:
                self._due[want] = asyncio.Event()
                task = self._tasks[want] = asyncio.create_task(self._keep(want, self._due[want]))
                task.add_done_callback(self._ended)

    def streams(self) -> Streams:
        """See the port; nothing runs while `stream` does not."""
        now = self._clock.now()
        items = (*self._session.states(now), *self._refusals()) if self._running else ()
        return Streams(self.exchange, now, items, self._rest.clock_offset / 1e3, self.trouble)

    def _refusals(self) -> list[StreamState]:
        return [
            StreamState(exchange=self.exchange, symbol=want.symbol, channel=want.name, state="refused", reason=problem)
            for want, problem in self._refused.items()
        ]

    async def _stop(self) -> None:
        """Leaves every stream and every socket."""
        tasks = [*self._tasks.values(), *self._leaving]
        self._tasks.clear()
        self._due.clear()
        self._refused.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for track in list(self._session.tracks.values()):
            self._session.remove(track)
        await self._venue.close_ws_clients()
        while not self._inbox.empty():
            self._inbox.get_nowait()

    async def _keep(self, want: Want, due: asyncio.Event) -> None:
        """One want, subscribed to again whenever it is lost."""
        try:
            instrument, theirs = await self._instrument(want.symbol)
            call, arguments = self._call(want, instrument, theirs)
        except (BadInput, Refused) as error:
            log.warning("want_refused", symbol=want.symbol, channel=want.name, problem=str(error))
            self._refused[want] = str(error)
            return
        track = Track(want, instrument, theirs)
        self._session.add(track)
        try:
            await self._watch(track, due, call, arguments)
            self._refused[want] = track.refused
        finally:
            self._session.remove(track)

    async def _instrument(self, symbol: str) -> tuple[Instrument, str]:
        """Asks until the venue answers. Raises Refused."""
        for delay in backoff_delays(self._habits.backoff, self._habits.backoff_limit):
            await asyncio.sleep(delay)
            try:
                found = await self._rest.instrument(symbol)
            except Transient as error:
                self.trouble = str(error)
                log.info("venue_unreachable", exchange=self.exchange, problem=self.trouble)
            else:
                self.trouble = ""
                return found
        raise Refused(symbol)  # the delays never end

    async def _watch(self, track: Track, due: asyncio.Event, call: Any, arguments: tuple[Any, ...]) -> None:
        delays = backoff_delays(self._habits.backoff, self._habits.backoff_limit)
        while not track.refused:
            due.clear()
            await asyncio.sleep(next(delays))
            try:
                await call(*arguments)  # comes back with the first message
            except BROKEN_BOOK:
                continue
            except LIBRARY_ERRORS as error:
                said = in_words(self.exchange, error)
                if not isinstance(error, PASSING):
                    track.refused = str(said)
                    log.error("subscription_refused", symbol=track.want.symbol, problem=track.refused)
                    return
                self.trouble = str(said)
                log.info("venue_unreachable", exchange=self.exchange, problem=self.trouble)
                continue
            self.trouble = ""
            delays = backoff_delays(self._habits.backoff, self._habits.backoff_limit)
            await due.wait()

    def _call(self, want: Want, instrument: Instrument, theirs: str) -> tuple[Any, tuple[Any, ...]]:
        """How the library is asked for a want. Raises BadInput, Refused."""
        if want.channel not in WATCH:
            offers = ", ".join(WATCH)
            raise Refused(f"{want.channel} of {self.exchange} is not read through ccxt; it reads {offers}.")
        has, call = WATCH[want.channel]
        if not self._venue.has.get(has):
            raise Refused(f"{self.exchange} has no stream of {want.channel} in ccxt.")
        arguments: tuple[Any, ...] = (theirs,)
        if want.channel is Channel.CANDLES:
            arguments = (theirs, self._rest.offered(Timeframe.parse(want.timeframe), instrument))
        elif want.channel is Channel.BOOK:
            arguments = (theirs, venues.DEPTHS.get(self.exchange))
        return getattr(self._venue, call), arguments

    def _leave(self, want: Want) -> None:
        """Asks the venue to send no more of it; where the library cannot, what comes is not looked at."""
        track = self._session.tracks.get((want.symbol, want.name))
        if track is None:
            return
        has, call = WATCH[want.channel]
        if not self._venue.has.get(f"unW{has[1:]}"):
            return
        stop = getattr(self._venue, f"un_{call}")
        arguments = (track.theirs, want.timeframe) if want.channel is Channel.CANDLES else (track.theirs,)

        async def leave() -> None:
            try:
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await stop(*arguments)
            except (*LIBRARY_ERRORS, TimeoutError) as error:
                log.info("unsubscription_failed", symbol=want.symbol, channel=want.name, problem=str(error)[:200])

        task = asyncio.create_task(leave())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _ticking(self) -> None:
        """Tells what was held back, and leaves sockets that fell silent under a live connection."""
        patience = self._habits.silence
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._session.late_books(self._clock.now())
            for url in self._session.silent(self._clock.now(), int(patience * 1e6)):
                client = (self._venue.clients or {}).get(url)
                if client is not None:
                    client.on_error(silence(patience))

    def _again(self, track: Track) -> None:
        if track.want in self._due:
            self._due[track.want].set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task whose bug reaches the consumer of the stream instead of dying unseen."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._inbox.put_nowait(error)

    # --- the listener at the sockets

    def opened(self, url: str) -> None:
        self._session.opened(url, self._clock.now())

    def frame(self, url: str, data: str | bytes, recv_ts: Micros, touched: list[Any]) -> None:
        self._session.frame(url, data, recv_ts, touched)

    def changed(self, url: str, touched: Any) -> None:
        self._session.changed(url, touched, self._clock.now())

    def snapshot(self, theirs: str, data: bytes) -> None:
        self._session.snapshot(theirs, data, self._clock.now())

    def lost(self, url: str, cause: str) -> None:
        log.warning("connection_lost", url=url, cause=cause)
        self._session.lost(url, cause, self._clock.now())

    def failed(self, error: BaseException) -> None:
        self._inbox.put_nowait(error)

    async def room(self) -> None:
        while self._running and self._inbox.qsize() > _LIMIT:
            self._taken.clear()
            await self._taken.wait()
