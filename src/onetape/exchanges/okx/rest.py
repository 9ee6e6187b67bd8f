"""OKX's public REST: instruments, time, candles, trades; budgets, retries, and its errors as sentences."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, TypeVar

import aiohttp
import msgspec

from onetape.clock import RealClock
from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Channel, Print, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.connection import unreachable
from onetape.exchanges.limits import Budget
from onetape.exchanges.okx import events, names, wire
from onetape.observe import log

T = TypeVar("T")


class Answered(NamedTuple):
    """`body` is the answer as it came, `data` what its envelope holds."""

    data: msgspec.Raw
    body: bytes
    recv_ts: Micros


_PAGE: Final = 300
_TRIES: Final = 4
_FRESH: Final[Micros] = 250_000  # so long a measured clock is believed; a replaying venue runs fast
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
_LIMITS: Final = {  # requests per 2 s and address
    "/api/v5/public/time": 10,
    "/api/v5/public/instruments": 20,
    "/api/v5/market/candles": 40,
    "/api/v5/market/history-candles": 20,
    "/api/v5/market/trades": 100,
    "/api/v5/market/history-trades": 20,
    "/api/v5/market/books": 40,
}
_BUSY: Final = frozenset(("50011", "50013", "50040", "50061"))
_PASSING: Final = frozenset(("50001", "50004", "50005", "50026", "51054"))


class _Again(Exception):
    """Worth another try; carries the sentence for the case that it was the last."""


class OkxRest:
    def __init__(self, url: str, exchange: str) -> None:
        self._url, self.exchange = url.rstrip("/"), exchange
        self._budgets = {path: Budget(limit) for path, limit in _LIMITS.items()}
        self._session: aiohttp.ClientSession | None = None
        self._clock = RealClock()
        self._instruments: dict[str, Instrument] = {}
        self._refused: dict[str, str] = {}
        self._measuring = asyncio.Lock()
        self._measured_ts: Micros = 0
        self.clock_offset: Micros = 0  # the venue's clock minus ours, at the last `now`

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def now(self) -> Micros:
        """The venue's time; the way there and back is halved. Many who ask at once share one measurement."""
        async with self._measuring:
            before = self._clock.now()
            if before - self._measured_ts > _FRESH:
                (stamp,) = read(wire.times, await self.get("/api/v5/public/time"))
                self._measured_ts = self._clock.now()
                self.clock_offset = stamp.ts * 1_000 - (before + self._measured_ts) // 2
        return self._clock.now() + self.clock_offset

    async def instruments(self) -> list[Instrument]:
        """What can be traded and read; the others are remembered with the reason."""
        for kind in names.INSTRUMENT_TYPES:
            self.listed(await self.get("/api/v5/public/instruments", instType=kind))
        return list(self._instruments.values())

    def listed(self, data: msgspec.Raw) -> None:
        """Instruments as REST or the stream states them."""
        for one in read(wire.instruments, data):
            try:
                self._instruments[one.instId] = names.instrument(self.exchange, one)
                self._refused.pop(one.instId, None)
            except Refused as refusal:
                self._refused[one.instId] = refusal.reason

    async def instrument(self, symbol: str) -> Instrument:
        """Raises Refused for a symbol that OKX has not, or onetape cannot read; Transient."""
        if symbol not in self._instruments and symbol not in self._refused:
            await self.instruments()
        if symbol in self._refused:
            raise Refused(self._refused[symbol])
        if symbol not in self._instruments:
            raise Refused(f"{self.exchange} has no instrument {symbol}. Names look like BTC-USDT or BTC-USDT-SWAP.")
        return self._instruments[symbol]

    async def trades(self, symbol: str, limit: int = 500) -> list[Print]:
        """The newest public trades, oldest first."""
        series = events.Series(self.exchange, symbol, Channel.TRADES, "trades", None, await self.size(symbol))
        data = await self.get("/api/v5/market/trades", instId=symbol, limit=str(limit))
        found = read(wire.trades, data)
        return [events.trade(series, t, self._clock.now()) for t in reversed(found)]

    async def history(
        self, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        """Closed candles that open in [start_ts, end_ts), oldest first, a page for each window of 300.

        `after` asks for what is older than it, newest first, so each window is walked backward from its end and then
        turned round: memory holds one window, and a server that gives shorter pages only makes more requests.
        """
        names.bar(timeframe)
        spot = names.is_spot(symbol)
        series = events.Series(self.exchange, symbol, Channel.CANDLES, candle_channel(timeframe), timeframe, 1.0, spot)
        start = timeframe.floor(start_ts)
        start = start if start == start_ts else timeframe.next(start)
        while start < end_ts:
            end = min(end_ts, timeframe.floor(start + _PAGE * timeframe.micros))
            rows = await self._window(symbol, timeframe, start // 1_000, -(-end // 1_000))
            columns = events.closed(series, rows)
            if columns["ts"]:
                yield CandleFrame.of(self.exchange, symbol, timeframe, columns)
            start = end

    async def _window(self, symbol: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> list[wire.Row]:
        found: dict[int, wire.Row] = {}
        after = end_ms
        while after > start_ms:
            data = await self.get(
                "/api/v5/market/history-candles",
                instId=symbol,
                bar=names.bar(timeframe),
                after=str(after),
                limit=str(_PAGE),
            )
            rows = read(wire.rows, data)
            found.update((row.ts, row) for row in rows if start_ms <= row.ts < end_ms)
            oldest = min((row.ts for row in rows), default=0)
            if not rows or oldest >= after:
                break
            after = oldest
        return [found[ts] for ts in sorted(found)]

    async def size(self, symbol: str) -> float:
        return 1.0 if names.is_spot(symbol) else (await self.instrument(symbol)).contract_size

    async def get(self, path: str, **params: str) -> msgspec.Raw:
        """The `data` of the answer. Raises Transient when it may work later, Refused when it will not."""
        return (await self.ask(path, **params)).data

    async def ask(self, path: str, **params: str) -> Answered:
        """Raises Transient when it may work later, Refused when it will not."""
        problem = ""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(0.3 * 2**attempt * (1 + random.random()))
            await self._budgets[path].take()
            try:
                return await self._once(path, params)
            except _Again as again:
                problem = str(again)
                log.debug("request_repeated", path=path, problem=problem)
        raise Transient(problem)

    async def _once(self, path: str, params: dict[str, str]) -> Answered:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers={"User-Agent": "onetape"})
        begun = time.monotonic()
        try:
            async with self._session.get(self._url + path, params=params) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _Again(str(unreachable(self._url, _cause(error)))) from error
        log.debug("request_answered", path=path, status=status, ms=round((time.monotonic() - begun) * 1e3, 1))
        return Answered(self._judge(path, params, status, body), body, self._clock.now())

    def _judge(self, path: str, params: dict[str, str], status: int, body: bytes) -> msgspec.Raw:
        try:
            answer = wire.answer.decode(body)
        except msgspec.DecodeError:
            answer = wire.Answer(msg="something that is not OKX's JSON")
        asked = f"{path.removeprefix('/api/v5')} {' '.join(params.values())}".rstrip()
        said = f"{self.exchange} answered {asked} with: {answer.msg or 'no reason'} ({answer.code or status})."
        if status == 429 or answer.code in _BUSY:
            self._budgets[path].exceeded()
            raise _Again(f"{said} It limits how often it is asked; this waits and goes on slower.")
        if status >= 500 or answer.code in _PASSING or (status == 200 and not answer.code):
            raise _Again(said)
        if answer.code != "0":
            raise Refused(said)
        return answer.data


def read(decoder: msgspec.json.Decoder[T], data: msgspec.Raw) -> T:
    """Raises Refused for a form that is not the expected one."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise Refused(f"OKX's answer has a form that onetape does not know: {error}.") from error


def _cause(error: BaseException) -> BaseException:
    """aiohttp wraps the system's error; a person is told the system's."""
    inner = getattr(error, "os_error", None)
    return inner if isinstance(inner, BaseException) else error
