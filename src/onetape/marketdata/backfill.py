"""Fetches the candles that are missing. Resumable and idempotent: what is stored is the only memory it has."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onetape.domain.errors import BadInput
from onetape.domain.frame import COLUMNS, CandleFrame
from onetape.domain.market import NONE_THERE, NOT_RECORDED, Gap, Origin, candle_channel
from onetape.domain.units import MINUTE, Micros, Timeframe
from onetape.marketdata.absence import STOPPED
from onetape.marketdata.fromtrades import from_trades
from onetape.marketdata.quality import Span, missing, without
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

First = Callable[[str, Span], Awaitable[None]]

ABSENT: Final = "the venue has no candle here"
TOO_OLD: Final = "older than the reach of the backfill"
SETTLE: Final[Micros] = MINUTE  # of the venue's time after a candle's close: only then its absence is believed
_CANDLES: Final = 1_500
_CANDLES_1M: Final = 3 * 1_440
_DEPTHS: Final = 10  # times the depth: so far back a hole behind the stored end is filled


def depth(timeframe: Timeframe) -> int:
    """How many candles a first start loads: three days of 1m, enough of the others for strategies to warm up."""
    return _CANDLES_1M if str(timeframe) == "1m" else _CANDLES


async def backfill(
    feed: MarketFeed,
    store: CandleStore,
    symbol: str,
    timeframe: Timeframe,
    span: Span,
    left: list[Span] | None = None,
    first: First | None = None,
) -> AsyncIterator[CandleFrame]:
    """Stores what is missing of the closed candles that open in `span`, and yields it page by page, oldest first.

    `first` may build a hole's candles from trades; then the venue's complete them, as they do those that were built
    before. A candle that the venue lacks is built from its trades where that costs little (`fromtrades`). What it has
    not at all is kept as a gap and not asked for again; but what closed less than SETTLE ago may still come, is left
    open and added to `left`. Raises Transient and Refused; what was stored until then stays, and the next call goes on
    from there.
    """
    channel = candle_channel(timeframe)
    offered = str(timeframe) in feed.timeframes
    holes = await open_spans(store, feed.exchange, symbol, timeframe, span, offered)
    rows = 0
    for hole in holes:
        if first is not None:
            await first(symbol, hole)
        got: list[CandleFrame] = []
        async for page in feed.history(symbol, timeframe, *hole):
            if not len(page):
                continue
            marked = _marked(page)
            await store.append(marked)
            rows += len(marked)
            got.append(marked)
            yield marked
        still = _still_missing(got, hole)
        if still and len(made := await _made(store, feed.exchange, symbol, timeframe, hole)):
            yield made
            still = [part for lack in still for part in missing(made, *lack)]
        if not still:
            continue
        still, fresh = _by_age(still, timeframe.floor(await feed.now() - SETTLE))
        if left is not None:
            left += fresh
        if still and (built := await from_trades(feed, symbol, timeframe, still)):
            await store.append(built)
            rows += len(built)
            yield built
            still = [part for span in still for part in missing(built, *span)]
        await store.close_gaps([Gap(feed.exchange, symbol, channel, a, b, ABSENT) for a, b in still], NONE_THERE)
    if holes:
        log.info("candles_backfilled", symbol=symbol, timeframe=str(timeframe), holes=len(holes), rows=rows)


async def open_spans(
    store: CandleStore, exchange: str, symbol: str, timeframe: Timeframe, span: Span, offered: bool = False
) -> list[Span]:
    """What of a span is neither stored nor known to be absent; where the venue offers the length, what was only built
    from trades counts as not stored: the venue's word is wanted, too."""
    stored = await store.load(exchange, symbol, timeframe, *span)
    if offered:
        stored = _of(stored, stored.origin != Origin.BUILT)
    absent = [(gap.start_ts, gap.end_ts) for gap in await store.absent(exchange, symbol, candle_channel(timeframe))]
    return without(missing(stored, *span), absent)


async def _made(store: CandleStore, exchange: str, symbol: str, timeframe: Timeframe, span: Span) -> CandleFrame:
    """What is stored of a span and was built from trades."""
    stored = await store.load(exchange, symbol, timeframe, *span)
    return _of(stored, stored.origin == Origin.BUILT)


def _of(frame: CandleFrame, chosen: NDArray[np.bool_]) -> CandleFrame:
    return dataclasses.replace(frame, **{name: getattr(frame, name)[chosen] for name in COLUMNS})


def _by_age(spans: list[Span], settled_ts: Micros) -> tuple[list[Span], list[Span]]:
    """What lies before that time, and what lies after it."""
    before = [(start, min(end, settled_ts)) for start, end in spans if start < settled_ts]
    return before, [(max(start, settled_ts), end) for start, end in spans if end > settled_ts]


async def first_span(
    feed: MarketFeed,
    store: CandleStore,
    symbol: str,
    timeframe: Timeframe,
    candles: int,
    end_ts: Micros | None = None,
) -> Span:
    """What a start must look at: the last `candles` closed candles, and further back to the stored end. With `end_ts`,
    those before that time, without asking the venue for its own.

    A stored end that lies too far back is left to the repair, with a gap that says so; that of an imported file is not
    downloaded up to now, unless somebody asks for it.
    """
    if candles < 0:
        raise BadInput("candles", candles, "not a number of candles")
    exchange = feed.exchange
    end = timeframe.floor(await feed.now() if end_ts is None else end_ts)
    start = timeframe.floor(max(0, end - candles * timeframe.micros))
    tail = await store.tail(exchange, symbol, timeframe, 1, before_ts=end)
    if not len(tail):
        return start, end
    stored_end = timeframe.next(int(tail.ts[-1]))
    if end - stored_end <= _DEPTHS * candles * timeframe.micros or stored_end >= start:
        if stored_end < end:
            await store.add_gaps([Gap(exchange, symbol, candle_channel(timeframe), stored_end, end, STOPPED)])
        return min(start, stored_end), end
    cause = NOT_RECORDED if tail.origin[-1] == Origin.IMPORTED else TOO_OLD
    await store.add_gaps([Gap(exchange, symbol, candle_channel(timeframe), stored_end, start, cause)])
    return start, end


async def filled(store: CandleStore, gap: Gap) -> bool:
    """Whether the candles of a gap are stored already, as when a load was under way while the line was cut."""
    text = gap.channel.removeprefix(candle_channel(""))
    if text == gap.channel:
        return False  # not of candles
    timeframe = Timeframe.parse(text)
    stored = await store.load(gap.exchange, gap.symbol, timeframe, gap.start_ts, gap.end_ts)
    return not missing(stored, timeframe.floor(gap.start_ts), timeframe.floor(gap.end_ts))


def _marked(page: CandleFrame) -> CandleFrame:
    return dataclasses.replace(page, origin=np.full(len(page), Origin.BACKFILLED, np.uint8))


def _still_missing(pages: list[CandleFrame], hole: Span) -> list[Span]:
    """Walks the pages, so that nobody holds them together."""
    left, start = [], hole[0]
    for page in pages:
        end = int(page.close_ts[-1])
        left += missing(page, start, end)
        start = end
    return left + ([(start, hole[1])] if start < hole[1] else [])
