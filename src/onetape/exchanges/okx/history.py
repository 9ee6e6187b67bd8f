"""Closed candles of the past from OKX's REST, complete and in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from onetape.domain.errors import Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Channel, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.okx import events, names, wire
from onetape.exchanges.okx.rest import OkxRest, read
from onetape.observe import log

_PAGE: Final = 300
_NEWEST: Final = 1_440  # bars that the other endpoint has; of older ones it says nothing, without an error


async def candles(
    rest: OkxRest, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
) -> AsyncIterator[CandleFrame]:
    """Closed candles that open in [start_ts, end_ts), oldest first, a page for each window of 300.

    `after` asks for what is older than it, newest first, so each window is walked backward from its end and then
    turned round: memory holds one window, and a server that gives shorter pages only makes more requests.
    """
    names.bar(timeframe)
    spot = names.is_spot(symbol)
    stream = events.Stream(rest.exchange, symbol, Channel.CANDLES, candle_channel(timeframe), timeframe, 1.0, spot)
    start = timeframe.floor(start_ts)
    start = start if start == start_ts else timeframe.next(start)
    while start < end_ts:
        end = min(end_ts, timeframe.floor(start + _PAGE * timeframe.micros))
        rows = await _window(rest, symbol, timeframe, start // 1_000, -(-end // 1_000))
        columns = events.closed(stream, rows)
        if columns["ts"]:
            yield CandleFrame.of(rest.exchange, symbol, timeframe, columns)
        start = end


async def _window(rest: OkxRest, symbol: str, timeframe: Timeframe, start_ms: int, end_ms: int) -> list[wire.Row]:
    found: dict[int, wire.Row] = {}
    after = end_ms
    while after > start_ms:
        rows = await _page(rest, symbol, timeframe, start_ms, after)
        found.update((row.ts, row) for row in rows if start_ms <= row.ts < end_ms)
        oldest = min((row.ts for row in rows), default=0)
        if not rows or oldest >= after:
            break
        after = oldest
    return [found[ts] for ts in sorted(found)]


async def _page(rest: OkxRest, symbol: str, timeframe: Timeframe, start_ms: int, after: int) -> list[wire.Row]:
    """From the endpoint that has everything; while it does not answer, the newest bars come from the other one."""
    asked = {"instId": symbol, "bar": names.bar(timeframe), "after": str(after), "limit": str(_PAGE)}
    try:
        data = await rest.get("/api/v5/market/history-candles", **asked)
    except Transient as error:
        reach = rest.estimate() - (_NEWEST - 1) * timeframe.micros
        if start_ms * 1_000 < reach or timeframe.unit == "s":
            raise
        log.info("candles_from_the_other_endpoint", symbol=symbol, timeframe=str(timeframe), problem=str(error))
        data = await rest.get("/api/v5/market/candles", **asked)
    return read(wire.rows, data)
