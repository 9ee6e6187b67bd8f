"""Old holes of recorded candle series, worked off in the background, oldest first: those that a start left behind its
depth, those of a time when the venue's past could not be had. Holes that imported files have, and what lies between
them and the recording, are left to people (`onetape data download`).

A long one is worked off in turn with the others. Where its trades are missed, too, and are soon there, they come first
and bring the candles (`repair`); else it is filled like fresh ones (`backfill`), from the venue's candles. Holes of
lengths that only trades make are filled from trades once no trades are missing there. The newest holes belong to the
keepers. All requests go through the venue's budget.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec
import numpy as np

from onetape.domain.errors import Refused, Transient
from onetape.domain.market import CLOSED_BY, NONE_THERE, Gap, Origin, candle_channel, left_to_people
from onetape.domain.units import MINUTE, Micros, Timeframe
from onetape.marketdata.backfill import ABSENT, backfill, open_spans
from onetape.marketdata.fromtrades import from_trades
from onetape.marketdata.quality import Span, missing, without
from onetape.marketdata.trades import CHANNELS
from onetape.marketdata.turns import Turns
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

AGE: Final[Micros] = 5 * MINUTE  # what ended less than that ago is left to the keepers
_SLICE: Final = 1_000  # candles that are looked at together
_SLICES: Final = 20  # of one hole before the next one has its turn
_LOOK_SECONDS: Final = 60.0

Soon = Callable[[str, Span], Awaitable[bool]]
Wanted = Callable[[], Iterable[tuple[str, str]]]


class Mending:
    """`run` for ever. `wanted` gives symbol and length of the candle series that are recorded, `soon` says whether the
    trades of a symbol's span come first."""

    def __init__(self, feed: MarketFeed, candles: CandleStore, wanted: Wanted, soon: Soon | None = None) -> None:
        self._feed, self._candles, self._wanted, self._soon = feed, candles, wanted, soon
        self._turns = Turns()

    async def run(self) -> None:
        while True:
            more = False
            try:
                more = await self.work()
            except Transient as error:
                log.debug("mending_delayed", problem=str(error))
            await asyncio.sleep(0 if more else _LOOK_SECONDS)

    async def work(self) -> bool:
        """Every old hole whose turn it is, once, and gives whether one is to go on at once. Raises Transient when
        neither holes nor venue can be asked."""
        channels = {(symbol, candle_channel(text)): Timeframe.parse(text) for symbol, text in self._wanted()}
        found = await self._candles.gaps(self._feed.exchange, None, None) if channels else []
        due = self._turns.due(
            gap for gap in found if (gap.symbol, gap.channel) in channels and not left_to_people(gap.cause)
        )
        now = await self._feed.now() if due else 0
        more = False
        for gap in due:
            if gap.end_ts + AGE > now:
                continue
            try:
                if self._soon is not None and await self._soon(gap.symbol, (gap.start_ts, gap.end_ts)):
                    continue
                more |= not await self._mend(gap, channels[gap.symbol, gap.channel], found)
            except Transient as error:
                log.debug("mending_delayed", symbol=gap.symbol, problem=str(error))
                self._turns.later(gap)
            except Refused as error:
                says = f"Candles of {gap.symbol} that are missing stay missing for now: {error}"
                log.warning("candles_not_mended", says=says, start_ts=gap.start_ts, end_ts=gap.end_ts)
                self._turns.aside(gap)
        return more

    async def _mend(self, gap: Gap, timeframe: Timeframe, known: list[Gap]) -> bool:
        """Whether nothing is left to do for now."""
        span = timeframe.floor(gap.start_ts), timeframe.next(gap.end_ts - 1)
        if str(timeframe) in self._feed.timeframes:
            reached = span[0]  # what is filled is cut off the hole: the rest has its turn as another
            for part in itertools.islice(_slices(span, timeframe), _SLICES):
                async for _ in backfill(self._feed, self._candles, gap.symbol, timeframe, part):
                    pass
                await self._note(gap, timeframe, part)
                reached = part[1]
            if reached < span[1] and gap not in await self._candles.gaps(gap.exchange, gap.symbol, gap.channel):
                return False
        elif not any(_trades_lack(other, gap.symbol, span) for other in known):
            await self._build(gap, timeframe, span)
        else:
            return True
        self._turns.aside(gap)  # should it be open still
        log.info("hole_mended", symbol=gap.symbol, timeframe=str(timeframe), start_ts=gap.start_ts, end_ts=gap.end_ts)
        return True

    async def _note(self, gap: Gap, timeframe: Timeframe, part: Span) -> None:
        """Closes what of a hole was stored already when it was noted."""
        stored = await self._candles.load(gap.exchange, gap.symbol, timeframe, *part)
        known = await self._candles.gaps(gap.exchange, gap.symbol, gap.channel)
        for start, end in without([part], missing(stored, *part)):
            how = CLOSED_BY[Origin(int(np.bincount(stored.between(start, end).origin).argmax()))]
            closing = [
                msgspec.structs.replace(each, start_ts=max(start, each.start_ts), end_ts=min(end, each.end_ts))
                for each in known
                if each.start_ts < end and each.end_ts > start
            ]
            await self._candles.close_gaps(closing, how)

    async def _build(self, gap: Gap, timeframe: Timeframe, span: Span) -> None:
        where = (gap.exchange, gap.symbol)
        holes = await open_spans(self._candles, *where, timeframe, span)
        built = await from_trades(self._feed, gap.symbol, timeframe, holes)
        if built is None:
            raise Refused("its trades are not told, or too many would have to be asked for.")
        await self._candles.append(built)
        none = [Gap(*where, gap.channel, *part, ABSENT) for hole in holes for part in missing(built, *hole)]
        await self._candles.close_gaps(none, NONE_THERE)


def _slices(span: Span, timeframe: Timeframe) -> Iterable[Span]:
    start, end = span
    while start < end:
        stop = min(end, timeframe.next(start + (_SLICE - 1) * timeframe.micros))
        yield start, stop
        start = stop


def _trades_lack(gap: Gap, symbol: str, span: Span) -> bool:
    return gap.symbol == symbol and gap.channel in CHANNELS and gap.start_ts < span[1] and gap.end_ts >= span[0]
