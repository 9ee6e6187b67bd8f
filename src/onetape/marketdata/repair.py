"""Missed trades, fetched again: holes of the trade channels, oldest first, from the venue's past trades.

The answers are stored like every other message (channel `trades_rest`), so a replay has them too. After an interruption
it goes on from the newest answer that is stored. Holes longer than `REACH` are left open: the trades of a busy day are
ten thousand requests, and the candles of the same time are there anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import FROM_TRADES, NONE_THERE, Candle, Gap, Print, RawFrame
from onetape.domain.units import HOUR, SECOND, Micros, Timeframe
from onetape.marketdata.aggregator import CandleBuilder
from onetape.marketdata.quality import Span
from onetape.marketdata.trades import CHANNELS
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed, RawStore

REACH: Final[Micros] = 6 * HOUR  # of one hole; the stated limit on cost
ANSWERS: Final = "trades_rest"
_FEW: Final = 10  # spans that are asked for while candles are backfilled
_LOOK_SECONDS: Final = 5.0
_SETTLE: Final = 2 * SECOND  # until the venue's past surely has a trade

Keep = Callable[[RawFrame], Awaitable[None]]
Settled = Callable[[], Awaitable[None]]


class Repairs:
    """`run` for ever. `keep` stores a message, `settled` returns when what was kept is in the table."""

    def __init__(self, feed: MarketFeed, candles: CandleStore, raw: RawStore, keep: Keep, settled: Settled) -> None:
        self._feed, self._candles, self._raw = feed, candles, raw
        self._keep, self._settled = keep, settled
        self._built: Callable[[str], list[Timeframe]] = lambda _: []
        self._symbols: Callable[[], Iterable[str]] = lambda: ()
        self._left: set[Gap] = set()  # those that cannot be repaired now
        self.wake = asyncio.Event()
        self.repaired = 0

    def serve(self, symbols: Callable[[], Iterable[str]], built: Callable[[str], list[Timeframe]]) -> None:
        """Of which symbols trades are recorded, and which lengths of candles are built from them."""
        self._symbols, self._built = symbols, built

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self.wake.wait()
            except TimeoutError:
                pass
            self.wake.clear()
            try:
                while gap := await self._oldest():
                    await self.repair(gap)
            except Transient as error:
                log.debug("repair_delayed", problem=str(error))

    async def _oldest(self) -> Gap | None:
        now = await self._feed.now() if (found := await self._open()) else 0
        ripe = [gap for gap in found if self._span(gap)[1] + _SETTLE <= now]
        return min(ripe, key=lambda gap: (gap.start_ts, gap.symbol), default=None)

    async def _open(self) -> list[Gap]:
        found: list[Gap] = []
        for symbol in self._symbols():
            for channel in CHANNELS:
                found += await self._candles.gaps(self._feed.exchange, symbol, channel)
        return [gap for gap in found if gap not in self._left and gap.end_ts - gap.start_ts <= REACH]

    def _span(self, gap: Gap) -> Span:
        """A little more than the hole where candles are built from its trades: they need all trades of their time."""
        lengths = self._built(gap.symbol)
        starts = [each.floor(gap.start_ts) for each in lengths]
        return min(starts, default=gap.start_ts), max(
            (each.next(gap.end_ts) for each in lengths), default=gap.end_ts + 1
        )

    async def repair(self, gap: Gap) -> None:
        """Fills one hole and closes it, and all others of the symbol's trades inside it. Raises Transient."""
        start, end = self._span(gap)
        lengths = self._built(gap.symbol)
        resumed = await self._resumed(gap.symbol, start, end)
        begin = min((each.floor(resumed) for each in lengths), default=resumed)
        builders = [CandleBuilder(gap.exchange, gap.symbol, each) for each in lengths]
        prints = 0
        try:
            async for received in self._feed.past_trades(gap.symbol, begin, end):
                if received.raw is not None:
                    await self._keep(received.raw)
                trades = [event for event in received.events if isinstance(event, Print)]
                prints += len(trades)
                await self._store([c for t in trades for b in builders if (c := b.add(t))])
        except Refused as error:
            log.warning("trades_not_repaired", symbol=gap.symbol, problem=str(error))
            self._left.add(gap)
            return
        await self._store([c for b in builders if (c := b.advance(end))])
        await self._settled()
        await self._close(gap, (start, end), FROM_TRADES if prints or resumed > start else NONE_THERE)
        self.repaired += 1
        log.info("trades_backfilled", symbol=gap.symbol, trades=prints, start_ts=gap.start_ts, end_ts=gap.end_ts)

    async def _resumed(self, symbol: str, start_ts: Micros, end_ts: Micros) -> Micros:
        """The time of the newest answer about this stretch that is stored."""
        newest = start_ts
        async for page in self._raw.read(self._feed.exchange, symbol, (ANSWERS,), start_ts, end_ts):
            newest = max([newest, *(frame.ts for frame in page)])
        return newest

    async def _store(self, candles: Sequence[Candle]) -> None:
        series: dict[str, list[Candle]] = {}
        for candle in candles:
            series.setdefault(candle.timeframe, []).append(candle)
        for rows in series.values():
            await self._candles.append(CandleFrame.from_candles(rows))

    async def _close(self, gap: Gap, span: Span, how: str) -> None:
        closing = [gap]
        for channel in CHANNELS:
            for other in await self._candles.gaps(gap.exchange, gap.symbol, channel):
                if span[0] <= other.start_ts and other.end_ts <= span[1]:
                    closing.append(other)  # noqa: PERF401
        await self._candles.close_gaps(list(dict.fromkeys(closing)), how)


async def from_trades(feed: MarketFeed, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> CandleFrame | None:
    """Candles for a few short spans that the venue's candles lack, built from its past trades; None where it had none,
    tells none, or too much would have to be asked for. Raises Transient."""
    if len(spans) > _FEW or sum(end - start for start, end in spans) > REACH:
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
    return CandleFrame.from_candles(found) if found else None
