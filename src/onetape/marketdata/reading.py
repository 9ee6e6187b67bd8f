"""Stored candles on any timeframe: as they are stored, kept ready, or built from the longest stored ones that fit; and
what shorter ones know before and after those that are stored is not hidden by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from onetape.domain.errors import NotFound
from onetape.domain.frame import CandleFrame, concat, resample
from onetape.domain.units import Micros, Timeframe
from onetape.ports import CandleStore

SeriesKey = tuple[str, str, Timeframe]  # exchange, symbol, length
_ROLLED_FROM: Final = Timeframe(1, "m")


async def source_timeframe(store: CandleStore, exchange: str, symbol: str, timeframe: Timeframe) -> Timeframe:
    """The stored timeframe to build `timeframe` from: itself, or the longest that divides it. Raises NotFound."""
    return _nearest(await _stored(store, (exchange, symbol, timeframe)), timeframe).timeframe


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


class _Part(NamedTuple):
    """A source, and the open times [start, end) for which it is read; None is unbounded."""

    source: _Source
    start_ts: Micros | None
    end_ts: Micros | None


async def _stored(store: CandleStore, series: SeriesKey) -> list[_Source]:
    """What of a symbol is stored and is the timeframe or divides it. Raises NotFound when there is nothing."""
    exchange, symbol, timeframe = series
    stored = {Timeframe.parse(row.timeframe): row for row in await store.coverage(exchange, symbol)}
    if not stored:
        raise NotFound(
            "symbol", f"{exchange}:{symbol}", "no candles of it are stored", "`onetape data list` shows all."
        )
    fitting = [each for each in stored if each == timeframe or each.divides(timeframe)]
    if not fitting:
        names = ", ".join(str(each) for each in stored)
        raise NotFound(
            "timeframe", str(timeframe), f"it cannot be built from the stored {names}", "Ask for a multiple."
        )
    return [_Source(each, stored[each].first_ts, each.next(stored[each].last_ts)) for each in fitting]


def _nearest(sources: Sequence[_Source], timeframe: Timeframe) -> _Source:
    return max(sources, key=lambda one: (one.timeframe == timeframe, one.timeframe.micros))


def _parts(sources: Sequence[_Source], timeframe: Timeframe) -> list[_Part]:
    """What is read, by time: the timeframe itself as far as it is stored, and what shorter candles know before and
    after it. A year of minutes is not hidden by a week of hours."""
    own = _nearest(sources, timeframe)
    if own.timeframe != timeframe:
        return [_Part(own, None, None)]
    shorter = sorted((one for one in sources if one is not own), key=lambda one: -one.timeframe.micros)
    before = next((one for one in shorter if one.first_ts < own.first_ts), None)
    after = next((one for one in shorter if one.end_ts >= timeframe.next(own.end_ts)), None)
    parts = [_Part(own, own.first_ts if before else None, own.end_ts if after else None)]
    if before:
        parts.insert(0, _Part(before, None, own.first_ts))
    if after:
        parts.append(_Part(after, own.end_ts, None))
    return parts


async def load(store: CandleStore, series: SeriesKey, start_ts: Micros | None, end_ts: Micros | None) -> CandleFrame:
    """Closed candles of (exchange, symbol, timeframe) that open in [start_ts, end_ts); None is unbounded."""
    timeframe = series[2]
    start = None if start_ts is None else _ceil(timeframe, start_ts)
    stop = None if end_ts is None else _ceil(timeframe, end_ts)
    found = []
    for part in _parts(await _stored(store, series), timeframe):
        begin, end = _latest(start, part.start_ts), _earliest(stop, part.end_ts)
        if begin is None or end is None or begin < end:
            found.append(await _between(store, series, part.source, begin, end))
    return _joined(found, series)


async def _between(
    store: CandleStore, series: SeriesKey, source: _Source, start: Micros | None, stop: Micros | None
) -> CandleFrame:
    exchange, symbol, timeframe = series
    if source.timeframe == _ROLLED_FROM and timeframe != source.timeframe:
        ready = await store.rolled((exchange, symbol), timeframe, start, stop)
        if ready is not None:
            return source.whole(ready)
    frame = await store.load(exchange, symbol, source.timeframe, start, stop)
    return source.whole(resample(frame, timeframe))


async def tail(store: CandleStore, series: SeriesKey, n: int, before_ts: Micros | None = None) -> CandleFrame:
    """The last n closed candles of (exchange, symbol, timeframe) (that open before `before_ts`)."""
    before = None if before_ts is None else _ceil(series[2], before_ts)
    found: list[CandleFrame] = []
    for part in reversed(_parts(await _stored(store, series), series[2])):
        left = n - sum(len(one) for one in found)
        if left > 0:
            last = await _last(store, series, part.source, left, _earliest(before, part.end_ts))
            found.insert(0, last.between(part.start_ts, None))
    return _joined(found, series)


async def _last(store: CandleStore, series: SeriesKey, source: _Source, n: int, before: Micros | None) -> CandleFrame:
    exchange, symbol, timeframe = series
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


def _joined(frames: Sequence[CandleFrame], series: SeriesKey) -> CandleFrame:
    some = [one for one in frames if len(one)]
    return (some[0] if len(some) == 1 else concat(some)) if some else CandleFrame.empty(*series)


def _latest(a: Micros | None, b: Micros | None) -> Micros | None:
    return b if a is None else a if b is None else max(a, b)


def _earliest(a: Micros | None, b: Micros | None) -> Micros | None:
    return b if a is None else a if b is None else min(a, b)


def closed(built: CandleFrame, end_ts: Micros) -> CandleFrame:
    """Without the last candle while its time is not covered to the end: `end_ts` is where its source ends."""
    if len(built) and int(built.close_ts[-1]) > end_ts:
        return built.rows(0, len(built) - 1)
    return built


def _ceil(timeframe: Timeframe, ts: Micros) -> Micros:
    start = timeframe.floor(ts)
    return start if start == ts else timeframe.next(ts)
