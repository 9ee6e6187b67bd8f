"""Market data of any venue that the ccxt library streams: fulfils `ports.MarketFeed`.

A task for each want keeps it subscribed; what comes is taken at the socket (see `library`), so nothing depends on how
fast anybody looks. Two instances of the library (lanes) carry what has an identity.
"""

from __future__ import annotations

import asyncio
import time
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
from onetape.exchanges.ccxt.lane import Lane
from onetape.exchanges.ccxt.library import budget_of, open_library
from onetape.exchanges.ccxt.past import PAGE, PAST_PER_SECOND, Past
from onetape.exchanges.ccxt.rest import Rest
from onetape.exchanges.ccxt.session import Errands, Session
from onetape.exchanges.ccxt.tracks import Track
from onetape.exchanges.connection import Habits
from onetape.observe import log
from onetape.ports import Budgets, PastTrades

_LIMIT: Final = 50_000  # received and not yet taken; above it the sockets are not read
_TICK_SECONDS: Final = 0.1
_MEASURE_SECONDS: Final = 60.0
_USUAL_SILENCE: Final = 30.0  # of Habits

_Item = Received | BaseException


class CcxtFeed:
    """`exchange` is the library's id. `settings` are more of the library's own (addresses, for another host).

    `lanes` (1 or 2) is how many connections carry each stream whose messages have an identity. `budgets` counts
    requests over all processes. `trouble` is "" or one sentence why nothing comes.
    """

    def __init__(
        self,
        exchange: str,
        settings: dict[str, Any] | None = None,
        *,
        habits: Habits = Habits(),  # noqa: B008
        lanes: int = 2,
        budgets: Budgets | None = None,
    ) -> None:
        self.exchange, self._habits = exchange, habits
        self._clock = RealClock()
        self._inbox: asyncio.Queue[_Item] = asyncio.Queue()
        self._taken = asyncio.Event()
        self._session = Session(exchange, self._inbox.put_nowait, Errands(self._again, self._anew), time.monotonic)
        given = dict(settings or {})
        options = {**venues.options(exchange), **given.pop("options", {})}
        whole = {"enableRateLimit": True, **given, "options": options}
        budget = budget_of(exchange, budgets)
        self._lanes = {
            name: Lane(name, self._session, self, habits, lambda lane: open_library(exchange, whole, lane, budget))
            for name in "ab"[:lanes]
        }
        self._venue = self._lanes["a"].venue  # REST is asked through the first
        self.timeframes = frozenset(self._venue.timeframes or ())
        told = exchange in venues.PAST_TRADES
        self.past: PastTrades | None = PastTrades(kept=None, page=PAGE, per_second=PAST_PER_SECOND) if told else None
        self._rest = Rest(exchange, self._venue)
        self._past = Past(exchange, self._rest)
        self._wanted: dict[Want, asyncio.Task[None]] = {}
        self._watched: dict[Want, tuple[Track, tuple[Any, ...]]] = {}
        self._refused: dict[Want, str] = {}
        self._running = False
        self._unreachable = ""

    @property
    def trouble(self) -> str:
        """ "" while at least one connection is well, or nothing is known yet."""
        if any(not lane.trouble for lane in self._lanes.values()):
            return self._unreachable
        return self._unreachable or self._lanes["a"].trouble

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
        for lane in self._lanes.values():
            await lane.close()

    # --- streams

    async def stream(self, wants: Sequence[Want]) -> AsyncIterator[Received]:
        """For ever. A want that the venue cannot fulfil is logged and left out."""
        self._running = True
        errands = [asyncio.create_task(work) for work in (self._ticking(), self._measure())]
        for errand in errands:
            errand.add_done_callback(self._ended)
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
            for errand in errands:
                errand.cancel()
            await asyncio.gather(*errands, return_exceptions=True)
            await self._stop()

    def change(self, wants: Sequence[Want]) -> None:
        """See the port."""
        if not self._running:
            return
        wanted = dict.fromkeys(wants)
        for want in [want for want in self._wanted if want not in wanted]:
            self._wanted.pop(want).cancel()
            self._refused.pop(want, None)
            if want in self._watched:
                track, arguments = self._watched.pop(want)
                self._session.remove(track)
                for name in track.readings:
                    self._lanes[name].leave(track, arguments)
        for want in wanted:
            if want not in self._wanted:
                task = self._wanted[want] = asyncio.create_task(self._begin(want))
                task.add_done_callback(self._ended)

    def streams(self) -> Streams:
        """See the port; nothing runs while `stream` does not."""
        now, offset = self._clock.now(), self._rest.clock_offset
        items = (*self._session.states(now, offset), *self._refusals()) if self._running else ()
        return Streams(self.exchange, now, items, offset / 1e3, self.trouble)

    def _refusals(self) -> list[StreamState]:
        return [
            StreamState(exchange=self.exchange, symbol=want.symbol, channel=want.name, state="refused", reason=problem)
            for want, problem in self._refused.items()
        ]

    async def _stop(self) -> None:
        """Leaves every stream and every socket."""
        tasks = list(self._wanted.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for lane in self._lanes.values():
            await lane.stop()
        for track, _ in self._watched.values():
            self._session.remove(track)
        self._wanted.clear()
        self._watched.clear()
        self._refused.clear()
        while not self._inbox.empty():
            self._inbox.get_nowait()

    async def _begin(self, want: Want) -> None:
        """One want, given to the lanes that carry it once its instrument is known."""
        try:
            instrument, theirs = await self._instrument(want.symbol)
            arguments = self._arguments(want, instrument, theirs)
        except (BadInput, Refused) as error:
            log.warning("want_refused", symbol=want.symbol, channel=want.name, problem=str(error))
            self._refused[want] = str(error)
            return
        track = Track(want, instrument, theirs)
        names = tuple(self._lanes) if track.doubled else ("a",)
        self._session.add(track, names)
        self._watched[want] = (track, arguments)
        for name in names:
            self._lanes[name].keep(track, arguments, self._venue)

    async def _instrument(self, symbol: str) -> tuple[Instrument, str]:
        """Asks until the venue answers. Raises Refused."""
        for delay in backoff_delays(self._habits.backoff, self._habits.backoff_limit):
            await asyncio.sleep(delay)
            try:
                found = await self._rest.instrument(symbol)
            except Transient as error:
                self._unreachable = str(error)
                log.info("venue_unreachable", exchange=self.exchange, problem=str(error))
            else:
                self._unreachable = ""
                return found
        raise Refused(symbol)  # the delays never end

    def _arguments(self, want: Want, instrument: Instrument, theirs: str) -> tuple[Any, ...]:
        """How the library is asked for a want. Raises BadInput, Refused."""
        if want.channel not in WATCH:
            offers = ", ".join(WATCH)
            raise Refused(f"{want.channel} of {self.exchange} is not read through ccxt; it reads {offers}.")
        if not self._venue.has.get(WATCH[want.channel][0]):
            raise Refused(f"{self.exchange} has no stream of {want.channel} in ccxt.")
        if want.channel is Channel.CANDLES:
            return theirs, self._rest.offered(Timeframe.parse(want.timeframe), instrument)
        if want.channel is Channel.BOOK:
            return theirs, venues.DEPTHS.get(self.exchange)
        return (theirs,)

    async def _ticking(self) -> None:
        """Tells what was held back, and leaves sockets that fell silent under a live connection."""
        marked, silence = time.monotonic(), int(self._habits.silence * 1e6)
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            now = self._clock.now()
            self._session.late_books(now)
            if time.monotonic() - marked >= min(1.0, self._habits.silence / _USUAL_SILENCE):
                marked = time.monotonic()
                self._session.mark(marked)
            for (lane, url), cause in self._session.silent(now, silence, int(_USUAL_SILENCE * 1e6)).items():
                self._lanes[lane].drop(url, cause)

    async def _measure(self) -> None:
        """Keeps the offset of the venue's clock known."""
        while True:
            try:
                await self._rest.now()
            except (Transient, Refused) as error:
                log.info("clock_not_measured", problem=str(error))
            await asyncio.sleep(_MEASURE_SECONDS)

    def _again(self, lane: str, track: Track) -> None:
        self._lanes[lane].again(track)

    def _anew(self, lane: str, track: Track) -> None:
        if track.want in self._watched:
            self._lanes[lane].anew(track, self._watched[track.want][1])

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A task whose bug reaches the consumer of the stream instead of dying unseen."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failed(error)

    # --- for the lanes

    def failed(self, error: BaseException) -> None:
        self._inbox.put_nowait(error)

    async def room(self) -> None:
        while self._running and self._inbox.qsize() > _LIMIT:
            self._taken.clear()
            await self._taken.wait()
