"""The stored trades of one exchange, decoded, with missed ones in their place: for whoever judges candles by them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from onetape.app.wiring import Platform
from onetape.domain.market import FROM_TRADES, NONE_THERE, Print
from onetape.domain.units import Micros
from onetape.exchanges.registry import decoder
from onetape.marketdata.missed import Mended
from onetape.marketdata.replay import Wish
from onetape.ports import GapView, OnlyGaps

_WHOLE: Final = (FROM_TRADES, NONE_THERE)
_PAGE: Final = 1_000

Span = tuple[Micros, Micros]


class StoredPrints:
    """Fulfils marketdata.rejudging.PastPrints."""

    def __init__(self, platform: Platform, exchange: str) -> None:
        self._platform, self._exchange = platform, exchange

    async def unknown(self, symbol: str, channel: str, span: Span) -> list[Span]:
        """Before the first message, and on holes that are open or were closed without trades."""
        kept = {one.channel: one.first_ts for one in await self._platform.catalogue.raw(self._exchange, symbol)}
        gaps = await self._gaps(symbol, channel, span)
        holes = [(gap.start_ts, gap.end_ts) for gap in gaps if gap.closed_how not in _WHOLE]
        return [(0, kept.get(channel, span[1])), *holes]

    async def read(self, symbol: str, channel: str, span: Span) -> AsyncIterator[Sequence[Print]]:
        platform, wish = self._platform, Wish(self._exchange, symbol, (channel,), *span)
        instruments = [one for one in await platform.candles.instruments() if one.exchange == self._exchange]
        decode = decoder(self._exchange, instruments, await platform.instruments.changes(self._exchange, symbol))
        tape = Mended(platform.raw, decode, wish, await self._gaps(symbol, channel, span))
        async for page in tape.read(self._exchange, symbol, wish.channels, *span):
            for frame in page:
                yield [event for event in tape(frame) if isinstance(event, Print)]
        yield tape.left()

    async def _gaps(self, symbol: str, channel: str, span: Span) -> list[GapView]:
        """They lie apart: all that begin before the newest one that begins before the span end before it, too."""
        found: list[GapView] = []
        only = OnlyGaps(exchange=self._exchange, symbol=symbol, channel=channel, limit=_PAGE)
        while True:
            page, cursor = await self._platform.queries.gaps(only)
            found += [gap for gap in page if gap.start_ts <= span[1] and gap.end_ts >= span[0]]
            if not cursor or page[-1].start_ts < span[0]:
                return found
            only = msgspec.structs.replace(only, before=cursor)
