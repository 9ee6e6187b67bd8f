"""Candles that the venue's candles lack, built from its past trades where that costs little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onetape.domain.errors import Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Print
from onetape.domain.units import HOUR, Micros, Timeframe
from onetape.marketdata.aggregator import CandleBuilder
from onetape.marketdata.quality import Span
from onetape.observe import log
from onetape.ports import MarketFeed

_REACH: Final[Micros] = 6 * HOUR  # of all spans together; the stated limit on cost
_FEW: Final = 10  # spans that are asked for while candles are backfilled


async def from_trades(feed: MarketFeed, symbol: str, timeframe: Timeframe, spans: Sequence[Span]) -> CandleFrame | None:
    """Candles for a few short spans that the venue's candles lack, built from its past trades; none where nothing was
    traded, None where it tells none or too much would have to be asked for. Raises Transient."""
    if len(spans) > _FEW or sum(end - start for start, end in spans) > _REACH:
        return None
    found: list[Candle] = []
    try:
        for start, end in spans:
            builder = CandleBuilder(feed.exchange, symbol, timeframe)
            async for received in feed.past_trades(symbol, start, end):
                trades = (event for event in received.events if isinstance(event, Print))
                found += [candle for trade in trades if (candle := builder.add(trade))]
            found += [candle for candle in (builder.advance(end),) if candle]
    except Refused as error:
        log.debug("no_past_trades", symbol=symbol, problem=str(error))
        return None
    return CandleFrame.from_candles(found) if found else CandleFrame.empty(feed.exchange, symbol, timeframe)
