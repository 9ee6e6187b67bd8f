"""Candles that could not be judged when they came, because their trades were missing or the program died with the
verdict: compared with the stored trades as soon as these are whole.

A candle has its turn when its trades were repaired, when it came and was not judged, and once after a start, when it
has no verdict from the run before. Longer candles than an hour are left out: for each, too many trades would be read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Final, Protocol

from onetape.domain.errors import Damaged, Refused, Transient
from onetape.domain.market import Origin, Print
from onetape.domain.units import HOUR, LATEST, MINUTE, Micros, Timeframe
from onetape.marketdata.audit import SeriesAudit
from onetape.marketdata.quality import Span
from onetape.observe import log
from onetape.ports import AuditStore, CandleStore, MarketFeed, Verdict

REACH: Final[Micros] = HOUR
_LATE: Final[Micros] = MINUTE  # stored trades may have come in another order than they were made
_PAUSE: Final = 2.0  # seconds, so that candles that end together are read together
_STRIDE: Final = 200  # trades between two looks at whoever else is waiting
_SAID: Final = (Origin.VENUE, Origin.BACKFILLED)

Series = tuple[str, str]  # symbol, length


class PastPrints(Protocol):
    """The stored trades of one exchange, with those that were missed and fetched later in their place."""

    async def unknown(self, symbol: str, channel: str, span: Span) -> list[Span]:
        """Where the trades of a span are not known whole. Raises Transient."""
        ...

    def read(self, symbol: str, channel: str, span: Span) -> AsyncIterator[Sequence[Print]]:
        """About in their order. Raises Transient, Refused."""
        ...


class Rejudging:
    """`run` for ever. `source` gives the channel that the trades of a symbol are taken from, "" = none."""

    def __init__(
        self,
        feed: MarketFeed,
        candles: CandleStore,
        audits: AuditStore,
        prints: PastPrints,
        source: Callable[[str], str],
    ) -> None:
        self._feed, self._candles, self._audits = feed, candles, audits
        self._prints, self._source = prints, source
        self._due: dict[Series, set[Micros]] = {}  # open times
        self._looked: set[Series] = set()

    def put(self, series: Series, open_ts: Micros) -> None:
        if Timeframe.parse(series[1]).micros <= REACH:
            self._due.setdefault(series, set()).add(open_ts)

    def touched(self, series: Iterable[Series], span: Span) -> None:
        """The trades of a span are known now."""
        for each in series:
            timeframe = Timeframe.parse(each[1])
            ts = timeframe.floor(span[0])
            while ts < span[1] and timeframe.micros <= REACH:
                self.put(each, ts)
                ts = timeframe.next(ts)

    async def run(self, ready: Callable[[], Iterable[Series]]) -> None:
        """`ready` are the series whose past is stored by now."""
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                await self.work(ready())
            except Transient as error:
                log.debug("judging_delayed", problem=str(error))

    async def work(self, ready: Iterable[Series]) -> None:
        """All that is due. Raises Transient; what was judged until then is done."""
        for series in ready:
            if series not in self._looked:
                end, timeframe = await self._feed.now() - _LATE, Timeframe.parse(series[1])
                for ts in await self._audits.unjudged(self._feed.exchange, series[0], timeframe, end):
                    self.put(series, ts)
                self._looked.add(series)
        for series in list(self._due):
            timeframe, places = Timeframe.parse(series[1]), self._due.pop(series)  # what comes meanwhile has its turn
            for span in _spans(sorted(places), timeframe):
                try:
                    await self._judge(series[0], timeframe, span)
                except Transient:
                    self._due.setdefault(series, set()).update(places)
                    raise
                places = {ts for ts in places if not span[0] <= ts < span[1]}

    async def _judge(self, symbol: str, timeframe: Timeframe, span: Span) -> None:
        channel = self._source(symbol)
        try:
            stored = await self._candles.load(self._feed.exchange, symbol, timeframe, *span)
            said = [c for c in (stored.candle(i) for i in range(len(stored))) if c.origin in _SAID]
            if not said or not channel:
                return
            unknown = await self._prints.unknown(symbol, channel, span)
            audit = SeriesAudit(self._feed.exchange, symbol, timeframe, _LATE, since=span[0] - 1)
            whole = [c for c in said if not any(a < c.close_ts and b >= c.open_ts for a, b in unknown)]
            for candle in whole:
                audit.venue(candle, 0)
            if whole:
                found = await self._compared(audit, self._prints.read(symbol, channel, (span[0], span[1] + _LATE)))
                await self._audits.judged(found)
        except (Damaged, Refused) as error:
            log.info("candles_not_judged", symbol=symbol, timeframe=str(timeframe), problem=str(error))

    async def _compared(self, audit: SeriesAudit, pages: AsyncIterator[Sequence[Print]]) -> list[Verdict]:
        found: list[Verdict] = []
        count = 0
        async for page in pages:
            for trade in page:
                audit.trade(trade)
                found += audit.verdicts(0)
            count += len(page)
            if count >= _STRIDE:
                count = 0
                await asyncio.sleep(0)
        return found + audit.verdicts(LATEST)


def _spans(places: Sequence[Micros], timeframe: Timeframe) -> list[Span]:
    """Candles that follow each other in one, up to an hour."""
    found: list[Span] = []
    for ts in places:
        end = timeframe.next(ts)
        if found and found[-1][1] == ts and end - found[-1][0] <= REACH:
            found[-1] = (found[-1][0], end)
        else:
            found.append((ts, end))
    return found
