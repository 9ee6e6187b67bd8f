"""The market: symbols, candles, public trades, the book, and what is stored. Knows the desk and the hub."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire
from onetape.api.answers import Items, answer, desk, items, shows
from onetape.api.hub import Hub
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import Timeframe, parse_time, rfc3339
from onetape.marketdata import reading
from onetape.marketdata.replay import is_replay

router = APIRouter(tags=["market"])
MOST_CANDLES: Final = 5000
MOST_TRADES: Final = 500

Exchange = Annotated[str, Query(description="lower case: `okx`; empty = the one that has the symbol")]
Symbol = Annotated[str, Query(description="`BTC-USDT`")]
Time = Annotated[str, Query(description="RFC 3339, `20180131`, or digits since 1970; empty = unbounded")]


class SymbolOut(msgspec.Struct, frozen=True, kw_only=True):
    """`live` says whether it is being received now; `timeframes` are those that are stored."""

    id: str
    exchange: str
    symbol: str
    timeframes: list[str]
    live: bool
    price: float | None


async def found(request: Request, exchange: str, symbol: str) -> str:
    """The exchange that was named, else the one that has the symbol: received now before stored. A replay is meant by
    its name only. Raises BadInput."""
    if exchange:
        return exchange
    hub: Hub = request.app.state.hub
    parts = [name.partition(":") for name in hub.received()]
    live = {place for place, _, name in parts if name == symbol and not is_replay(place)}
    stored = {row.exchange for row in await desk(request).coverage() if row.symbol == symbol}
    for places in (live, stored):
        if len(places) > 1:
            raise BadInput("exchange", "", f"needed: {symbol} is on {' and '.join(sorted(places))}", "Name one.")
        if places:
            return places.pop()
    raise NotFound("symbol", symbol, "it is neither stored nor received", "GET /api/v1/symbols lists all.")


@router.get("/symbols", responses=shows(Items), summary="What is stored or received")
async def symbols(request: Request) -> Response:
    received = request.app.state.hub.received()
    stored: dict[str, list[str]] = {}
    for row in await desk(request).coverage():
        stored.setdefault(f"{row.exchange}:{row.symbol}", []).append(row.timeframe)
    rows = []
    for name in sorted(stored.keys() | received.keys(), key=lambda name: (name not in received, name)):
        exchange, _, symbol = name.partition(":")
        known = received.get(name)
        price = known.quote.last if known and known.quote else None
        frames = sorted(stored.get(name, []), key=lambda text: Timeframe.parse(text).micros)
        rows.append(
            SymbolOut(id=name, exchange=exchange, symbol=symbol, timeframes=frames, live=known is not None, price=price)
        )
    return items(rows)


@router.get("/candles", responses=shows(Items), summary="Closed candles, oldest first")
async def candles(
    request: Request,
    symbol: Symbol,
    exchange: Exchange = "",
    timeframe: str = "1m",
    start: Time = "",
    end: Time = "",
    limit: Annotated[int, Query(ge=1, le=MOST_CANDLES)] = 500,
) -> Response:
    """The first `limit` candles from `start` on, or without `start` the last ones (before `end`).

    A candle's timestamp is its OPEN time. `next` is the `start` of the following page. Timeframes that are not stored
    are built from shorter ones.
    """
    store, place = desk(request).candles, await found(request, exchange, symbol)
    series = (place, symbol, Timeframe.parse(timeframe))
    end_ts = parse_time(end, "end") if end else None
    if not start:
        frame = await reading.tail(store, series, limit, end_ts)
        return items(wire.candles(frame))
    start_ts = parse_time(start, "start")
    if end_ts is not None and end_ts <= start_ts:
        raise BadInput("end", end, "not later than start")
    horizon = start_ts + (limit + 1) * series[2].micros
    first = await reading.load(store, series, start_ts, horizon if end_ts is None else min(end_ts, horizon))
    more = [row.last_ts for row in await store.coverage(place, symbol)]
    following = int(first.close_ts[-1]) if len(first) else horizon
    if len(first) > limit:
        following = int(first.ts[limit])
    last = max(more) if end_ts is None else min(max(more), end_ts - 1)
    return items(wire.candles(first.rows(0, limit)), rfc3339(following) if following <= last else "")


@router.get("/trades", responses=shows(Items), summary="Public trades, newest first")
async def trades(
    request: Request,
    symbol: Symbol,
    exchange: Exchange = "",
    limit: Annotated[int, Query(ge=1, le=MOST_TRADES)] = 100,
) -> Response:
    hub: Hub = request.app.state.hub
    place = await found(request, exchange, symbol)
    known = hub.received().get(f"{place}:{symbol}")
    if known is None:
        raise NotFound("symbol", f"{place}:{symbol}", "it is not being received", "GET /api/v1/symbols lists all.")
    return items([wire.print_out(trade) for trade in list(known.prints)[::-1][:limit]])


@router.get("/book", responses=shows(wire.BookOut), summary="The order book as it is now")
async def book(
    request: Request, symbol: Symbol, exchange: Exchange = "", depth: Annotated[int, Query(ge=1, le=400)] = 25
) -> Response:
    hub: Hub = request.app.state.hub
    place = await found(request, exchange, symbol)
    known = hub.received().get(f"{place}:{symbol}")
    if known is None or known.book is None:
        raise NotFound("symbol", f"{place}:{symbol}", "no book of it is received", "GET /api/v1/symbols lists all.")
    return answer(wire.book(known.book, depth))


@router.get("/coverage", responses=shows(Items), summary="What is stored of each candle series")
async def coverage(request: Request) -> Response:
    return items([wire.coverage(row) for row in await desk(request).coverage()])
