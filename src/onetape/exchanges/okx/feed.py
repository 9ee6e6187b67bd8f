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
from onetape.domain.market import Channel, Received, Want
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.connection import Connection, Failed, Habits, Inbox, Tick, backoff_delays
from onetape.exchanges.okx import names
from onetape.exchanges.okx.events import Series
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
        self._connections: list[Connection] = []

    @property
    def trouble(self) -> str:
        return next((c.trouble for c in self._connections if c.trouble), "")

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
        tracks: dict[Arg, Series] = {}
        for want in wants:
            try:
                tracks[names.arg(want)] = await self._series(want)
            except (BadInput, Refused) as error:
                log.warning("want_refused", symbol=want.symbol, channel=want.name, problem=str(error))
        inbox = Inbox()
        by_path: dict[str, list[Arg]] = {}
        for arg in tracks:
            by_path.setdefault(names.path(arg.channel), []).append(arg)
        urls = {f"{self._ws_url}/{path}": args for path, args in by_path.items()}
        connections = {url: Connection(url, inbox, self._habits, self._clock.now) for url in urls}
        links = {url: Link(urls[url], c.send, c.renew) for url, c in connections.items()}
        session = Session(tracks, links, time.monotonic)
        self._connections = list(connections.values())
        tasks = [_watched(c.run(), inbox) for c in connections.values()]
        tasks.append(_watched(_ticking(inbox), inbox))
        try:
            while True:
                item = await inbox.get()
                if isinstance(item, Failed):
                    raise item.error
                for received in session.on(item, self._clock.now()):
                    yield received
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

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
