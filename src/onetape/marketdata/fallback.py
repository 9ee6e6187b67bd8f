"""Candles that an exchange itself does not have, taken from another one where `config/markets.json` says so.

Only what the exchange was asked for and has not: never what it may still deliver. Such candles are marked foreign, give
way to every candle of the exchange's own, and their gap says whose they are.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from onetape.domain.errors import BadInput, Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Channel, Gap, Origin, candle_channel, taken_from
from onetape.domain.markets import Markets
from onetape.domain.units import DAY, Micros, Timeframe
from onetape.marketdata.quality import Span, fault, missing, without
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

LONGEST_GAP: Final[Micros] = 31 * DAY  # of one gap; the stated limit on cost
_LOOK_SECONDS: Final = 60.0


class FallbackSeries(NamedTuple):
    """A series that may be filled, and the exchanges that it may be filled from, the best first."""

    exchange: str
    symbol: str
    timeframe: Timeframe
    sources: tuple[str, ...]


def configured(markets: Markets, exchange: str) -> list[FallbackSeries]:
    """What the file allows; `exchange` is the one that "" stands for."""
    return list(
        dict.fromkeys(
            FallbackSeries(one.exchange or exchange, want.symbol, Timeframe.parse(want.timeframe), one.fallback)
            for one in markets.markets
            if one.fallback
            for want in one.wants()
            if want.channel is Channel.CANDLES
        )
    )


class Fallback:
    """`open_feed` gives the feed of an exchange by its name; it is opened when it is first needed."""

    def __init__(self, store: CandleStore, open_feed: Callable[[str], MarketFeed]) -> None:
        self._store, self._open_feed = store, open_feed
        self._feeds: dict[str, MarketFeed] = {}
        self._asked: set[tuple[str, Gap]] = set()  # what a source has not either is asked once a run

    async def run(self, series: Callable[[], Iterable[FallbackSeries]]) -> None:
        """For ever."""
        try:
            while True:
                try:
                    for one in series():
                        await self.fill(one)
                except Transient as error:
                    log.info("fallback_delayed", problem=str(error))
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        while self._feeds:
            await self._feeds.popitem()[1].close()

    async def fill(self, series: FallbackSeries) -> int:
        """Fills the gaps of one series, oldest first, and gives the number of candles that were taken."""
        channel = candle_channel(series.timeframe)
        gaps = await self._store.absent(series.exchange, series.symbol, channel)
        series_of = (series.exchange, series.symbol, channel)
        self._asked = {
            (source, gap)
            for source, gap in self._asked
            if gap in gaps or (gap.exchange, gap.symbol, gap.channel) != series_of
        }
        taken = 0
        for gap in sorted(gaps, key=lambda gap: gap.start_ts):
            if gap.end_ts - gap.start_ts > LONGEST_GAP:
                continue
            for source in series.sources:
                if (source, gap) in self._asked:
                    continue
                try:
                    taken += await self._take(series, gap, source)
                except Transient as error:
                    log.info("fallback_delayed", exchange=source, problem=str(error))
                    continue
                except (BadInput, Refused) as error:
                    log.warning("fallback_refused", exchange=source, symbol=series.symbol, problem=str(error))
                self._asked |= {(source, part) for part in await self._parts(series, gap)}
        return taken

    async def _parts(self, series: FallbackSeries, gap: Gap) -> list[Gap]:
        """What is left of a gap of which parts were taken."""
        found = await self._store.absent(series.exchange, series.symbol, gap.channel)
        return [part for part in found if gap.start_ts <= part.start_ts and part.end_ts <= gap.end_ts]

    async def _take(self, series: FallbackSeries, gap: Gap, source: str) -> int:
        holes = await self._holes(series, gap)
        taken = 0
        for hole in holes:
            async for page in self._feed(source).history(series.symbol, series.timeframe, *hole):
                rows = _foreign(page.between(*hole), series.exchange)
                await self._store.append(rows)
                taken += len(rows)
        if not taken:
            return 0
        left = await self._holes(series, gap)
        filled = [(gap.start_ts, gap.end_ts)] if not left else without(holes, left)
        closed = [Gap(gap.exchange, gap.symbol, gap.channel, start, end, gap.cause) for start, end in filled]
        await self._store.close_gaps(closed, taken_from(source))
        log.warning(
            "candles_taken_from_elsewhere",
            says=f"{taken} {series.timeframe} candles of {series.exchange}:{series.symbol} were taken from {source}, "
            "because the exchange has none there. They are marked foreign.",
        )
        return taken

    async def _holes(self, series: FallbackSeries, gap: Gap) -> list[Span]:
        start, end = series.timeframe.floor(gap.start_ts), series.timeframe.floor(gap.end_ts)
        stored = await self._store.load(series.exchange, series.symbol, series.timeframe, start, end)
        return missing(stored, start, end)

    def _feed(self, exchange: str) -> MarketFeed:
        if exchange not in self._feeds:
            self._feeds[exchange] = self._open_feed(exchange)
        return self._feeds[exchange]


def _foreign(page: CandleFrame, exchange: str) -> CandleFrame:
    """The sound ones among the candles, as those of `exchange`."""
    sound: Sequence[int] = [i for i in range(len(page)) if not fault(page.candle(i))]
    columns = {
        name: getattr(page, name)[sound] for name in ("ts", "open", "high", "low", "close", "volume", "turnover")
    }
    origin = np.full(len(sound), Origin.FOREIGN, np.uint8)
    return dataclasses.replace(page, exchange=exchange, origin=origin, **columns)
