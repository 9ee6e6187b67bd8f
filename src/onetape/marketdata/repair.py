"""Missed trades, fetched again: holes of the trade channels, oldest first, from the venue's past trades.

The answers are stored like every other message (channel `trades_rest`), and a replay tells their trades in their place
(`missed`). A long hole is worked off in gaps of an hour at most, so an interruption costs no more than that; holes
longer than `LONGEST_HOLE` are left open: the trades of a busy day are ten thousand requests, and the candles of the
same time are there anyway. A hole that cannot be filled now does not keep the others waiting (`turns`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import FROM_TRADES, NONE_THERE, Candle, Gap, Print, RawFrame, candle_channel
from onetape.domain.units import HOUR, SECOND, Micros, Timeframe
from onetape.marketdata.aggregator import CandleBuilder
from onetape.marketdata.quality import Span
from onetape.marketdata.trades import CHANNELS
from onetape.marketdata.turns import Turns
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

LONGEST_HOLE: Final[Micros] = 6 * HOUR  # of one hole; the stated limit on cost
SPLIT: Final = "split into shorter gaps"
_PIECE: Final = HOUR
_FEW: Final = 10  # spans that are asked for while candles are backfilled
_LOOK_SECONDS: Final = 60.0  # without being woken
_RETRY_SECONDS: Final = 5.0
_SETTLE: Final = 2 * SECOND  # until the venue's past surely has a trade

Keep = Callable[[RawFrame], Awaitable[None]]
Settled = Callable[[], Awaitable[None]]


class Repairs:
    """`run` for ever. `keep` stores a message, `settled` returns when what was kept is in the table."""

    def __init__(self, feed: MarketFeed, candles: CandleStore, keep: Keep, settled: Settled) -> None:
        self._feed, self._candles = feed, candles
        self._keep, self._settled = keep, settled
        self._built: Callable[[str], list[Timeframe]] = lambda _: []
        self._symbols: Callable[[], Iterable[str]] = lambda: ()
        self._newest: Callable[[str], Micros] = lambda _: -1
        self._seen: dict[Gap, float] = {}  # by our own clock, in seconds
        self._turns = Turns()
        self._got: dict[Gap, Micros] = {}  # how far each has come, where it was interrupted
        self.wake = asyncio.Event()
        self.repaired = 0

    def serve(
        self,
        symbols: Callable[[], Iterable[str]],
        built: Callable[[str], list[Timeframe]],
        newest: Callable[[str], Micros],
    ) -> None:
        """Of which symbols trades are recorded, which lengths of candles are built from them, and the time of the
        newest trade that the stream brought."""
        self._symbols, self._built, self._newest = symbols, built, newest

    async def run(self) -> None:
        while True:
            self.wake.clear()
            try:
                pause = await self.work()
            except Transient as error:
                log.debug("repair_delayed", problem=str(error))
                pause = _RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self.wake.wait()
            except TimeoutError:
                pass

    async def work(self) -> float:
        """Every hole whose turn it is, once, and gives the seconds until it is worth another look. Raises Transient
        when neither the holes nor the venue can be asked."""
        found = await self._open()
        self._got = {gap: ts for gap, ts in self._got.items() if gap in found}
        self._seen = {gap: self._seen.get(gap, time.monotonic()) for gap in found}
        due = self._turns.due(found)
        now = await self._feed.now() if due else 0
        ripe = [gap for gap in due if self._span(gap)[1] + _SETTLE <= now and self._over(gap)]
        pause = self._turns.seconds(_LOOK_SECONDS) if len(ripe) == len(due) else _SETTLE / 1e6
        closed: set[Gap] = set()
        for gap in ripe:
            if gap in closed:
                continue
            try:
                if gap.end_ts - gap.start_ts > _PIECE:
                    await self._split(gap)
                    pause = 0.0
                else:
                    closed |= await self.repair(gap)
            except Transient as error:
                log.debug("repair_delayed", symbol=gap.symbol, problem=str(error))
                self._turns.later(gap)
            except Refused as error:
                says = f"Trades of {gap.symbol} that were missed stay missing for now: {error}"
                log.warning("trades_not_repaired", says=says, start_ts=gap.start_ts, end_ts=gap.end_ts)
                self._turns.aside(gap)
        return min(pause, self._turns.seconds(_LOOK_SECONDS))

    async def _open(self) -> list[Gap]:
        symbols = set(self._symbols())
        found = await self._candles.gaps(self._feed.exchange, None, None) if symbols else []
        return [
            g for g in found if g.channel in CHANNELS and g.symbol in symbols and g.end_ts - g.start_ts <= LONGEST_HOLE
        ]

    async def _split(self, gap: Gap) -> None:
        edges = [gap.start_ts, *range(gap.start_ts // _PIECE * _PIECE + _PIECE, gap.end_ts, _PIECE), gap.end_ts]
        where = (gap.exchange, gap.symbol, gap.channel)
        await self._candles.add_gaps([Gap(*where, a, b, gap.cause) for a, b in itertools.pairwise(edges)])
        await self._candles.close_gaps([gap], SPLIT)

    def _over(self, gap: Gap) -> bool:
        """Whether the last candle to be built has ended: a trade after it has come, or so much time has passed by our
        own clock. The venue's may be wrong, and a candle that still runs would be stored as it stands."""
        end = self._span(gap)[1]
        passed = (time.monotonic() - self._seen[gap]) * SECOND
        return self._newest(gap.symbol) >= end or passed >= end - gap.end_ts

    def _span(self, gap: Gap) -> Span:
        """A little more than the hole where candles are built from its trades: they need all trades of their time."""
        lengths = self._built(gap.symbol)
        starts = [each.floor(gap.start_ts) for each in lengths]
        return min(starts, default=gap.start_ts), max(
            (each.next(gap.end_ts) for each in lengths), default=gap.end_ts + 1
        )

    async def _with_candles(self, gap: Gap) -> Span:
        """The span of a hole, and before it the built candles that were not stored when the program ended."""
        start, end = self._span(gap)
        for each in self._built(gap.symbol):
            for other in await self._candles.gaps(gap.exchange, gap.symbol, candle_channel(each)):
                if start - _PIECE <= other.start_ts < start <= other.end_ts:
                    start = other.start_ts
        return start, end

    async def repair(self, gap: Gap) -> set[Gap]:
        """Fills one hole and closes it, and all others of the symbol's trades inside it. Raises Transient, Refused; the
        next try goes on from where this one came to."""
        start, end = await self._with_candles(gap)
        lengths = self._built(gap.symbol)
        resumed = max(start, self._got.get(gap, start))
        begin = min((each.floor(resumed) for each in lengths), default=resumed)
        builders = [CandleBuilder(gap.exchange, gap.symbol, each) for each in lengths]
        prints = 0
        async for received in self._feed.past_trades(gap.symbol, begin, end):
            if received.raw is not None:
                await self._keep(received.raw)
            trades = [event for event in received.events if isinstance(event, Print)]
            prints += len(trades)
            await self._store([c for t in trades for b in builders if (c := b.add(t))])
            if trades:
                self._got[gap] = trades[-1].ts
        await self._store([c for b in builders if (c := b.advance(end))])
        await self._settled()
        closed = await self._close(gap, (start, end), FROM_TRADES if prints or resumed > start else NONE_THERE)
        self._got.pop(gap, None)
        self.repaired += 1
        log.info("trades_backfilled", symbol=gap.symbol, trades=prints, start_ts=gap.start_ts, end_ts=gap.end_ts)
        return closed

    async def _store(self, candles: Sequence[Candle]) -> None:
        series: dict[str, list[Candle]] = {}
        for candle in candles:
            series.setdefault(candle.timeframe, []).append(candle)
        for rows in series.values():
            await self._candles.append(CandleFrame.from_candles(rows))

    async def _close(self, gap: Gap, span: Span, how: str) -> set[Gap]:
        closing = [gap]
        for channel in CHANNELS:
            for other in await self._candles.gaps(gap.exchange, gap.symbol, channel):
                if span[0] <= other.start_ts and other.end_ts <= span[1]:
                    closing.append(other)  # noqa: PERF401
        await self._candles.close_gaps(list(dict.fromkeys(closing)), how)
        return set(closing)


async def from_trades(feed: MarketFeed, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> CandleFrame | None:
    """Candles for a few short spans that the venue's candles lack, built from its past trades; none where nothing was
    traded, None where it tells none or too much would have to be asked for. Raises Transient."""
    if len(spans) > _FEW or sum(end - start for start, end in spans) > LONGEST_HOLE:
        return None
    found: list[Candle] = []
    try:
        for start, end in spans:
            builder = CandleBuilder(feed.exchange, symbol, timeframe)
            async for received in feed.past_trades(symbol, start, end):
                trades = (event for event in received.events if isinstance(event, Print))
                found += [candle for trade in trades if (candle := builder.add(trade))]
            found += [candle for candle in (builder.advance(end),) if candle]
    except Refused as error:
        log.debug("no_past_trades", symbol=symbol, problem=str(error))
        return None
    return CandleFrame.from_candles(found) if found else CandleFrame.empty(feed.exchange, symbol, timeframe)
