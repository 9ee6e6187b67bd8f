"""Candles that the venue is asked about once more: those that differ from their trades, and the last ones of the run
before. The venue may have told them right after they were stored, and nobody may have heard it; its last word counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from onetape.domain.errors import Refused, Transient
from onetape.domain.units import Micros, Timeframe
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

_LAST: Final = 5  # candles of the run before
_PAUSE: Final = 2.0  # seconds, so that several are one request, and what is missing altogether comes first

Series = tuple[str, str]  # symbol, length


class Doubts:
    """`run` for ever; `put` says which candle."""

    def __init__(self, feed: MarketFeed, candles: CandleStore) -> None:
        self._feed, self._candles = feed, candles
        self._places: dict[Series, set[Micros]] = {}
        self._any = asyncio.Event()

    def put(self, series: Series, open_ts: Micros) -> None:
        self._places.setdefault(series, set()).add(open_ts)
        self._any.set()

    async def run(self, series: Iterable[Series]) -> None:
        """`series` are those whose last candles are in doubt from the start."""
        left = list(series)
        while True:
            try:
                while left:
                    await self._begin(left[-1])
                    left.pop()
                await self._any.wait()
                await asyncio.sleep(_PAUSE)
                await self._ask()
            except Transient as error:
                log.debug("candles_not_asked_again", problem=str(error))
                await asyncio.sleep(_PAUSE)

    async def _begin(self, series: Series) -> None:
        tail = await self._candles.tail(self._feed.exchange, series[0], Timeframe.parse(series[1]), _LAST)
        for ts in tail.ts.tolist():
            self.put(series, ts)

    async def _ask(self) -> None:
        """Raises Transient; what was answered until then is done."""
        for series, places in list(self._places.items()):
            timeframe, asked = Timeframe.parse(series[1]), set(places)
            try:
                async for page in self._feed.history(series[0], timeframe, min(asked), max(asked) + 1):
                    await self._candles.append(page)
            except Refused as error:
                log.info("candles_not_asked_again", symbol=series[0], timeframe=series[1], problem=str(error))
            places -= asked
            if not places:
                del self._places[series]
        if not self._places:
            self._any.clear()
