"""What is traded, kept up to date: what the stream says at once, what REST says once an hour. A change is stored with
its time, then announced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from onetape.clock import backoff_delays
from onetape.domain import topics
from onetape.domain.errors import Refused, Transient
from onetape.domain.instrument import DELISTED, Instrument
from onetape.domain.market import InstrumentChange
from onetape.observe import log
from onetape.ports import Bus, Clock, InstrumentStore, MarketFeed

REFRESH_SECONDS: Final = 3_600.0
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 60.0  # seconds between two tries


class Instruments:
    """Of one exchange. `said` takes what the stream brings; `run` for ever."""

    def __init__(
        self,
        feed: MarketFeed,
        store: InstrumentStore,
        bus: Bus,
        clock: Clock,
        refresh_seconds: float = REFRESH_SECONDS,
        first_wait: float = _FIRST_WAIT,
    ) -> None:
        self._feed, self._store, self._bus, self._clock = feed, store, bus, clock
        self._refresh_seconds, self._first_wait = refresh_seconds, first_wait
        self._known: dict[str, Instrument] | None = None  # by symbol
        self._said: list[InstrumentChange] = []
        self._wake = asyncio.Event()

    def said(self, change: InstrumentChange) -> None:
        """The venue states an instrument anew, at the moment of receipt by its own clock: the channel says no time."""
        offset = round(self._feed.streams().clock_offset_ms * 1e3)
        self._said.append(msgspec.structs.replace(change, ts=change.recv_ts + offset))
        self._wake.set()

    async def run(self) -> None:
        waits, due = self._waits(), 0.0
        while True:
            self._wake.clear()
            try:
                await self._take_said()
                if time.monotonic() >= due:
                    await self._refresh()
                    due = time.monotonic() + self._refresh_seconds
                waits, pause = self._waits(), due - time.monotonic()
            except (Transient, Refused) as error:
                log.info("instruments_delayed", exchange=self._feed.exchange, problem=str(error))
                pause = next(waits)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, pause)):
                    await self._wake.wait()

    def _waits(self) -> Iterator[float]:
        return backoff_delays(self._first_wait, _LONGEST_WAIT, at_once=False)

    async def _take_said(self) -> None:
        if said := list(self._said):
            await self._take(said)
            del self._said[: len(said)]

    async def _refresh(self) -> None:
        """All that the venue lists; what it lists no more is delisted. Raises Transient, Refused."""
        listed = {each.symbol: each for each in await self._feed.instruments()}
        if not listed:
            return
        known = await self._all_known()
        gone = [
            msgspec.structs.replace(each, state=DELISTED)
            for symbol, each in known.items()
            if symbol not in listed and each.state != DELISTED
        ]
        ts, now = await self._feed.now(), self._clock.now()
        await self._take(
            [InstrumentChange(each.exchange, each.symbol, ts, each, None, now) for each in (*listed.values(), *gone)]
        )

    async def _all_known(self) -> dict[str, Instrument]:
        if self._known is None:
            self._known = {each.symbol: each for each in await self._store.known(self._feed.exchange)}
        return self._known

    async def _take(self, said: Sequence[InstrumentChange]) -> None:
        """Stores what is not as it was, then tells it."""
        known = await self._all_known()
        first, now = not known, dict(known)
        changes = []
        for each in said:
            before = now.get(each.symbol)
            if before != each.instrument:
                changes.append(msgspec.structs.replace(each, before=before))
                now[each.symbol] = each.instrument
        if not changes:
            return
        await self._store.change(changes)
        self._known = now
        for change in () if first else changes:
            log.info("instrument_changed", symbol=change.symbol, state=change.instrument.state, what=change.changed)
            self._bus.publish(topics.instrument(change.exchange, change.symbol), change)
