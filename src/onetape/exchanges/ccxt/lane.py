"""One instance of the library with its sockets: keeps every stream that is given to it subscribed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from onetape.clock import RealClock, backoff_delays
from onetape.domain.market import Channel
from onetape.domain.units import Micros
from onetape.exchanges.ccxt.events import WATCH
from onetape.exchanges.ccxt.library import BROKEN_BOOK, LIBRARY_ERRORS, PASSING, gone, in_words
from onetape.exchanges.ccxt.session import Session
from onetape.exchanges.ccxt.tracks import Track
from onetape.exchanges.connection import Habits
from onetape.observe import log

_LEAVE_SECONDS: Final = 5.0
_SOUND_SECONDS: Final = 60.0  # a stream that lived so long was no part of a series of breaks


class Owner(Protocol):
    """The feed, as a lane sees it."""

    async def room(self) -> None:
        """Waits while what came is not yet taken."""
        ...

    def failed(self, error: BaseException) -> None: ...


class _Kept(NamedTuple):
    track: Track
    due: asyncio.Event
    task: asyncio.Task[None]


class Lane:
    """`open_venue` makes the library's instance for a listener; `arguments` says how a stream is asked for."""

    def __init__(
        self, name: str, session: Session, owner: Owner, habits: Habits, open_venue: Callable[[Lane], Any]
    ) -> None:
        self.name, self.trouble = name, ""
        self._session, self._owner, self._habits = session, owner, habits
        self._clock = RealClock()
        self.venue: Any = open_venue(self)
        session.venues[name] = self.venue
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._anew: dict[tuple[str, str], tuple[float, Iterator[float]]] = {}
        self._errands: set[asyncio.Task[None]] = set()

    def keep(self, track: Track, arguments: tuple[Any, ...], markets: Any) -> None:
        """Subscribed from now on. `markets`: the library's instance that has loaded them."""
        if self.venue.markets is None or not self.venue.markets:
            self.venue.set_markets_from_exchange(markets)
        due = asyncio.Event()
        task = self._start(self._watch(track, due, arguments))
        self._kept[track.want.symbol, track.want.name] = _Kept(track, due, task)

    def leave(self, track: Track, arguments: tuple[Any, ...]) -> None:
        """Asks the venue to send no more of it; where the library cannot, what comes is not looked at."""
        kept = self._kept.pop((track.want.symbol, track.want.name), None)
        if kept is not None:
            kept.task.cancel()
            self._start(self._unsubscribe(track, arguments))

    def again(self, track: Track) -> None:
        """The library has dropped it: it is subscribed to once more."""
        kept = self._kept.get((track.want.symbol, track.want.name))
        if kept is not None:
            kept.due.set()

    def anew(self, track: Track, arguments: tuple[Any, ...]) -> None:
        """It is left and subscribed to again, at once the first time and then after a delay that doubles."""
        key = (track.want.symbol, track.want.name)
        if key not in self._kept:
            return
        now = asyncio.get_running_loop().time()
        last, delays = self._anew.get(key, (float("-inf"), iter(())))
        if now - last > _SOUND_SECONDS:
            delays = backoff_delays(self._habits.backoff, 60.0)
        self._anew[key] = (now, delays)
        self._start(self._begin_again(track, arguments, next(delays)))

    async def _begin_again(self, track: Track, arguments: tuple[Any, ...], delay: float) -> None:
        await asyncio.sleep(delay)
        if await self._unsubscribe(track, arguments):
            self.again(track)
        elif (carrier := track.carriers.get(self.name)) is not None:
            self.drop(carrier.url, "a stream has to begin anew")

    def drop(self, url: str, cause: str) -> None:
        """Leaves a socket; the library makes another one."""
        client = (self.venue.clients or {}).get(url)
        if client is not None:
            client.on_error(gone(cause))

    async def stop(self) -> None:
        """Leaves every stream and every socket."""
        tasks = [*self._errands]
        self._kept.clear()
        self._anew.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.venue.close_ws_clients()

    async def close(self) -> None:
        await self.venue.close()

    def _start(self, work: Any) -> asyncio.Task[Any]:
        """A task whose bug reaches the consumer of the stream instead of dying unseen."""
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._errands.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._owner.failed(error)

    async def _watch(self, track: Track, due: asyncio.Event, arguments: tuple[Any, ...]) -> None:
        """One stream, subscribed to again whenever it is lost."""
        call = getattr(self.venue, WATCH[track.want.channel][1])
        delays = backoff_delays(self._habits.backoff, self._habits.backoff_limit)
        while not track.refused:
            due.clear()
            await asyncio.sleep(next(delays))
            try:
                await call(*arguments)  # comes back with the first message
            except BROKEN_BOOK:
                continue
            except LIBRARY_ERRORS as error:
                said = in_words(str(self.venue.id), error)
                if not isinstance(error, PASSING):
                    track.refuse(str(said))
                    log.error("subscription_refused", symbol=track.want.symbol, problem=str(said))
                    return
                self.trouble = str(said)
                log.info("venue_unreachable", lane=self.name, problem=self.trouble)
                continue
            self.trouble = ""
            delays = backoff_delays(self._habits.backoff, self._habits.backoff_limit)
            await due.wait()

    async def _unsubscribe(self, track: Track, arguments: tuple[Any, ...]) -> bool:
        """Whether the venue and the library have left it."""
        has, call = WATCH[track.want.channel]
        if not self.venue.has.get(f"unW{has[1:]}"):
            return False
        mine = arguments[:2] if track.want.channel is Channel.CANDLES else arguments[:1]
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await getattr(self.venue, f"un_{call}")(*mine)
        except (*LIBRARY_ERRORS, TimeoutError) as error:
            log.info("unsubscription_failed", symbol=track.want.symbol, problem=str(error)[:200])
            return False
        return True

    # --- the listener at the sockets

    def opened(self, url: str) -> None:
        self._session.opened((self.name, url), self._clock.now())

    def frame(self, url: str, data: str | bytes, recv_ts: Micros, touched: list[Any], problem: str) -> None:
        self._session.frame((self.name, url), data, recv_ts, touched, problem)

    def changed(self, url: str, touched: Any) -> None:
        self._session.changed((self.name, url), touched, self._clock.now())

    def snapshot(self, theirs: str, data: bytes) -> None:
        self._session.snapshot(self.name, theirs, data, self._clock.now())

    def lost(self, url: str, cause: str) -> None:
        log.warning("connection_lost", lane=self.name, url=url, cause=cause)
        self._session.lost((self.name, url), cause, self._clock.now())

    def failed(self, error: BaseException) -> None:
        self._owner.failed(error)

    async def room(self) -> None:
        await self._owner.room()
