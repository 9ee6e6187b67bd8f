"""OKX's market data: fulfils `ports.MarketFeed` with the public REST and WebSocket addresses of the venue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from onetape.clock import RealClock, backoff_delays
from onetape.domain.errors import BadInput, Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Channel, Received, Streams, StreamState, VenueStatus, Want
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.connection import Habits
from onetape.exchanges.okx import names
from onetape.exchanges.okx.book import prepare
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.history import candles
from onetape.exchanges.okx.live import Live
from onetape.exchanges.okx.past import PAST, Past
from onetape.exchanges.okx.rest import OkxRest
from onetape.exchanges.okx.wire import Arg
from onetape.observe import log
from onetape.ports import Budgets, PastTrades

_MEASURE_SECONDS: Final = 60.0
NO_LOGIN: Final = (
    "{exchange} shows trades-all only to those who log in; trades are recorded in its place, one message for all "
    "matches at one price."
)
_WHOLE_VENUE: Final = frozenset((Channel.INSTRUMENTS, Channel.STATUS))


class OkxFeed:
    """`rest_url` (one or several) and `ws_url` as in `hosts`; `demo`: OKX's demo trading.

    `exchange` is the name its symbols are stored under. `lanes` (1 or 2) is how many connections carry each stream that
    matters. `budgets` counts requests over all processes. `trouble` is "" or one sentence why nothing comes.
    """

    timeframes = frozenset(names.BARS)  # what the venue itself offers
    past: PastTrades | None = PAST

    def __init__(
        self,
        rest_url: str | tuple[str, ...],
        ws_url: str,
        exchange: str = "okx",
        *,
        habits: Habits = Habits(),  # noqa: B008
        lanes: int = 2,
        budgets: Budgets | None = None,
        demo: bool = False,
    ) -> None:
        self.exchange = exchange
        self._ws_url, self._habits, self._lanes = ws_url.rstrip("/"), habits, lanes
        self._clock = RealClock()
        self._rest = OkxRest(rest_url, exchange, budgets, demo)
        self._past = Past(self._rest)
        self._live: Live | None = None
        self._resolving: asyncio.Task[None] | None = None
        self._refused: tuple[StreamState, ...] = ()
        self._wants: tuple[Want, ...] = ()
        self._all_trades = True  # until the venue says that these need a login

    @property
    def trouble(self) -> str:
        return self._live.trouble if self._live is not None else ""

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
        return candles(self._rest, symbol, timeframe, start_ts, end_ts)

    def past_trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """See the port."""
        return self._past.trades(symbol, start_ts, end_ts)

    async def book(self, symbol: str) -> Received:
        """See the port."""
        return await self._past.book(symbol)

    async def status(self) -> list[VenueStatus]:
        """Maintenance that OKX has announced. Raises Transient, Refused."""
        return await self._rest.status()

    async def close(self) -> None:
        await self._rest.close()

    async def stream(self, wants: Sequence[Want]) -> AsyncIterator[Received]:
        """For ever. A want that OKX cannot fulfil (an inverse contract, a length it has not) is logged, left out, and
        shown as refused by `streams`."""
        live = self._live = Live(
            self._ws_url,
            self._habits,
            self._lanes,
            self._clock.now,
            self._past.levels,
            self._rest.listed,
            self._login_needed,
            self._rest.venue_now,
        )
        self._all_trades = True
        self._rest.changed = live.changed
        live.start(self._measure())
        self._resolving = None
        self.change(wants)
        try:
            async with aclosing(live.events()) as events:  # type: ignore[type-var]
                async for received in events:
                    yield received
        finally:
            self._live = None

    def change(self, wants: Sequence[Want]) -> None:
        """See the port. The streams change once the sizes of contracts that are new are known."""
        if self._live is None:
            return
        self._wants = tuple(wants)
        if self._resolving is not None:
            self._resolving.cancel()
        self._resolving = self._live.start(self._resolve(self._live, self._wants))

    def _login_needed(self, arg: Arg) -> None:
        """`trades-all` is shown only to those who log in here: `trades` comes in its place, for every instrument."""
        if self._all_trades:
            self._all_trades = False
            log.warning("trades_all_needs_login", symbol=arg.instId, says=NO_LOGIN.format(exchange=self.exchange))
            self.change(self._wants)

    def streams(self) -> Streams:
        """See the port; empty while nothing is streamed."""
        offset = self._rest.clock_offset
        items = (*self._live.states(offset), *self._refused) if self._live is not None else ()
        return Streams(self.exchange, self._clock.now(), items, offset / 1e3, self.trouble)

    async def _measure(self) -> None:
        """Keeps the offset of the venue's clock known."""
        while True:
            try:
                await self._rest.now()
            except (Transient, Refused) as error:
                log.info("clock_not_measured", problem=str(error))
            await asyncio.sleep(_MEASURE_SECONDS)

    async def _resolve(self, live: Live, wants: tuple[Want, ...]) -> None:
        found: dict[Arg, Stream] = {}
        refused: dict[tuple[str, str], StreamState] = {}
        for want in wants:
            if want.channel is Channel.TRADES_ALL and not self._all_trades:
                refused[(want.symbol, want.name)] = self._state_refused(want, NO_LOGIN.format(exchange=self.exchange))
                want = Want(want.symbol, Channel.TRADES)
            try:
                stream = await self._stream(want)
                found.update((arg, stream) for arg in names.args(want))
            except (BadInput, Refused) as error:
                log.warning("want_refused", symbol=want.symbol, channel=want.name, problem=str(error))
                refused[(want.symbol, want.name)] = self._state_refused(want, str(error))
        self._refused = tuple(refused.values())
        others = {arg: stream for arg, stream in found.items() if stream.channel is not Channel.BOOK}
        if len(others) < len(found) and not prepare.cache_info().currsize:
            live.want(others)  # these need not wait
            await asyncio.to_thread(prepare)
        live.want(found)

    def _state_refused(self, want: Want, reason: str) -> StreamState:
        return StreamState(
            exchange=self.exchange, symbol=want.symbol, channel=want.name, state="refused", reason=reason
        )

    async def _stream(self, want: Want) -> Stream:
        timeframe = Timeframe.parse(want.timeframe) if want.channel is Channel.CANDLES else None
        symbol = names.index_of(want.symbol) if want.channel is Channel.INDEX else want.symbol
        if want.channel in _WHOLE_VENUE or names.is_spot(symbol):
            return Stream(self.exchange, symbol, want.channel, want.name, timeframe)
        size = await self._contract_size(symbol)
        return Stream(self.exchange, symbol, want.channel, want.name, timeframe, size, spot=False)

    async def _contract_size(self, symbol: str) -> float:
        for delay in backoff_delays(1.0, 30.0):
            await asyncio.sleep(delay)
            try:
                return (await self._rest.instrument(symbol)).contract_size
            except Transient as error:
                log.warning("venue_unreachable", problem=str(error))
        raise Refused(symbol)  # the delays never end
