"""A feed whose past and present a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Candle, Origin, RawFrame, Received, Streams, Want
from onetape.domain.units import MINUTE, Timeframe
from onetape.ports import PastTrades

M1 = Timeframe.parse("1m")
SYMBOL = "BTC-USD"


def candle(minute: int, price: float = 100.0, symbol: str = SYMBOL, recv_ts: int = 0) -> Candle:
    """The closed 1m candle that opens in that minute since 1970; its close tells the minute."""
    close = price + minute
    ts = minute * MINUTE
    return Candle("okx", symbol, "1m", ts, ts + MINUTE, close, close, close, close, 1.0, close, Origin.VENUE, recv_ts)


class FakeFeed:
    """`minutes` is what the venue has; `now_minute` its time; the stream brings what `say` was told."""

    exchange = "okx"
    timeframes = frozenset(("1m", "1h"))
    past: PastTrades | None = PastTrades(kept=None, page=100, per_second=10.0)

    def __init__(self, minutes: Sequence[int] = (), now_minute: float = 0) -> None:
        self.minutes, self.now_minute = set(minutes), now_minute
        self.asked: list[tuple[int, int]] = []
        self.broken = False
        self.streamed: list[tuple[Want, ...]] = []
        self.changed: list[tuple[Want, ...]] = []
        self.pages: list[Received] = []  # of past trades
        self._said: asyncio.Queue[Received] = asyncio.Queue()
        self._seq = 0

    async def now(self) -> int:
        if self.broken:
            raise Transient("the venue is away.")
        return int(self.now_minute * MINUTE)

    async def instruments(self) -> list[Instrument]:
        return [Instrument.unknown("okx", SYMBOL)]

    async def history(
        self, symbol: str, timeframe: Timeframe, start_ts: int, end_ts: int
    ) -> AsyncIterator[CandleFrame]:
        self.asked.append((start_ts // MINUTE, end_ts // MINUTE))
        if self.broken:
            raise Transient("the venue is away.")
        wanted = [m for m in sorted(self.minutes) if start_ts <= m * MINUTE < end_ts and m < self.now_minute]
        for i in range(0, len(wanted), 50):
            yield CandleFrame.from_candles(candle(m, symbol=symbol) for m in wanted[i : i + 50])

    def say(
        self,
        *events: object,
        text: bytes = b"{}",
        channel: str = "candles:1m",
        ts: int = 0,
        symbol: str = SYMBOL,
    ) -> None:
        self._seq += 1
        raw = RawFrame("okx", symbol, channel, ts or self._seq, 1, self._seq, text)
        self._said.put_nowait(Received(raw, events))  # type: ignore[arg-type]

    def close_minute(self, minute: int) -> None:
        """The venue's candle closes: history has it, and the stream says so."""
        self.minutes.add(minute)
        self.now_minute = minute + 1
        self.say(candle(minute))

    async def stream(self, wants: Sequence[Want]) -> AsyncIterator[Received]:
        self.streamed.append(tuple(wants))
        while True:
            yield await self._said.get()

    def change(self, wants: Sequence[Want]) -> None:
        self.changed.append(tuple(wants))

    def streams(self) -> Streams:
        return Streams("okx", int(self.now_minute * MINUTE), ())

    async def past_trades(self, symbol: str, start_ts: int, end_ts: int) -> AsyncIterator[Received]:
        if self.broken:
            raise Transient("the venue is away.")
        for page in self.pages:
            yield page

    async def book(self, symbol: str) -> Received:
        raise Refused(f"okx has no book of {symbol}.")

    async def close(self) -> None:
        pass


@pytest.fixture
def make_feed() -> type[FakeFeed]:
    return FakeFeed


@pytest.fixture(name="candle")
def _candle() -> Callable[..., Candle]:
    return candle
