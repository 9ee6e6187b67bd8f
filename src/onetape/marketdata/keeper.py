"""Keeps one candle series whole: no candle is passed on before all the ones before it are stored.

While a hole is being filled (at start, after an absence, when a candle does not join on to the last one) the candles
that arrive are held; then they follow in order. When the venue's history cannot be had for a while, the hole is
recorded as a gap, what is held goes on, and the debt is paid later.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Gap, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata.backfill import backfill, first_span
from onetape.marketdata.quality import Span
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

MISSED: Final = "the stream did not bring it"
_HOLD_SECONDS: Final = 15.0
_OVERDUE_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 5.0

Pass = Callable[[Candle], Awaitable[None]]  # to commit and publish
Announce = Callable[[Candle], None]  # publish what is committed already


class SeriesKeeper:
    """One series. `expected` is the open time of the next candle; None before anything is known."""

    def __init__(self, feed: MarketFeed, store: CandleStore, symbol: str, timeframe: Timeframe, candles: int) -> None:
        self.feed, self.store, self.symbol, self.timeframe = feed, store, symbol, timeframe
        self.expected: Micros | None = None
        self._candles = candles
        self._held: list[Candle] = []
        self._owed: list[Span] = []
        self._noted: Micros | None = None  # where the last hole that was recorded begins
        self._busy = True  # until `start` has loaded
        self._heard = time.monotonic()
        self._wake = asyncio.Event()

    async def arrived(self, candle: Candle, forward: Pass) -> None:
        """A closed candle from the stream."""
        self._heard = time.monotonic()
        if self._busy:
            self._held.append(candle)
        elif self.expected is not None and candle.open_ts > self.expected:
            self._held.append(candle)
            self._busy = True
            self._wake.set()
        elif self.expected is None or candle.open_ts == self.expected:
            self.expected = candle.close_ts
            await forward(candle)

    def doubt(self) -> None:
        """The stream was away: what is missing is fetched without waiting for the next candle."""
        self._busy = True
        self._wake.set()

    async def run(self, forward: Pass, settled: Callable[[], Awaitable[None]], announce: Announce) -> None:
        """For ever: loads at start, then whenever there is a hole, or nothing came for too long."""
        await self._load_first(forward, announce)
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    await self._wake.wait()
            except TimeoutError:
                await self._pay()
                if time.monotonic() - self._heard < self._overdue():
                    continue
                self._busy = True
            self._wake.clear()
            await settled()
            await self._fill(announce)
            await self._let_go(forward)

    def _overdue(self) -> float:
        return self.timeframe.micros / 1e6 + _OVERDUE_SECONDS

    def _patience(self) -> float:
        return _RETRY_SECONDS if self._owed else _OVERDUE_SECONDS / 2

    async def _load_first(self, forward: Pass, announce: Announce) -> None:
        newest: CandleFrame | None = None

        async def load() -> None:
            nonlocal newest
            span = await first_span(self.feed, self.store, self.symbol, self.timeframe, self._candles)
            self._owed = [span]
            async for page in backfill(self.feed, self.store, self.symbol, self.timeframe, span):
                newest = page
            self._owed = []
            self.expected = span[1]

        await self._patiently(load)
        if newest is not None:
            announce(newest.candle(-1))  # who follows the series loads the rest from the store
        await self._let_go(forward)

    async def _fill(self, announce: Announce) -> None:
        """What lies between the last candle and the first one held, or now."""

        async def load() -> None:
            end = self._held[0].open_ts if self._held else self.timeframe.floor(await self.feed.now())
            if self.expected is None or self.expected >= end:
                return
            async for page in backfill(self.feed, self.store, self.symbol, self.timeframe, (self.expected, end)):
                for i in range(len(page)):
                    announce(page.candle(i))
            self.expected = end

        await self._patiently(load)
        self._heard = time.monotonic()

    async def _pay(self) -> None:
        """Fetches what could not be had when it was needed. Nobody waits for it: it is not at the end of the tape."""
        try:
            for span in list(self._owed):
                async for _ in backfill(self.feed, self.store, self.symbol, self.timeframe, span):
                    pass
                self._owed.remove(span)
        except Transient as error:
            log.debug("history_delayed", symbol=self.symbol, timeframe=str(self.timeframe), problem=str(error))
        except Refused as error:
            log.error("history_refused", symbol=self.symbol, timeframe=str(self.timeframe), problem=str(error))
            self._owed = []

    async def _patiently(self, load: Callable[[], Awaitable[None]]) -> None:
        """Repeats a load that fails for a passing reason, but not while candles wait for longer than they may."""
        begun = time.monotonic()
        delay = 0.2
        while True:
            try:
                return await load()
            except Transient as error:
                log.info("history_delayed", symbol=self.symbol, timeframe=str(self.timeframe), problem=str(error))
                if self._held and time.monotonic() - begun > _HOLD_SECONDS:
                    return await self._give_up_waiting()
                await asyncio.sleep(delay)
                delay = min(_RETRY_SECONDS, delay * 2)
            except Refused as error:
                log.error("history_refused", symbol=self.symbol, timeframe=str(self.timeframe), problem=str(error))
                self._owed = []
                self.expected = self._held[0].open_ts if self._held else self.expected
                return None

    async def _give_up_waiting(self) -> None:
        end = self._held[0].open_ts
        if self.expected is not None and self.expected < end:
            self._owed.append((self.expected, end))
            log.warning("hole_left_for_later", symbol=self.symbol, timeframe=str(self.timeframe))
            with contextlib.suppress(Transient):  # the debt is remembered here in any case
                await self._note(self.expected, end)
        self.expected = end

    async def _note(self, start_ts: Micros, end_ts: Micros) -> None:
        """A hole; the candles that fill it close it."""
        channel = candle_channel(self.timeframe)
        await self.store.add_gaps([Gap(self.feed.exchange, self.symbol, channel, start_ts, end_ts, MISSED)])

    async def _let_go(self, forward: Pass) -> None:
        """What was held follows, in order; a new hole among it stops it again."""
        held, self._held = sorted(self._held, key=lambda c: c.open_ts), []
        self._busy = False
        for i, candle in enumerate(held):
            if self._busy:
                self._held.extend(held[i:])
                return
            if self.expected is None or candle.open_ts >= self.expected:
                await self.arrived(candle, forward)
