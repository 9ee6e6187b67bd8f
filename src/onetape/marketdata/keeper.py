"""Keeps one candle series whole: no candle is passed on before all the ones before it are stored.

While a hole is being filled (at start, after an absence, when a candle does not join on to the last one) the candles
that arrive are held; then they follow in order. When the venue's history cannot be had for a while, or is refused, the
hole is recorded as a gap, what is held goes on, and the debt is paid later. A candle that comes late or comes again is
stored, because the newest word counts; it is not told, because it is not the end of the tape.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from onetape.clock import backoff_delays
from onetape.domain.errors import Damaged, Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Gap, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata.backfill import First, backfill, first_span, open_spans
from onetape.marketdata.quality import Span
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

MISSED: Final = "the stream did not bring it"
REFUSED: Final = "the venue refused its past"
_HOLD_SECONDS: Final = 15.0
_OVERDUE_SECONDS: Final = 10.0
_FIRST_RETRY_SECONDS: Final = 0.2
_RETRY_SECONDS: Final = 5.0

Pass = Callable[[Candle, bool], Awaitable[None]]  # to commit, and to publish if true
Announce = Callable[[Candle], None]  # publish what is committed already


class SeriesKeeper:
    """One series. `expected` is the open time of the next candle; None before anything is known. `first` may build the
    candles of a hole from trades before the venue's are asked for."""

    def __init__(
        self,
        feed: MarketFeed,
        store: CandleStore,
        symbol: str,
        timeframe: Timeframe,
        candles: int,
        first: First | None = None,
    ) -> None:
        self._first = first
        self.feed, self.store, self.symbol, self.timeframe = feed, store, symbol, timeframe
        self.expected: Micros | None = None
        self._candles = candles
        self._held: list[Candle] = []
        self._owed: list[Span] = []
        self._unseen: tuple[Micros, str] | None = None  # the past before that time was not looked at, and why
        self._notes: list[Gap] = []  # holes that are not recorded yet
        self._busy = True  # until `run` has loaded
        self._heard = time.monotonic()
        self._wake = asyncio.Event()

    async def arrived(self, candle: Candle, forward: Pass) -> None:
        """A closed candle from the stream."""
        self._heard = time.monotonic()
        if self.expected is not None and candle.open_ts < self.expected:
            await forward(candle, False)
        elif self._busy or candle.open_ts != self.expected:
            self._held.append(candle)
            self._busy = True
            self._wake.set()
        else:
            self.expected = candle.close_ts
            await forward(candle, True)

    def doubt(self) -> None:
        """The stream was away: what is missing is fetched without waiting for the next candle."""
        self._busy = True
        self._wake.set()

    async def run(self, forward: Pass, settled: Callable[[], Awaitable[None]], announce: Announce) -> None:
        """For ever: loads at start, then whenever there is a hole, or nothing came for too long."""
        while True:
            self._wake.clear()
            await self._catch_up(announce)
            await self._let_go(forward)
            await self._until_needed()
            await settled()

    async def _until_needed(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    await self._wake.wait()
                return
            except TimeoutError:
                await self._pay()
                if time.monotonic() - self._heard >= self._overdue():
                    self._busy = True
                    return

    def _overdue(self) -> float:
        return self.timeframe.micros / 1e6 + _OVERDUE_SECONDS

    def _patience(self) -> float:
        return _RETRY_SECONDS if self._owed or self._notes or self._unseen else _OVERDUE_SECONDS / 2

    async def _catch_up(self, announce: Announce) -> None:
        newest: list[CandleFrame] = []
        span: Span | None = None  # decided once: each look leaves a gap up to its end

        async def load() -> None:
            nonlocal span
            if self.expected is not None:
                return await self._load_hole(announce)
            left: list[Span] = []
            if span is None:
                span = await first_span(self.feed, self.store, self.symbol, self.timeframe, self._candles)
            async for page in self._backfill(span, left):
                newest[:] = sorted((*newest, page), key=lambda p: int(p.ts[-1]))[-1:]
            self._reached(span[1], left, to_candle=False)
            return None

        await self._patiently(load)
        if newest:
            announce(newest[0].candle(-1))  # who follows the series loads the rest from the store
        self._heard = time.monotonic()

    async def _load_hole(self, announce: Announce) -> None:
        """What lies between the last candle and the first one held, or now."""
        held = self._first_held()
        end = self.timeframe.floor(await self.feed.now()) if held is None else held
        if self.expected is None or self.expected >= end:
            return
        left: list[Span] = []
        async for page in self._backfill((self.expected, end), left):
            for i in range(len(page)):
                announce(page.candle(i))
        self._reached(end, left, to_candle=held is not None)

    def _backfill(self, span: Span, left: list[Span]) -> AsyncIterator[CandleFrame]:
        return backfill(self.feed, self.store, self.symbol, self.timeframe, span, left, self._first)

    def _first_held(self) -> Micros | None:
        later = (c.open_ts for c in self._held if self.expected is None or c.open_ts >= self.expected)
        return min(later, default=None)

    def _reached(self, end_ts: Micros, left: list[Span], to_candle: bool) -> None:
        """All before `end_ts` is there but `left`, which is too fresh: the newest of it is waited for, unless the
        stream is further already."""
        if left and left[-1][1] == end_ts and not to_candle:
            end_ts = left.pop()[0]
        self.expected = end_ts
        self._owe(left, MISSED)

    def _owe(self, spans: list[Span], cause: str) -> None:
        """Holes; the candles that fill them close them. What the venue refuses is left to the repair."""
        series = (self.feed.exchange, self.symbol, candle_channel(self.timeframe))
        self._notes += [Gap(*series, start, end, cause) for start, end in spans]
        if cause == MISSED:
            self._owed += spans

    async def _pay(self) -> None:
        """Fetches what could not be had when it was needed. Nobody waits for it: it is not at the end of the tape."""
        try:
            await self._record()
            for span in list(self._owed):
                left: list[Span] = []
                try:
                    async for _ in self._backfill(span, left):
                        pass
                except Refused as error:
                    self._refused(error)
                    self._owe([span], _cause(error))
                self._owed.remove(span)
                self._owed += left
            await self._record()
        except Transient as error:
            log.debug("history_delayed", symbol=self.symbol, timeframe=str(self.timeframe), problem=str(error))

    async def _record(self) -> None:
        """Writes down the holes that are known, and looks for those that are not. Raises Transient."""
        if self._unseen is not None:
            end, cause = self._unseen
            span = await first_span(self.feed, self.store, self.symbol, self.timeframe, self._candles, end)
            holes = await open_spans(self.store, self.feed.exchange, self.symbol, self.timeframe, span)
            self._unseen = None
            self._owe(holes, cause)
        if self._notes:
            notes = list(self._notes)
            await self.store.add_gaps(notes)
            self._notes = self._notes[len(notes) :]

    async def _patiently(self, load: Callable[[], Awaitable[None]]) -> None:
        """Repeats a load that fails for a passing reason, but not while candles wait for longer than they may."""
        begun = time.monotonic()
        for delay in backoff_delays(_FIRST_RETRY_SECONDS, _RETRY_SECONDS, at_once=False):
            try:
                await load()
                await self._record()
            except Transient as error:
                self._delayed(error)
                if self._first_held() is None or time.monotonic() - begun <= _HOLD_SECONDS:
                    await asyncio.sleep(delay)
                    continue
                await self._go_on(MISSED)
            except Refused as error:
                self._refused(error)
                await self._go_on(_cause(error))
            return

    async def _go_on(self, cause: str) -> None:
        """With what is held, over a hole. Without anything held there is nothing to go on with."""
        end = self._first_held()
        if end is None:
            return
        if self.expected is None:
            self._unseen = (end, cause)
        elif self.expected < end:
            self._owe([(self.expected, end)], cause)
        self.expected = end
        log.warning("hole_left_for_later", symbol=self.symbol, timeframe=str(self.timeframe), cause=cause)
        try:
            await self._record()
        except Transient as error:
            self._delayed(error)  # it is remembered here in any case

    def _delayed(self, error: Transient) -> None:
        log.info("history_delayed", symbol=self.symbol, timeframe=str(self.timeframe), problem=str(error))

    def _refused(self, error: Refused) -> None:
        log.error("history_refused", symbol=self.symbol, timeframe=str(self.timeframe), problem=str(error))

    async def _let_go(self, forward: Pass) -> None:
        """What was held follows, in order; a new hole among it stops it again."""
        held, self._held = sorted(self._held, key=lambda c: c.open_ts), []
        self._busy = False
        for i, candle in enumerate(held):
            if self._busy:
                self._held.extend(held[i:])
                return
            await self.arrived(candle, forward)


def _cause(error: Refused) -> str:
    return str(error) if isinstance(error, Damaged) else f"{REFUSED}: {error}"
