"""What was recorded beside the candles of a backtest, read from stored messages: trades, books and funding rates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Final

import msgspec

from onetape.app.wiring import Platform
from onetape.backtest.answer import Recording
from onetape.backtest.candles import Chosen
from onetape.backtest.recorded import collect
from onetape.domain.errors import Refused
from onetape.domain.market import Channel, Funding, MarketEvent
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec
from onetape.domain.units import DAY, HOUR, Micros
from onetape.exchanges.registry import begins_book, decoder
from onetape.marketdata.lead import prime
from onetape.marketdata.missed import Mended
from onetape.marketdata.replay import Wish
from onetape.ports import GapView, OnlyGaps, RawCoverage

_TRADES: Final = (Channel.TRADES_ALL, Channel.TRADES)  # the first that is there
_BOOKS: Final = (Channel.BOOK, Channel.BOOK5, Channel.BBO)
_PRINTS_FOR: Final = ("auto", "prints", "books")
_BOOKS_FOR: Final = ("auto", "books")


def recording(platform: Platform) -> Recording:
    """The function that adds to chosen candles what else was recorded in their time."""

    async def add(chosen: Chosen, spec: BacktestSpec) -> Chosen:
        fills = chosen.fills.between(spec.start_ts, spec.end_ts)
        if not len(fills):
            return chosen
        start_ts, end_ts = int(fills.ts[0]), int(fills.ts[-1]) + fills.timeframe.longest
        stored = {one.channel: one for one in await platform.catalogue.raw(fills.exchange, fills.symbol)}
        wanted = channels(stored, spec, start_ts, end_ts)
        if not wanted:
            return chosen
        try:
            found = await collect(events(platform, Wish(fills.exchange, fills.symbol, wanted, start_ts, end_ts)))
        except Refused as error:
            if spec.detail != "auto":
                raise
            found = Recorded(trouble=str(error))
        return chosen._replace(recorded=found)

    return add


def channels(stored: dict[str, RawCoverage], spec: BacktestSpec, start_ts: Micros, end_ts: Micros) -> tuple[str, ...]:
    """Of what is stored for that time, the best of each kind that the question wants."""
    wanted: list[tuple[str, ...]] = []
    if spec.detail in _PRINTS_FOR:
        wanted.append(_TRADES)
    if spec.detail in _BOOKS_FOR:
        wanted.append(_BOOKS)
    if spec.funding:
        wanted.append((Channel.FUNDING,))
    there = {name for name, one in stored.items() if one.first_ts < end_ts and one.last_ts >= start_ts - DAY}
    return tuple(str(next(name for name in kind if name in there)) for kind in wanted if there & set(kind))


async def events(platform: Platform, span: Wish) -> AsyncIterator[Iterable[MarketEvent]]:
    """All that the messages say, missed trades in their place; page by page."""
    instruments = [one for one in await platform.candles.instruments() if one.exchange == span.exchange]
    decode = decoder(span.exchange, instruments, await platform.instruments.changes(span.exchange, span.symbol))
    if Channel.FUNDING in span.channels:  # the rate of a payment is stated long before it
        async for page in platform.raw.read(
            span.exchange, span.symbol, (Channel.FUNDING,), span.start_ts - 8 * HOUR, span.start_ts
        ):
            yield [event for frame in page for event in decode(frame) if isinstance(event, Funding)]
    await prime(platform.raw, span, begins_book(span.exchange), decode)
    source = next((name for name in _TRADES if name in span.channels), "")
    tape = Mended(platform.raw, decode, span, await gaps(platform, span, source) if source else [])
    async for page in tape.read(span.exchange, span.symbol, span.channels, span.start_ts, span.end_ts):
        for frame in page:
            yield tape(frame)
    yield tape.left()


async def gaps(platform: Platform, span: Wish, channel: str) -> list[GapView]:
    """All of a channel, closed ones too: their trades were fetched later."""
    found: list[GapView] = []
    only = OnlyGaps(exchange=span.exchange, symbol=span.symbol, channel=channel, limit=1_000)
    while True:
        page, cursor = await platform.queries.gaps(only)
        found += page
        if not cursor:
            return found
        only = msgspec.structs.replace(only, before=cursor)
