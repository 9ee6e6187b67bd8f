"""Is the data right? What the comparison of the venue's candles with their trades found, and what was changed later."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire_audit
from onetape.api.answers import Items, desk, items, shows
from onetape.api.data import Exchange, Symbol
from onetape.domain.units import Timeframe
from onetape.ports import OnlySeries

router = APIRouter(tags=["data"])

Length = Annotated[str | None, Query(description="`1m`: only this timeframe's")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Before = Annotated[str, Query(description="`next` of the page before")]


@router.get(
    "/audit", responses=shows(Items), summary="How many candles of each series were compared, and how many differ"
)
async def audit(request: Request, exchange: Exchange = None, symbol: Symbol = None) -> Response:
    """The venue's candles against those built from the trades that were received."""
    return items(wire_audit.series(await desk(request).audits.counts(exchange, symbol)))


@router.get("/audit/differences", responses=shows(Items), summary="Candles that differ from their trades, newest first")
async def differences(
    request: Request,
    exchange: Exchange = None,
    symbol: Symbol = None,
    timeframe: Length = None,
    limit: Limit = 100,
    before: Before = "",
) -> Response:
    """Each with the numbers of both sides; the venue's are the ones that are kept."""
    only = _only(exchange, symbol, timeframe, limit, before)
    rows, following = await desk(request).queries.differences(only)
    return items([wire_audit.difference(row) for row in rows], following)


@router.get("/corrections", responses=shows(Items), summary="Final candles that were changed, the latest change first")
async def corrections(
    request: Request,
    exchange: Exchange = None,
    symbol: Symbol = None,
    timeframe: Length = None,
    limit: Limit = 100,
    before: Before = "",
) -> Response:
    """Each with its numbers before and after, and where both came from."""
    only = _only(exchange, symbol, timeframe, limit, before)
    rows, following = await desk(request).queries.corrections(only)
    return items([wire_audit.correction(row) for row in rows], following)


def _only(exchange: str | None, symbol: str | None, timeframe: str | None, limit: int, before: str) -> OnlySeries:
    """Raises BadInput."""
    length = str(Timeframe.parse(timeframe)) if timeframe else None
    return OnlySeries(exchange=exchange, symbol=symbol, timeframe=length, limit=limit, before=before)
