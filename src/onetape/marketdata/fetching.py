"""Trades of a span from the venue's past: kept like every other message, and made into the candles that lack there.

First the trades, then the venue's own candles: they complete what the trades have built, and the newest word counts. A
candle whose bucket was not fetched whole is not built.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, NamedTuple

from onetape.domain.errors import Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Print, RawFrame
from onetape.domain.units import SECOND, Micros, Timeframe
from onetape.marketdata.aggregator import CandleBuilder
from onetape.marketdata.backfill import backfill
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

Keep = Callable[[RawFrame], Awaitable[None]]
Settled = Callable[[], Awaitable[None]]
Rate = Callable[[str], Awaitable[float]]  # trades a second of a symbol; raises Transient


class Lengths(NamedTuple):
    """Of one symbol: the lengths of candles that only trades make, and those that the venue has too."""

    built: tuple[Timeframe, ...] = ()
    offered: tuple[Timeframe, ...] = ()


class Fetching:
    """`keep` stores a message, `settled` returns when what was kept is in the table."""

    def __init__(self, feed: MarketFeed, candles: CandleStore, keep: Keep, settled: Settled, rate: Rate) -> None:
        self._feed, self._candles = feed, candles
        self._keep, self._settled, self._rate = keep, settled, rate
        self._rates: dict[str, float] = {}
        self.lengths: Callable[[str], Lengths] = lambda _: Lengths()

    async def cost(self, symbol: str, span: Micros) -> float:
        """The seconds that the trades of so much time take, alone in the venue's budget. Raises Transient."""
        past = self._feed.past
        if past is None:
            return float("inf")
        if symbol not in self._rates:
            self._rates[symbol] = await self._rate(symbol)
        return (1 + self._rates[symbol] * span / SECOND / past.page) / past.per_second

    def whole(self, symbol: str, start_ts: Micros, end_ts: Micros) -> tuple[Micros, Micros]:
        """A little more than a span where candles come from nothing but its trades: they need all of their time."""
        built = self.lengths(symbol).built
        starts = (each.floor(start_ts) for each in built)
        ends = (each.next(end_ts - 1) for each in built)
        return min(starts, default=start_ts), max(ends, default=end_ts)

    async def fetch(
        self, symbol: str, span: tuple[Micros, Micros], got: Callable[[Micros], None] = lambda _: None
    ) -> int:
        """How many trades [start, end) had; all of them, and the candles built from them, are stored when this
        returns. `got` hears how far it is. Raises Transient, Refused."""
        start, end = span
        lengths = self.lengths(symbol)
        builders = [CandleBuilder(self._feed.exchange, symbol, each) for each in (*lengths.built, *lengths.offered)]
        prints = 0
        async for received in self._feed.past_trades(symbol, start, end):
            if received.raw is not None:
                await self._keep(received.raw)
            trades = [event for event in received.events if isinstance(event, Print)]
            prints += len(trades)
            await self._store((c for t in trades for b in builders if (c := b.add(t))), span)
            if trades:
                got(trades[-1].ts)
        await self._store((c for b in builders if (c := b.advance(end))), span)
        await self._settled()
        if end - start >= SECOND:
            self._rates[symbol] = prints * SECOND / (end - start)
        return prints

    async def complete(self, symbol: str, span: tuple[Micros, Micros]) -> None:
        """The venue's own candles of a span, where there are none or built ones. Raises Transient."""
        for each in self.lengths(symbol).offered:
            start, end = each.floor(span[0]), each.floor(span[1])
            try:
                async for _ in backfill(self._feed, self._candles, symbol, each, (start, end), []):
                    pass
            except Refused as error:
                log.warning("candles_not_completed", symbol=symbol, timeframe=str(each), problem=str(error))

    async def _store(self, candles: Iterable[Candle], span: tuple[Micros, Micros]) -> None:
        series: dict[str, list[Candle]] = {}
        for candle in candles:
            if span[0] <= candle.open_ts and candle.close_ts <= span[1]:
                series.setdefault(candle.timeframe, []).append(candle)
        for rows in series.values():
            await self._candles.append(CandleFrame.from_candles(rows))


class Pace:
    """How long the rest of a long repair takes, from how fast it went since it began in this run."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str, Micros], tuple[Micros, float]] = {}  # by symbol, channel and end

    def begin(self, key: tuple[str, str, Micros], at_ts: Micros) -> None:
        self._begun.setdefault(key, (at_ts, time.monotonic()))

    def left(self, key: tuple[str, str, Micros], at_ts: Micros) -> float | None:
        """Seconds, None before anything was done."""
        start_ts, began = self._begun[key]
        done = at_ts - start_ts
        return (time.monotonic() - began) * (key[2] - at_ts) / done if done > 0 else None

    def forget(self, known: Sequence[tuple[str, str, Micros]]) -> None:
        self._begun = {key: value for key, value in self._begun.items() if key in known}


def newest_rate(frames: Sequence[RawFrame]) -> float:
    """Messages a second of the newest ones of a stream, a guess where there are few."""
    if len(frames) < _FEW:
        return _GUESS
    return (len(frames) - 1) * SECOND / max(frames[-1].ts - frames[0].ts, SECOND // 10)


_FEW: Final = 10
_GUESS: Final = 5.0
