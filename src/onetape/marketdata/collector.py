"""Records the market: frames and closed candles into the stores, then hints onto the bus.

Facts first: a closed candle and a public trade are announced after their commit. The running candle, the quote and the
book are for people only and are announced at once, the newest winning over those not yet sent.

Every timeframe that somebody wants is subscribed to at the venue itself; 1m always, because fills are simulated on it.
A timeframe that the venue does not offer is built where it is read (`reading`) from the stored candles of one that
divides it, and not stored; only where there is none (30s, or what the venue refuses) it is built from trades, which are
recorded then, and stored.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from onetape.domain import topics
from onetape.domain.market import (
    WATCHED,
    Candle,
    Channel,
    Gap,
    InstrumentChange,
    MarketEvent,
    Print,
    Prints,
    RawFrame,
    Received,
    StreamState,
    Want,
)
from onetape.domain.markets import Recorded
from onetape.domain.services import Recording
from onetape.domain.units import SECOND, Micros, Timeframe
from onetape.marketdata.absence import Absences
from onetape.marketdata.audit import EQUAL, MISSING, NOT_JUDGED, PRICE, VOLUME
from onetape.marketdata.backfill import depth
from onetape.marketdata.commit import GroupCommit
from onetape.marketdata.doubts import Doubts
from onetape.marketdata.fetching import Fetching, Lengths, newest_rate
from onetape.marketdata.frames import Frames, Item
from onetape.marketdata.keeper import SeriesKeeper
from onetape.marketdata.latency import Histogram
from onetape.marketdata.mending import Mending
from onetape.marketdata.quality import Span, fault
from onetape.marketdata.rejudging import PastPrints, Rejudging
from onetape.marketdata.repair import Repairs, Served
from onetape.marketdata.stored import store_candles
from onetape.marketdata.streams import Tally
from onetape.marketdata.trades import CHANNELS, Trades, with_trades
from onetape.observe import log
from onetape.ports import AuditStore, Bus, CandleStore, Clock, MarketFeed, RawStore, Spool, Verdict

_DRAIN_SECONDS: Final = 3.0
_TELL_SECONDS: Final = 1.0
_NEWEST: Final = 200  # messages by which the rate of a symbol's trades is judged
_CARRIED: Final = ("live", "silent")  # states of a stream whose socket lives


def wants_for(symbols: Iterable[str], timeframes: Iterable[str], channels: Sequence[Channel] = WATCHED) -> list[Want]:
    """Streams for all symbols: candles of 1m and `timeframes`, and the other channels."""
    return Recorded(tuple(symbols), tuple(channels), tuple(timeframes)).wants()


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
        spool: Spool | None = None,
        audits: AuditStore | None = None,
        listed: Callable[[InstrumentChange], None] | None = None,
        missed_trades: Callable[[str], Micros | None] = lambda _: None,
        past_prints: PastPrints | None = None,
    ) -> None:
        self._feed, self._candles, self._raw, self._bus, self._clock = feed, candles, raw, bus, clock
        self._depth, self._spool, self._audits, self._listed = depth, spool, audits, listed
        self._closed: GroupCommit[tuple[Candle, bool]] = GroupCommit("candles", self._commit_candles)
        self._built: GroupCommit[tuple[Candle, bool]] = GroupCommit("built candles", self._commit_built)
        self._gaps: GroupCommit[Gap] = GroupCommit("gaps", self._commit_gaps)
        self._verdicts: GroupCommit[Verdict] = GroupCommit("verdicts", self._commit_verdicts, linger=0.5)
        self._frames = Frames(raw, candles, spool, bus, self._committed, feed.exchange)
        self._keepers: dict[tuple[str, str], tuple[SeriesKeeper, asyncio.Task[None]]] = {}
        self._hints: dict[str, MarketEvent] = {}
        self._hinted = asyncio.Event()
        self._wants = tuple(dict.fromkeys(wants))
        self._refused: frozenset[Want] = frozenset()  # candles
        self._changed = asyncio.Event()
        self._tally, self._trades = Tally(), Trades(feed.exchange)
        self._absences = Absences(feed.exchange)
        served = Served(self._recorded_trades, self._lengths, missed_trades, self._trades.newest, self._trades_filled)
        fetching = Fetching(feed, candles, self._keep_answer, self._frames_settled, self._trade_rate)
        self._repairs = Repairs(feed, candles, fetching, served)
        self._doubts = Doubts(feed, candles)
        self._mending = Mending(feed, candles, self._recorded_candles, self._repairs.soon)
        self._rejudging: Rejudging | None = None
        if audits is not None and past_prints is not None:
            self._rejudging = Rejudging(feed, candles, audits, past_prints, self._trades.source)
        self.measure_afresh()

    def measure_afresh(self) -> None:
        self._counts = dict.fromkeys(("frames", "candles", "prints", "gaps", "faults", "judged", "differing"), 0)
        self._latency = {name: Histogram() for name in ("frame_committed", "candle_committed", "hint_published")}

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and milliseconds from the socket to the commit or the bus.

        A candle that had to wait for a hole before it to be filled counts with its wait.
        """
        waiting = {"frames_waiting": self._frames.queue.waiting, "candles_waiting": self._candles_waiting()}
        done = {"late": self._trades.late, "repaired": self._repairs.repaired}
        return {**self._counts, **waiting, **done, **{name: h.summary() for name, h in self._latency.items()}}

    def _recording(self) -> Recording:
        waiting = {"frames": self._frames.queue.waiting, "candles": self._candles_waiting(), "gaps": self._gaps.waiting}
        if self._spool is not None:
            waiting["spool"] = self._spool.state.items
        stages = {name: histogram.took() for name, histogram in self._latency.items()}
        exchange, now, counts = self._feed.exchange, self._clock.now(), dict(self._counts)
        return Recording(exchange=exchange, ts=now, counts=counts, waiting=waiting, stages=stages)

    def _candles_waiting(self) -> int:
        return self._closed.waiting + self._built.waiting

    def want(self, wants: Sequence[Want]) -> None:
        """From now on these streams; those that were there before go on undisturbed."""
        new = tuple(dict.fromkeys(wants))
        if new != self._wants:
            self._wants = new
            self._changed.set()

    async def run(self) -> None:
        self._keepers, self._absences = {}, Absences(self._feed.exchange)
        self._frames.begin_with(self._begin)  # not before the streams: the database may be away
        try:
            async with asyncio.TaskGroup() as tasks:
                for queue in (self._closed, self._built, self._gaps, self._verdicts, self._frames):
                    tasks.create_task(queue.run())
                doubts = self._doubts.run((w.symbol, w.timeframe) for w in self._offered() if w.timeframe)
                for work in (self._send_hints(), self._tell(), self._repairs.run(), self._mending.run(), doubts):
                    tasks.create_task(work)
                if self._rejudging is not None:
                    tasks.create_task(self._rejudging.run(self._stored_series))
                self._changed.clear()
                tasks.create_task(self._consume(self._asked()))
                self._follow(tasks)
                while True:
                    await self._changed.wait()
                    self._changed.clear()
                    self._feed.change(self._asked())
                    self._follow(tasks)
        finally:
            await self._drain()

    async def _begin(self) -> None:
        await self._trades.begin(self._candles)
        for gap in await self._absences.begin(self._raw, self._spool, self._recorded()):
            await self._take_gap(gap)

    async def _drain(self) -> None:
        """Side by side: those that may wait on disk do not wait for those that cannot."""
        soon: tuple[GroupCommit[Any], ...] = (self._frames.queue, self._gaps, self._built)
        queues = (*soon, self._closed, self._verdicts)
        try:
            async with asyncio.timeout(_DRAIN_SECONDS), asyncio.TaskGroup() as tasks:
                for queue in queues:
                    tasks.create_task(queue.drain())
        except TimeoutError:
            log.warning("end_without_commit", left=sum(queue.waiting for queue in queues))

    def _asked(self) -> list[Want]:
        """What the venue is asked for, also while it refuses it."""
        return [w for w in self._recorded() if w.channel is not Channel.CANDLES or w.timeframe in self._feed.timeframes]

    def _offered(self) -> list[Want]:
        return [w for w in self._asked() if w not in self._refused]

    def _recorded(self) -> list[Want]:
        return with_trades(self._wants, self._comes)

    def _comes(self, candles: Want) -> bool:
        return candles.timeframe in self._feed.timeframes and candles not in self._refused

    def _hear_refused(self, states: Sequence[StreamState]) -> None:
        """Candles that the venue refuses of a symbol are built from its trades as long as it does."""
        refused = set(self._refused)
        for state in states:
            channel, _, timeframe = state.channel.partition(":")
            if channel == Channel.CANDLES:
                want = Want(state.symbol, Channel.CANDLES, timeframe)
                (refused.add if state.state == "refused" else refused.discard)(want)
        if refused != self._refused:
            self._refused = frozenset(refused)
            self._changed.set()

    def _follow(self, tasks: asyncio.TaskGroup) -> None:
        """Keepers for the series that are wanted. The streams come first, then the loads: nothing falls between."""
        self._trades.follow(self._recorded(), self._comes)
        wanted = {(w.symbol, w.timeframe) for w in self._offered() if w.channel is Channel.CANDLES}
        for key in [key for key in self._keepers if key not in wanted]:
            self._keepers.pop(key)[1].cancel()
        for symbol, text in sorted(wanted - self._keepers.keys()):
            timeframe = Timeframe.parse(text)
            keeper = SeriesKeeper(
                self._feed, self._candles, symbol, timeframe, self._depth(timeframe), self._repairs.at_once
            )
            task = tasks.create_task(keeper.run(self._forward, self._settled, self._announce))
            self._keepers[symbol, text] = (keeper, task)

    async def _consume(self, wants: Sequence[Want]) -> None:
        async for received in self._feed.stream(wants):
            if received.raw is not None and (gap := self._absences.first(received.raw)):
                await self._take_gap(gap)
            for event in received.events:
                await self._take(event)
            if received.raw is not None:
                await self._take_frame(received)

    async def _take_frame(self, received: Received) -> None:
        raw = received.raw
        assert raw is not None
        self._counts["frames"] += 1
        self._tally.message(raw)
        prints: tuple[Print, ...] = ()
        if raw.channel == self._trades.source(raw.symbol):
            prints = tuple(event for event in received.events if isinstance(event, Print))
            for built in self._trades.add(raw.symbol, prints):
                await self._built.put(built)
            for gap in self._trades.overdue():
                await self._take_gap(gap)
        await self._frames.queue.put((raw, prints))

    async def _take(self, event: MarketEvent) -> None:
        match event:
            case Candle():
                await self._take_candle(event)
            case Gap():
                await self._take_gap(event)
            case Print():
                pass  # prints travel with their frame
            case InstrumentChange():
                if self._listed is not None:
                    self._listed(event)
            case _:
                self._hint(topics.fleeting(event.exchange, event), event)

    async def _take_candle(self, candle: Candle) -> None:
        if problem := fault(candle):
            self._counts["faults"] += 1
            log.error("candle_refused", symbol=candle.symbol, open_ts=candle.open_ts, problem=problem)
            return
        self._trades.venue(candle, self._clock.now())
        if found := self._keepers.get((candle.symbol, candle.timeframe)):
            await found[0].arrived(candle, self._forward)

    async def _take_gap(self, gap: Gap) -> None:
        """Recorded; candles are fetched at once, trades a little later, and of the rest nobody keeps the past."""
        self._counts["gaps"] += 1
        for each in (gap, *self._trades.gap(gap)):
            self._tally.gap(each.symbol, each.channel)
            await self._gaps.put(each)
        for (symbol, timeframe), (keeper, _) in self._keepers.items():
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
            await asyncio.sleep(topics.HINT / SECOND)

    async def _tell(self) -> None:
        """Once a second: how the streams are, and which candles can be judged by now."""
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            trouble = "PostgreSQL is away: messages wait on disk." if self._frames.spooling else ""
            streams = self._tally.told(self._feed.streams(), trouble)
            self._bus.publish(topics.streams(self._feed.exchange), streams)
            self._bus.publish(topics.recording(self._feed.exchange), self._recording())
            self._hear_refused(streams.items)
            for each in streams.items:
                if each.channel == Channel.TRADES_ALL and each.state == "refused":
                    self._trades.refused(each.symbol)
            carried = [s for s in streams.items if s.state in _CARRIED]
            live = {s.symbol for s in carried if s.channel == self._trades.source(s.symbol)}
            for built in self._trades.advance(int(time.monotonic() * 1e6), live):
                await self._built.put(built)
            for verdict in self._trades.verdicts(self._clock.now()):
                self._counts["judged"] += verdict.verdict != NOT_JUDGED
                self._counts["differing"] += verdict.verdict not in (NOT_JUDGED, EQUAL)
                if verdict.verdict in (MISSING, PRICE, VOLUME):
                    self._doubts.put((verdict.symbol, verdict.timeframe), verdict.open_ts)
                if verdict.verdict == NOT_JUDGED and self._rejudging is not None:
                    self._rejudging.put((verdict.symbol, verdict.timeframe), verdict.open_ts)
                await self._verdicts.put(verdict)
                if gap := self._trades.lost(verdict):
                    await self._take_gap(gap)

    async def _forward(self, candle: Candle, told: bool) -> None:
        await self._closed.put((candle, told))

    def _announce(self, candle: Candle) -> None:
        self._bus.publish(topics.candle(candle.exchange, candle.symbol, candle.timeframe), candle)

    async def _commit_candles(self, candles: list[tuple[Candle, bool]]) -> None:
        """Each with whether it is to be announced: one that is only corrected is not, who listens had it before."""
        await store_candles(self._candles, [candle for candle, _ in candles])
        self._tell_candles(candles)

    async def _commit_built(self, candles: list[tuple[Candle, bool]]) -> None:
        if await self._frames.keep_candles([candle for candle, _ in candles]):
            self._tell_candles(candles)

    def _tell_candles(self, candles: list[tuple[Candle, bool]]) -> None:
        self._counts["candles"] += len(candles)
        newest = {(candle.symbol, candle.timeframe, candle.open_ts): candle for candle, _ in candles}
        for candle, announced in candles:
            self._measure("candle_committed", candle.recv_ts)
            if announced:
                self._announce(newest[candle.symbol, candle.timeframe, candle.open_ts])

    async def _commit_gaps(self, gaps: list[Gap]) -> None:
        for gap in await self._frames.keep_gaps(gaps):
            self._bus.publish(topics.gap(gap.exchange, gap.symbol), gap)
        self._repairs.wake.set()

    async def _commit_verdicts(self, verdicts: list[Verdict]) -> None:
        if self._audits is not None:
            await self._audits.judged(verdicts)

    def _trades_filled(self, symbol: str, span: Span) -> None:
        if self._rejudging is not None:
            self._rejudging.touched(self._trades.audited(symbol), span)

    def _stored_series(self) -> list[tuple[str, str]]:
        """Those that are audited and whose candles and messages of the past are in the tables."""
        known = {key for key, (keeper, _) in self._keepers.items() if keeper.expected is not None}
        return [] if self._frames.spooling else [key for key in self._trades.audited() if key in known]

    async def _settled(self) -> None:
        await self._gaps.settled()
        await self._built.settled()
        await self._closed.settled()

    async def _keep_answer(self, raw: RawFrame) -> None:
        await self._frames.queue.put((raw, ()))

    async def _frames_settled(self) -> None:
        await self._frames.queue.settled()
        await self._frames.emptied()

    async def _trade_rate(self, symbol: str) -> float:
        source = self._trades.source(symbol)
        return newest_rate(await self._raw.tail(self._feed.exchange, symbol, source, _NEWEST) if source else [])

    def _lengths(self, symbol: str) -> Lengths:
        offered = (w.timeframe for w in self._offered() if w.channel is Channel.CANDLES and w.symbol == symbol)
        return Lengths(tuple(self._trades.built(symbol)), tuple(Timeframe.parse(text) for text in offered))

    def _recorded_trades(self) -> list[str]:
        return list(dict.fromkeys(w.symbol for w in self._recorded() if w.channel in CHANNELS))

    def _recorded_candles(self) -> list[tuple[str, str]]:
        offered = [(w.symbol, w.timeframe) for w in self._offered() if w.channel is Channel.CANDLES]
        symbols = self._recorded_trades()
        return [*offered, *((symbol, str(each)) for symbol in symbols for each in self._trades.built(symbol))]

    def _committed(self, frames: list[Item]) -> None:
        """Trades are told in one message for each symbol: a message each would cost more than to store them."""
        now, committed = self._clock.now(), self._latency["frame_committed"]
        by_symbol: dict[str, list[Print]] = {}
        for raw, prints in frames:
            if raw.recv_ts:
                committed.add((now - raw.recv_ts) / 1e3)
            if prints:
                by_symbol.setdefault(raw.symbol, []).extend(prints)
        for symbol, trades in by_symbol.items():
            self._counts["prints"] += len(trades)
            exchange = self._feed.exchange
            self._bus.publish(topics.prints(exchange, symbol), Prints(exchange, symbol, tuple(trades)))

    def _measure(self, stage: str, recv_ts: Micros) -> None:
        if recv_ts:
            self._latency[stage].add((self._clock.now() - recv_ts) / 1e3)
