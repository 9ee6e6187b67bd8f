"""Stored candles on any timeframe: as they are stored, kept ready, or built from the longest stored ones that fit."""

from __future__ import annotations

from typing import Final, NamedTuple

from onetape.domain.errors import NotFound
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.units import Micros, Timeframe
from onetape.ports import CandleStore

SeriesKey = tuple[str, str, Timeframe]  # exchange, symbol, length
_ROLLED_FROM: Final = Timeframe(1, "m")


async def source_timeframe(store: CandleStore, exchange: str, symbol: str, timeframe: Timeframe) -> Timeframe:
    """The stored timeframe to build `timeframe` from: itself, or the longest that divides it. Raises NotFound."""
    return (await _source(store, (exchange, symbol, timeframe))).timeframe


class _Source(NamedTuple):
    """The stored series to build from: the open of its first candle and the close of its last one."""

    timeframe: Timeframe
    first_ts: Micros
    end_ts: Micros

    def whole(self, built: CandleFrame) -> CandleFrame:
        """Without a first candle inside of which the series begins, and a last one that it does not cover to the end:
        they would be candles of a part of their time."""
        built = closed(built, self.end_ts)
        begins = len(built) > 0 and int(built.ts[0]) < self.first_ts < int(built.close_ts[0])
        return built.rows(1, len(built)) if begins else built


async def _source(store: CandleStore, series: SeriesKey) -> _Source:
    exchange, symbol, timeframe = series
    stored = {Timeframe.parse(row.timeframe): row for row in await store.coverage(exchange, symbol)}
    if not stored:
        raise NotFound(
            "symbol", f"{exchange}:{symbol}", "no candles of it are stored", "`onetape data list` shows all."
        )
    fitting = [each for each in stored if each.divides(timeframe)]
    if timeframe not in stored and not fitting:
        names = ", ".join(str(each) for each in stored)
        raise NotFound(
            "timeframe", str(timeframe), f"it cannot be built from the stored {names}", "Ask for a multiple."
        )
    source = timeframe if timeframe in stored else max(fitting, key=lambda each: each.micros)
    return _Source(source, stored[source].first_ts, source.next(stored[source].last_ts))


async def load(store: CandleStore, series: SeriesKey, start_ts: Micros | None, end_ts: Micros | None) -> CandleFrame:
    """Closed candles of (exchange, symbol, timeframe) that open in [start_ts, end_ts); None is unbounded."""
    exchange, symbol, timeframe = series
    source = await _source(store, series)
    start = None if start_ts is None else _ceil(timeframe, start_ts)
    stop = None if end_ts is None else _ceil(timeframe, end_ts)
    if source.timeframe == _ROLLED_FROM and timeframe != source.timeframe:
        ready = await store.rolled((exchange, symbol), timeframe, start, stop)
        if ready is not None:
            return source.whole(ready)
    frame = await store.load(exchange, symbol, source.timeframe, start, stop)
    return source.whole(resample(frame, timeframe))


async def tail(store: CandleStore, series: SeriesKey, n: int, before_ts: Micros | None = None) -> CandleFrame:
    """The last n closed candles of (exchange, symbol, timeframe) (that open before `before_ts`)."""
    exchange, symbol, timeframe = series
    source = await _source(store, series)
    before = None if before_ts is None else _ceil(timeframe, before_ts)
    if source.timeframe == _ROLLED_FROM and timeframe != source.timeframe:
        ready = await store.rolled((exchange, symbol), timeframe, None, before, n)
        if ready is not None:
            return source.whole(ready)
    exact = source.timeframe == timeframe
    rows = n if exact else (n + 2) * (timeframe.longest // source.timeframe.micros)
    frame = await store.tail(exchange, symbol, source.timeframe, rows, before)
    built = source.whole(resample(frame, timeframe))
    if len(frame) == rows and len(built) and frame.ts[0] != built.ts[0]:
        built = built.rows(1, len(built))  # the first one may have begun before what was read
    return built.tail(n)


def closed(built: CandleFrame, end_ts: Micros) -> CandleFrame:
    """Without the last candle while its time is not covered to the end: `end_ts` is where its source ends."""
    if len(built) and int(built.close_ts[-1]) > end_ts:
        return built.rows(0, len(built) - 1)
    return built


def _ceil(timeframe: Timeframe, ts: Micros) -> Micros:
    start = timeframe.floor(ts)
    return start if start == ts else timeframe.next(ts)
