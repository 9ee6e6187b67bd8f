"""How gaps and candles come into their tables, whether at once or after they have waited on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from onetape.domain.errors import BadInput, Damaged
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Gap, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata.absence import NO_PAST, has_past
from onetape.marketdata.backfill import filled
from onetape.observe import log
from onetape.ports import CandleStore


async def store_gaps(store: CandleStore, gaps: Sequence[Gap]) -> list[Gap]:
    """Open, or closed at once where nobody keeps the past. Gives those that are real: of candles that are there by now
    none is missing. Raises Transient."""
    candles = candle_channel("")
    there = [gap for gap in gaps if gap.channel.startswith(candles) and await _there(store, gap)]
    real = [gap for gap in gaps if gap not in there]
    await store.add_gaps([gap for gap in real if has_past(gap.channel)])
    await store.close_gaps([gap for gap in real if not has_past(gap.channel)], NO_PAST)
    return real


async def _there(store: CandleStore, gap: Gap) -> bool:
    try:
        return await filled(store, gap)
    except Damaged:
        return False  # what cannot be read counts as missing


async def store_candles(store: CandleStore, candles: Iterable[Candle]) -> None:
    """Of each series in one piece; of one candle that comes twice the later word. A candle that cannot be stored,
    because its part of the archive is damaged or it lies off its grid, is set aside: an alarm and a gap name it, all
    others are stored. Raises Transient."""
    series: dict[tuple[str, str], dict[Micros, Candle]] = {}
    for candle in candles:
        series.setdefault((candle.symbol, candle.timeframe), {})[candle.open_ts] = candle
    pieces = [[rows[ts] for ts in sorted(rows)] for rows in series.values()]
    await asyncio.gather(*(_store_series(store, piece) for piece in pieces))


async def _store_series(store: CandleStore, candles: list[Candle]) -> None:
    """Halved until only those are left that cannot be stored: the rest of a piece must not wait for a mended file."""
    try:
        await store.append(CandleFrame.from_candles(candles))
    except (Damaged, BadInput) as error:
        if len(candles) == 1:
            return await _set_aside(store, candles[0], error)
        middle = len(candles) // 2
        await _store_series(store, candles[:middle])
        await _store_series(store, candles[middle:])
    return None


async def _set_aside(store: CandleStore, candle: Candle, problem: Damaged | BadInput) -> None:
    damaged = isinstance(problem, Damaged)
    remedy = " Restore that file from a copy." if damaged else ""
    says = (
        f"The {candle.timeframe} candle of {candle.symbol} ({candle.exchange}) at {candle.open_ts} is not stored: "
        f"{problem}{remedy} It is recorded as a gap and is asked for again."
    )
    log.error("candle_set_aside", says=says, candle=repr(candle))
    cause = "its part of the archive is damaged" if damaged else "it came in an impossible form"
    timeframe = Timeframe.parse(candle.timeframe)
    span = timeframe.floor(candle.open_ts), timeframe.next(candle.open_ts)
    await store.add_gaps([Gap(candle.exchange, candle.symbol, candle_channel(timeframe), *span, cause)])
