"""OKX's public REST: asked within its budgets, tried again, its errors as sentences; instruments, time, status."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from onetape.clock import RealClock
from onetape.domain.errors import Refused, Transient
from onetape.domain.instrument import Instrument
from onetape.domain.market import Channel, VenueStatus
from onetape.domain.units import Micros
from onetape.exchanges.connection import unreachable
from onetape.exchanges.limits import Pace, SharedBudget
from onetape.exchanges.offset import Offset
from onetape.exchanges.okx import names, prices, wire
from onetape.exchanges.okx.events import Stream
from onetape.observe import log
from onetape.ports import Budgets

T = TypeVar("T")


class Answered(NamedTuple):
    """`body` is the answer as it came, `data` what its envelope holds."""

    data: msgspec.Raw
    body: bytes
    recv_ts: Micros


_TRIES: Final = 4
_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
_LIMITS: Final = {  # requests in 2 s from one address
    "/api/v5/public/time": Pace(10),
    "/api/v5/public/instruments": Pace(20),
    "/api/v5/market/candles": Pace(40),
    "/api/v5/market/history-candles": Pace(20),
    "/api/v5/market/trades": Pace(100),
    "/api/v5/market/history-trades": Pace(20),
    "/api/v5/market/books": Pace(40),
    "/api/v5/system/status": Pace(1, window=5.0),
}
_BUSY: Final = frozenset(("50011", "50013", "50040", "50061"))
_PASSING: Final = frozenset(("50001", "50004", "50005", "50026", "51054"))


class _Again(Exception):
    """Worth another try; carries the sentence for the case that it was the last. `busy`: we asked too often."""

    def __init__(self, problem: str, busy: bool = False) -> None:
        self.busy = busy
        super().__init__(problem)


class OkxRest:
    """`urls`: of several, the next one is tried when one cannot be reached or fails, and kept while it answers.

    `budgets` counts the requests of all processes; None: of this one. `demo`: the header of OKX's demo trading.
    """

    def __init__(
        self, urls: str | tuple[str, ...], exchange: str, budgets: Budgets | None = None, demo: bool = False
    ) -> None:
        self._urls = tuple(url.rstrip("/") for url in ((urls,) if isinstance(urls, str) else urls))
        self._at = 0
        self.exchange = exchange
        host = urlsplit(self._urls[0]).netloc  # the venue counts by address, whichever of its hosts is asked
        self._budgets = {path: SharedBudget(f"{host}{path}", pace, budgets) for path, pace in _LIMITS.items()}
        self._headers = {"User-Agent": "onetape", **({"x-simulated-trading": "1"} if demo else {})}
        self._session: aiohttp.ClientSession | None = None
        self._clock = RealClock()
        self._offset = Offset(self._clock)
        self._instruments: dict[str, Instrument] = {}
        self._refused: dict[str, str] = {}
        self._measuring = asyncio.Lock()
        self.changed: Callable[[Instrument], None] = lambda _: None  # told of each instrument that is not as it was

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def now(self) -> Micros:
        """The venue's time. Many who ask at once share one measurement. Raises Transient, Refused."""
        async with self._measuring:
            await self._offset.measure(self._stated)
        return self.estimate()

    async def _stated(self) -> Micros:
        (stamp,) = read(wire.times, await self.get("/api/v5/public/time"))
        return stamp.ts * 1_000

    @property
    def clock_offset(self) -> Micros:
        """The venue's clock minus ours; 0 as long as it was never measured."""
        return self._offset.micros

    def venue_now(self) -> Micros:
        """The venue's time by what was measured, without asking; 0 as long as it never was."""
        return self.estimate() if self._offset.known else 0

    def estimate(self) -> Micros:
        """The same, but by our clock as long as it never was."""
        return self._clock.now() + self._offset.micros

    async def instruments(self) -> list[Instrument]:
        """What is listed now and can be read; the others are remembered with the reason."""
        listed: set[str] = set()
        for kind in names.INSTRUMENT_TYPES:
            listed |= self.listed(await self.get("/api/v5/public/instruments", instType=kind))
        return [each for symbol, each in self._instruments.items() if symbol in listed]

    def listed(self, data: msgspec.Raw) -> set[str]:
        """Instruments as REST or the stream states them; gives their symbols. What is not as it was is passed on."""
        symbols: set[str] = set()
        for one in read(wire.instruments, data):
            symbols.add(one.instId)
            try:
                found = names.instrument(self.exchange, one)
            except Refused as refusal:
                self._refused[one.instId] = refusal.reason
                continue
            self._refused.pop(one.instId, None)
            before, self._instruments[one.instId] = self._instruments.get(one.instId), found
            if before not in (None, found):
                self.changed(found)
        return symbols

    async def instrument(self, symbol: str) -> Instrument:
        """Raises Refused for a symbol that OKX has not, or onetape cannot read; Transient."""
        if symbol not in self._instruments and symbol not in self._refused:
            await self.instruments()
        if symbol in self._refused:
            raise Refused(self._refused[symbol])
        if symbol not in self._instruments:
            raise Refused(f"{self.exchange} has no instrument {symbol}. Names look like BTC-USDT or BTC-USDT-SWAP.")
        return self._instruments[symbol]

    async def status(self) -> list[VenueStatus]:
        """Maintenance that is announced or under way."""
        stream = Stream(self.exchange, "*", Channel.STATUS, "status")
        answered = await self.ask("/api/v5/system/status")
        return [s for s in prices.statuses(stream, answered.data, answered.recv_ts)[1] if isinstance(s, VenueStatus)]

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
                await self._react(path, again)
        raise Transient(problem)

    async def _react(self, path: str, again: _Again) -> None:
        if again.busy:
            await self._budgets[path].exceeded()
        elif len(self._urls) > 1:
            self._at = (self._at + 1) % len(self._urls)
            log.info("host_changed", url=self._urls[self._at], problem=str(again))

    async def _once(self, path: str, params: dict[str, str]) -> Answered:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers=self._headers)
        url = self._urls[self._at]
        begun = time.monotonic()
        try:
            async with self._session.get(url + path, params=params) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise _Again(str(unreachable(url, _cause(error)))) from error
        log.debug("request_answered", path=path, status=status, ms=round((time.monotonic() - begun) * 1e3, 1))
        return Answered(self._judge(path, params, status, body), body, self._clock.now())

    def _judge(self, path: str, params: dict[str, str], status: int, body: bytes) -> msgspec.Raw:
        try:
            answer = wire.answer.decode(body)
        except wire.UNREADABLE:
            answer = wire.Answer(msg="something that is not OKX's JSON")
        asked = f"{path.removeprefix('/api/v5')} {' '.join(params.values())}".rstrip()
        said = f"{self.exchange} answered {asked} with: {answer.msg or 'no reason'} ({answer.code or status})."
        if status == 429 or answer.code in _BUSY:
            raise _Again(f"{said} It limits how often it is asked; this waits and goes on slower.", busy=True)
        if status >= 500 or answer.code in _PASSING or not answer.code:  # a page of some proxy is not OKX's word
            raise _Again(said)
        if answer.code != "0":
            raise Refused(said)
        return answer.data


def read(decoder: msgspec.json.Decoder[T], data: msgspec.Raw) -> T:
    """Raises Refused for a form that is not the expected one."""
    try:
        return decoder.decode(data)
    except wire.UNREADABLE as error:
        raise Refused(f"OKX's answer has a form that onetape does not know: {error}.") from error


def _cause(error: BaseException) -> BaseException:
    """aiohttp wraps the system's error; a person is told the system's."""
    inner = getattr(error, "os_error", None)
    return inner if isinstance(inner, BaseException) else error
