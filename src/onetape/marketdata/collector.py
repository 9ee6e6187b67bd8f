"""Records the market: frames and closed candles into the stores, then hints onto the bus.

Facts first: a closed candle and a public trade are announced after their commit. The running candle, the quote and the
book are for people only and are announced at once, the newest winning over those not yet sent.

Every timeframe that somebody wants is subscribed to at the venue itself; 1m always, because fills are simulated on it.
A timeframe that the venue does not offer is built from stored 1m candles where it is read (`reading`), not stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from onetape.domain import topics
from onetape.domain.frame import CandleFrame
from onetape.domain.market import (
    WATCHED,
    Book,
    Candle,
    Channel,
    Forming,
    Gap,
    MarketEvent,
    Print,
    Quote,
    RawFrame,
    Want,
)
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata.backfill import depth, filled
from onetape.marketdata.commit import GroupCommit
from onetape.marketdata.keeper import SeriesKeeper
from onetape.marketdata.latency import Histogram
from onetape.marketdata.quality import fault
from onetape.observe import log
from onetape.ports import Bus, CandleStore, Clock, MarketFeed, RawStore

_HINT_SECONDS: Final = 0.02  # a topic of the newest-wins kind is sent at most so often
_RAW_LINGER_SECONDS: Final = 0.002
_DRAIN_SECONDS: Final = 3.0


def wants_for(symbols: Iterable[str], timeframes: Iterable[str], channels: Sequence[Channel] = WATCHED) -> list[Want]:
    """Streams for all symbols: candles of 1m and `timeframes`, and the other channels."""
    lengths = dict.fromkeys(["1m", *(str(Timeframe.parse(t)) for t in timeframes)])
    return [
        Want(symbol, channel, timeframe)
        for symbol in dict.fromkeys(symbols)
        for channel in channels
        for timeframe in (lengths if channel is Channel.CANDLES else [""])
    ]


class Collector:
    """Everything of one feed. `run` goes on until it is cancelled, and then commits what it still holds."""

    def __init__(
        self,
        feed: MarketFeed,
        candles: CandleStore,
        raw: RawStore,
        bus: Bus,
        clock: Clock,
        wants: Sequence[Want],
        *,
        depth: Callable[[Timeframe], int] = depth,
    ) -> None:
        self._feed, self._candles, self._raw, self._bus, self._clock = feed, candles, raw, bus, clock
        self._depth = depth
        self._closed = GroupCommit("candles", self._commit_candles)
        self._gaps = GroupCommit("gaps", self._commit_gaps)
        self._frames = GroupCommit("frames", self._commit_frames, linger=_RAW_LINGER_SECONDS)
        self._keepers: dict[tuple[str, str], SeriesKeeper] = {}
        self._hints: dict[str, MarketEvent] = {}
        self._hinted = asyncio.Event()
        self._wants = tuple(dict.fromkeys(wants))
        self._changed = asyncio.Event()
        self.measure_afresh()

    def measure_afresh(self) -> None:
        self._counts = dict.fromkeys(("frames", "candles", "prints", "gaps", "faults"), 0)
        self._latency = {name: Histogram() for name in ("frame_committed", "candle_committed", "hint_published")}

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and milliseconds from the socket to the commit or the bus.

        A candle that had to wait for a hole before it to be filled counts with its wait.
        """
        waiting = {"frames_waiting": self._frames.waiting, "candles_waiting": self._closed.waiting}
        return {**self._counts, **waiting, **{name: h.summary() for name, h in self._latency.items()}}

    def want(self, wants: Sequence[Want]) -> None:
        """From now on these streams; what is missing through the change is fetched."""
        new = tuple(dict.fromkeys(wants))
        if new != self._wants:
            self._wants = new
            self._changed.set()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for queue in (self._closed, self._gaps, self._frames):
                    tasks.create_task(queue.run())
                tasks.create_task(self._send_hints())
                while True:
                    self._changed.clear()
                    await self._follow(self._wants)
        finally:
            await self._drain()

    async def _drain(self) -> None:
        queues = (self._closed, self._gaps, self._frames)
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                for queue in queues:
                    await queue.drain()
        except TimeoutError:
            log.warning("end_without_commit", left=sum(queue.waiting for queue in queues))

    async def _follow(self, wants: Sequence[Want]) -> None:
        """Until the wants change. The streams come first, then the loads, so that nothing falls between them."""
        offered = [w for w in wants if w.channel is not Channel.CANDLES or w.timeframe in self._feed.timeframes]
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(self._consume(offered))]
            self._keepers = {}
            for want in offered:
                if want.channel is Channel.CANDLES:
                    keeper = self._keeper(want)
                    self._keepers[(want.symbol, str(keeper.timeframe))] = keeper
                    work.append(tasks.create_task(keeper.run(self._closed.put, self._settled, self._announce)))
            await self._changed.wait()
            for task in work:
                task.cancel()

    def _keeper(self, want: Want) -> SeriesKeeper:
        timeframe = Timeframe.parse(want.timeframe)
        return SeriesKeeper(self._feed, self._candles, want.symbol, timeframe, self._depth(timeframe))

    async def _consume(self, wants: Sequence[Want]) -> None:
        async for received in self._feed.stream(wants):
            for event in received.events:
                await self._take(event)
            if received.raw is not None:
                self._counts["frames"] += 1
                await self._frames.put((received.raw, tuple(e for e in received.events if isinstance(e, Print))))

    async def _take(self, event: MarketEvent) -> None:
        match event:
            case Candle():
                await self._take_candle(event)
            case Forming():
                self._hint(topics.forming(event.exchange, event.symbol, event.timeframe), event)
            case Quote():
                self._hint(topics.quote(event.exchange, event.symbol), event)
            case Book():
                self._hint(topics.book(event.exchange, event.symbol), event)
            case Gap():
                await self._take_gap(event)
            case _:
                pass  # prints travel with their frame

    async def _take_candle(self, candle: Candle) -> None:
        if problem := fault(candle):
            self._counts["faults"] += 1
            log.error("candle_refused", symbol=candle.symbol, open_ts=candle.open_ts, problem=problem)
            return
        keeper = self._keepers.get((candle.symbol, candle.timeframe))
        if keeper is not None:
            await keeper.arrived(candle, self._closed.put)

    async def _take_gap(self, gap: Gap) -> None:
        """Recorded; candles are fetched at once, for the rest a gap stays a gap."""
        self._counts["gaps"] += 1
        await self._gaps.put(gap)
        for (symbol, timeframe), keeper in self._keepers.items():
            if symbol == gap.symbol and gap.channel == Want(symbol, Channel.CANDLES, timeframe).name:
                keeper.doubt()

    def _hint(self, topic: str, event: MarketEvent) -> None:
        self._hints[topic] = event
        self._hinted.set()

    async def _send_hints(self) -> None:
        while True:
            await self._hinted.wait()
            self._hinted.clear()
            hints, self._hints = self._hints, {}
            for topic, event in hints.items():
                self._bus.publish(topic, event)
                self._measure("hint_published", getattr(event, "recv_ts", 0))
            await asyncio.sleep(_HINT_SECONDS)

    def _announce(self, candle: Candle) -> None:
        self._bus.publish(topics.candle(candle.exchange, candle.symbol, candle.timeframe), candle)

    async def _commit_candles(self, candles: list[Candle]) -> None:
        series: dict[tuple[str, str], list[Candle]] = {}
        for candle in candles:
            series.setdefault((candle.symbol, candle.timeframe), []).append(candle)
        await asyncio.gather(*(self._candles.append(CandleFrame.from_candles(rows)) for rows in series.values()))
        self._counts["candles"] += len(candles)
        for candle in candles:
            self._measure("candle_committed", candle.recv_ts)
            self._announce(candle)

    async def _commit_gaps(self, gaps: list[Gap]) -> None:
        real = [gap for gap in gaps if not await filled(self._candles, gap)]
        await self._candles.add_gaps(real)
        for gap in real:
            self._bus.publish(topics.gap(gap.exchange, gap.symbol), gap)

    async def _settled(self) -> None:
        await self._gaps.settled()
        await self._closed.settled()

    async def _commit_frames(self, frames: list[tuple[RawFrame, tuple[Print, ...]]]) -> None:
        await self._raw.append([raw for raw, _ in frames])
        for raw, prints in frames:
            self._measure("frame_committed", raw.recv_ts)
            self._counts["prints"] += len(prints)
            for trade in prints:
                self._bus.publish(topics.prints(trade.exchange, trade.symbol), trade)

    def _measure(self, stage: str, recv_ts: Micros) -> None:
        if recv_ts:
            self._latency[stage].add((self._clock.now() - recv_ts) / 1e3)
