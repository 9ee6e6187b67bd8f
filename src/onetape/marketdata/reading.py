"""Stored candles on any timeframe: as they are stored, or built from the longest stored ones that fit into it."""

from __future__ import annotations

from onetape.domain.errors import NotFound
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.units import Micros, Timeframe
from onetape.ports import CandleStore


async def source_timeframe(store: CandleStore, exchange: str, symbol: str, timeframe: Timeframe) -> Timeframe:
    """The stored timeframe to build `timeframe` from: itself, or the longest that divides it. Raises NotFound."""
    stored = [Timeframe.parse(row.timeframe) for row in await store.coverage(exchange, symbol)]
    if not stored:
        raise NotFound(
            "symbol", f"{exchange}:{symbol}", "no candles of it are stored", "`onetape data list` shows all."
        )
    if timeframe in stored:
        return timeframe
    fitting = [each for each in stored if each.regular and timeframe.micros % each.micros == 0]
    if not fitting:
        names = ", ".join(str(each) for each in stored)
        raise NotFound(
            "timeframe", str(timeframe), f"it cannot be built from the stored {names}", "Ask for a multiple."
        )
    return max(fitting, key=lambda each: each.micros)


async def load(
    store: CandleStore, series: tuple[str, str, Timeframe], start_ts: Micros | None, end_ts: Micros | None
) -> CandleFrame:
    """Closed candles of (exchange, symbol, timeframe) that open in [start_ts, end_ts); None is unbounded."""
    exchange, symbol, timeframe = series
    source = await source_timeframe(store, exchange, symbol, timeframe)
    start = None if start_ts is None else _ceil(timeframe, start_ts)
    end = None if end_ts is None else _ceil(timeframe, end_ts)
    frame = await store.load(exchange, symbol, source, start, end)
    return closed(resample(frame, timeframe), frame)


async def tail(
    store: CandleStore, series: tuple[str, str, Timeframe], n: int, before_ts: Micros | None = None
) -> CandleFrame:
    """The last n closed candles of (exchange, symbol, timeframe) (that open before `before_ts`)."""
    exchange, symbol, timeframe = series
    source = await source_timeframe(store, exchange, symbol, timeframe)
    before = None if before_ts is None else _ceil(timeframe, before_ts)
    rows = n if source == timeframe else (n + 2) * (timeframe.micros // source.micros)
    frame = await store.tail(exchange, symbol, source, rows, before)
    built = closed(resample(frame, timeframe), frame)
    if len(frame) and len(built) and frame.ts[0] != built.ts[0]:
        built = built.rows(1, len(built))  # the first one began before what was read
    return built.tail(n)


def closed(built: CandleFrame, source: CandleFrame) -> CandleFrame:
    """Without the last candle while its time is not covered to the end by `source`."""
    if len(built) and int(built.close_ts[-1]) > int(source.close_ts[-1]):
        return built.rows(0, len(built) - 1)
    return built


def _ceil(timeframe: Timeframe, ts: Micros) -> Micros:
    start = timeframe.floor(ts)
    return start if start == ts else timeframe.next(ts)
