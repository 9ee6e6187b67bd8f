"""What is asked of a venue: its time, instruments, candles, past trades, a book. The library keeps to the venue's
limits; a refusal for being busy is waited out here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from onetape.clock import RealClock
from onetape.domain.errors import BadInput, Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Origin
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.ccxt import names, venues
from onetape.exchanges.ccxt.library import LIBRARY_ERRORS, PASSING, in_words
from onetape.exchanges.offset import Offset
from onetape.observe import log

_TRIES: Final = 4
_PAUSE: Final = 0.3  # seconds before the second try, doubling
_PAGE: Final = 500  # candles, where the library does not know the venue's limit


class Rest:
    """`venue` is the library's instance; its markets are loaded when they are first needed."""

    def __init__(self, exchange: str, venue: Any) -> None:
        self._exchange, self.venue = exchange, venue
        self._clock = RealClock()
        self._offset = Offset(self._clock)
        self._instruments: dict[str, tuple[Instrument, str]] = {}
        self._refused: dict[str, str] = {}
        self._loading, self._measuring = asyncio.Lock(), asyncio.Lock()

    async def ask(self, call: Callable[..., Awaitable[Any]], *arguments: Any, **named: Any) -> Any:
        """Raises Transient after some tries, Refused at once when it will not work."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE * 2**attempt * (1 + random.random()))
            try:
                return await call(*arguments, **named)
            except LIBRARY_ERRORS as error:
                if not isinstance(error, PASSING) or attempt == _TRIES - 1:
                    raise in_words(self._exchange, error) from error
                log.debug("request_repeated", exchange=self._exchange, problem=str(error)[:200])
        raise AssertionError("the last try returns or raises")

    async def now(self) -> Micros:
        """The venue's time; a venue that does not tell it has ours. Raises Transient, Refused."""
        async with self._measuring:
            if self.venue.has.get("fetchTime"):
                await self._offset.measure(self._stated)
        return self._clock.now() + self._offset.micros

    async def _stated(self) -> Micros:
        return int(await self.ask(self.venue.fetch_time)) * 1_000

    @property
    def clock_offset(self) -> Micros:
        """The venue's clock minus ours; 0 as long as it was never measured."""
        return self._offset.micros

    async def instruments(self) -> list[Instrument]:
        """What can be traded and read; the others are remembered with the reason."""
        async with self._loading:
            return await self._load()

    async def _load(self) -> list[Instrument]:
        markets = await self.ask(self.venue.load_markets)
        found: dict[str, tuple[Instrument, str]] = {}
        for market in markets.values():
            if market.get("active") is False:
                continue
            try:
                one = names.instrument(self._exchange, market, self.venue.precisionMode)
            except Refused as refusal:
                self._refused[market["symbol"]] = refusal.reason
            else:
                found[one.symbol] = (one, market["symbol"])
        self._instruments = found
        return [instrument for instrument, _ in found.values()]

    async def instrument(self, symbol: str) -> tuple[Instrument, str]:
        """Ours and the library's name for it. Raises Refused for what the venue has not or onetape cannot read."""
        if not self._instruments:
            async with self._loading:  # whoever comes next finds them
                if not self._instruments:
                    await self._load()
        if symbol in self._instruments:
            return self._instruments[symbol]
        base, _, rest = symbol.partition("-")
        near = [
            reason for name, reason in self._refused.items() if name.startswith(f"{base}/{rest.partition('-')[0]}:")
        ]
        if near and symbol.count("-") > 1:
            raise Refused(f"{self._exchange} has no {symbol} that onetape reads: {near[0]}")
        raise Refused(f"{self._exchange} has no instrument {symbol}. Names look like BTC-USDT or BTC-USDT-SWAP.")

    def offered(self, timeframe: Timeframe, instrument: Instrument) -> str:
        """The venue's candles of this length. Raises BadInput, Refused."""
        text = str(timeframe)
        if text not in self.venue.timeframes:
            offers = ", ".join(self.venue.timeframes)
            raise BadInput("timeframe", text, f"not offered by {self._exchange}", f"It offers {offers}.")
        if instrument.contract_size != 1.0 and self._exchange not in venues.BASE_VOLUMES:
            raise Refused(
                f"{self._exchange}:{instrument.symbol} is traded in contracts of {instrument.contract_size:g}, and it "
                "is not known whether its candles count contracts or coins. Its trades can be recorded."
            )
        return text

    async def history(
        self, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        """Closed candles that open in [start_ts, end_ts), oldest first, a page for each answer."""
        instrument, theirs = await self.instrument(symbol)
        text = self.offered(timeframe, instrument)
        page = self.venue.feature_value(theirs, "fetchOHLCV", "limit", _PAGE) or _PAGE
        start = timeframe.floor(start_ts)
        start = start if start == start_ts else timeframe.next(start)
        while start < end_ts:
            wanted = min(page, -(-(end_ts - start) // timeframe.micros) + 1)
            rows = await self.ask(self.venue.fetch_ohlcv, theirs, text, since=start // 1_000, limit=wanted)
            now = await self.now()
            rows = sorted(row for row in rows if int(row[0]) * 1_000 >= start and row[4] is not None)
            if rows and (problem := names.off_grid(self._exchange, symbol, timeframe, int(rows[0][0]) * 1_000)):
                raise Refused(problem)
            closed = [row for row in rows if int(row[0]) * 1_000 < end_ts and _close(timeframe, row) <= now]
            if closed:
                yield self._page(symbol, timeframe, closed)
            if rows:  # a venue that keeps less than was asked for answers with the oldest that it has
                start = _close(timeframe, rows[-1])
            else:
                start = timeframe.floor(start + wanted * timeframe.micros)
            if start > now:
                return

    def _page(self, symbol: str, timeframe: Timeframe, rows: list[Any]) -> CandleFrame:
        unique = {int(row[0]): row for row in rows}
        ordered = [unique[ms] for ms in sorted(unique)]
        columns: dict[str, object] = {
            "ts": [int(row[0]) * 1_000 for row in ordered],
            "origin": [int(Origin.VENUE)] * len(ordered),
        }
        for i, name in enumerate(("open", "high", "low", "close", "volume"), 1):
            columns[name] = [float(row[i] or 0.0) for row in ordered]
        return CandleFrame.of(self._exchange, symbol, timeframe, columns)

    def answer(self) -> bytes:
        """The text of the last answer, to be taken before anything else is awaited."""
        return str(self.venue.last_http_response).encode()


def _close(timeframe: Timeframe, row: list[Any]) -> Micros:
    return timeframe.next(int(row[0]) * 1_000)
