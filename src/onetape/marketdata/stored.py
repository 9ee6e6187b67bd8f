"""How gaps and candles come into their tables, whether at once or after they have waited on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Gap, candle_channel
from onetape.domain.units import Micros
from onetape.marketdata.absence import NO_PAST, has_past
from onetape.marketdata.backfill import filled
from onetape.ports import CandleStore


async def store_gaps(store: CandleStore, gaps: Sequence[Gap]) -> list[Gap]:
    """Open, or closed at once where nobody keeps the past. Gives those that are real: of candles that are there by now
    none is missing. Raises Transient."""
    candles = candle_channel("")
    there = [gap for gap in gaps if gap.channel.startswith(candles) and await filled(store, gap)]
    real = [gap for gap in gaps if gap not in there]
    await store.add_gaps([gap for gap in real if has_past(gap.channel)])
    await store.close_gaps([gap for gap in real if not has_past(gap.channel)], NO_PAST)
    return real


async def store_candles(store: CandleStore, candles: Iterable[Candle]) -> None:
    """Of each series in one piece; of one candle that comes twice the later word. Raises Transient."""
    series: dict[tuple[str, str], dict[Micros, Candle]] = {}
    for candle in candles:
        series.setdefault((candle.symbol, candle.timeframe), {})[candle.open_ts] = candle
    frames = [CandleFrame.from_candles(rows[ts] for ts in sorted(rows)) for rows in series.values()]
    await asyncio.gather(*(store.append(frame) for frame in frames))
