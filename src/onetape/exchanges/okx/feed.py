"""OKX's market data: fulfils `ports.MarketFeed` with the public REST and WebSocket addresses of the venue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Final

from onetape.clock import RealClock
from onetape.domain.errors import BadInput, Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Channel, Received, Streams, Want
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.connection import Connection, Failed, Habits, Inbox, Tick, Wish, backoff_delays
from onetape.exchanges.okx import names
from onetape.exchanges.okx.events import Series
from onetape.exchanges.okx.past import Past
from onetape.exchanges.okx.rest import OkxRest
from onetape.exchanges.okx.session import Link, Session
from onetape.exchanges.okx.wire import Arg
from onetape.observe import log

_TICK_SECONDS: Final = 0.1


class OkxFeed:
    """`rest_url` without a path (`https://openapi.okx.com`), `ws_url` up to the version (`wss://.../ws/v5`).

    `exchange` is the name its symbols are stored under. `trouble` is "" or one sentence why nothing comes.
    """

    timeframes = frozenset(names.BARS)  # what the venue itself offers

    def __init__(self, rest_url: str, ws_url: str, exchange: str = "okx", *, habits: Habits = Habits()) -> None:  # noqa: B008
        self.exchange = exchange
        self._ws_url, self._habits = ws_url.rstrip("/"), habits
        self._clock = RealClock()
        self._rest = OkxRest(rest_url, exchange)
        self._past = Past(self._rest)
        self._wants: tuple[Want, ...] = ()
        self._inbox: Inbox | None = None
        self._session: Session | None = None
        self._connections: dict[str, Connection] = {}

    @property
    def trouble(self) -> str:
        return next((c.trouble for c in self._connections.values() if c.trouble), "")

    async def now(self) -> Micros:
        """The venue's time. Raises Transient."""
        return await self._rest.now()

    async def instruments(self) -> list[Instrument]:
        """Spot and linear derivatives that can be traded. Raises Transient, Refused."""
        return await self._rest.instruments()

    def history(
        self, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        """See the port. Pages of at most 300 candles; months and times before the listing are empty, not an error."""
        return self._rest.history(symbol, timeframe, start_ts, end_ts)

    async def close(self) -> None:
        await self._rest.close()

    async def stream(self, wants: Sequence[Want]) -> AsyncIterator[Received]:
        """For ever. A want that OKX cannot fulfil (an inverse contract, a length it has not) is logged and left out."""
        inbox = self._inbox = Inbox()
        session = self._session = Session({}, {}, time.monotonic)
        tasks = [_watched(_ticking(inbox), inbox)]
        self._connections, self._wants = {}, tuple(wants)
        try:
            await self._follow(session, tasks)
            while True:
                item = await inbox.get()
                if isinstance(item, Failed):
                    raise item.error
                if isinstance(item, Wish):
                    await self._follow(session, tasks)
                for received in session.on(item, self._clock.now()):
                    yield received
        finally:
            self._inbox = self._session = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def change(self, wants: Sequence[Want]) -> None:
        """See the port."""
        self._wants = tuple(wants)
        if self._inbox is not None:
            self._inbox.put_nowait(Wish())

    def streams(self) -> Streams:
        """See the port; nothing runs while `stream` does not."""
        now = self._clock.now()
        items = self._session.states(now) if self._session is not None else ()
        return Streams(self.exchange, now, items, self._rest.clock_offset / 1e3, self.trouble)

    def past_trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """See the port. OKX keeps three months."""
        return self._past.trades(symbol, start_ts, end_ts)

    async def book(self, symbol: str) -> Received:
        """See the port."""
        return await self._past.book(symbol)

    async def _follow(self, session: Session, tasks: list[asyncio.Task[None]]) -> None:
        """Makes the session's streams those that are wanted."""
        wanted = await self._tracks(self._wants)
        session.remove([arg for arg in session.args if arg not in wanted])
        by_url: dict[str, dict[Arg, Series]] = {}
        for arg, series in wanted.items():
            if arg not in session.args:
                by_url.setdefault(f"{self._ws_url}/{names.path(arg.channel)}", {})[arg] = series
        for url, tracks in by_url.items():
            if url not in self._connections:
                assert self._inbox is not None
                connection = self._connections[url] = Connection(url, self._inbox, self._habits, self._clock.now)
                session.open(url, Link((), connection.send, connection.renew))
                tasks.append(_watched(connection.run(), self._inbox))
            session.add(url, tracks)

    async def _tracks(self, wants: Sequence[Want]) -> dict[Arg, Series]:
        tracks: dict[Arg, Series] = {}
        for want in wants:
            try:
                tracks[names.arg(want)] = await self._series(want)
            except (BadInput, Refused) as error:
                log.warning("want_refused", symbol=want.symbol, channel=want.name, problem=str(error))
        return tracks

    async def _series(self, want: Want) -> Series:
        timeframe = Timeframe.parse(want.timeframe) if want.channel is Channel.CANDLES else None
        if names.is_spot(want.symbol):
            return Series(self.exchange, want.symbol, want.channel, want.name, timeframe)
        size = await self._contract_size(want.symbol)
        return Series(self.exchange, want.symbol, want.channel, want.name, timeframe, size, spot=False)

    async def _contract_size(self, symbol: str) -> float:
        for delay in backoff_delays(1.0, 30.0):
            await asyncio.sleep(delay)
            try:
                return (await self._rest.instrument(symbol)).contract_size
            except Transient as error:
                log.warning("venue_unreachable", problem=str(error))
        raise Refused(symbol)  # the delays never end


async def _ticking(inbox: Inbox) -> None:
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        inbox.put_nowait(Tick())


def _watched(work: Coroutine[None, None, None], inbox: Inbox) -> asyncio.Task[None]:
    """A task whose bug reaches the consumer of the stream instead of dying unseen."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            inbox.put_nowait(Failed(error))

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task
