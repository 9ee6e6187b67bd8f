"""Bots and what they did: signals, orders, fills, equity. Knows the desk."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire
from onetape.api.answers import Items, answer, body, desk, items, shows, takes
from onetape.domain.bots import BotSpec, BotStatus
from onetape.ports import Only

router = APIRouter(tags=["bots"])

Bot = Annotated[str | None, Query(description="only this bot's")]
Symbol = Annotated[str | None, Query(description="only this symbol's")]
Before = Annotated[str, Query(description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000)]


@router.get("/bots", responses=shows(Items))
async def bots(request: Request) -> Response:
    return items([wire.bot(view) for view in await desk(request).bots.list()])


@router.post("/bots", status_code=201, openapi_extra=takes(BotSpec), responses=shows(wire.BotOut, 201))
async def create(request: Request) -> Response:
    """A new bot, stopped; it must pass the gate. `POST /bots/{name}/start` starts it."""
    view = await desk(request).create(await body(request, BotSpec))
    return answer(wire.bot(view), 201)


@router.get("/bots/{name}", responses=shows(wire.BotOut))
async def bot(request: Request, name: str) -> Response:
    return answer(wire.bot(await desk(request).bots.get(name)))


@router.put("/bots/{name}", openapi_extra=takes(BotSpec), responses=shows(wire.BotOut))
async def change(request: Request, name: str) -> Response:
    """Another spec for a stopped bot; once it has traded its market and capital stay."""
    return answer(wire.bot(await desk(request).change(name, await body(request, BotSpec))))


@router.delete("/bots/{name}", status_code=204)
async def delete(request: Request, name: str) -> Response:
    """A stopped bot; its signals, orders and fills stay."""
    await desk(request).delete(name)
    return Response(status_code=204)


@router.post("/bots/{name}/start", responses=shows(wire.BotOut))
async def start(request: Request, name: str) -> Response:
    return answer(wire.bot(await desk(request).wish(name, BotStatus.RUNNING)))


@router.post("/bots/{name}/pause", responses=shows(wire.BotOut))
async def pause(request: Request, name: str) -> Response:
    """It enters nothing more and keeps its protective exits."""
    return answer(wire.bot(await desk(request).wish(name, BotStatus.PAUSED)))


@router.post("/bots/{name}/stop", responses=shows(wire.BotOut))
async def stop(request: Request, name: str) -> Response:
    return answer(wire.bot(await desk(request).wish(name, BotStatus.STOPPED)))


@router.get("/signals", responses=shows(Items), summary="Newest first")
async def signals(
    request: Request, bot: Bot = None, symbol: Symbol = None, limit: Limit = 100, before: Before = ""
) -> Response:
    rows, following = await desk(request).queries.signals(Only(bot=bot, symbol=symbol, limit=limit, before=before))
    return items([wire.signal(row) for row in rows], following)


@router.get("/orders", responses=shows(Items), summary="Newest first")
async def orders(
    request: Request, bot: Bot = None, symbol: Symbol = None, limit: Limit = 100, before: Before = ""
) -> Response:
    rows, following = await desk(request).queries.orders(Only(bot=bot, symbol=symbol, limit=limit, before=before))
    return items([wire.order(row) for row in rows], following)


@router.get("/fills", responses=shows(Items), summary="Newest first")
async def fills(
    request: Request, bot: Bot = None, symbol: Symbol = None, limit: Limit = 100, before: Before = ""
) -> Response:
    rows, following = await desk(request).queries.fills(Only(bot=bot, symbol=symbol, limit=limit, before=before))
    return items([wire.fill(row) for row in rows], following)


class Performance(msgspec.Struct, frozen=True):
    """A bot's equity at its closes, oldest first."""

    bot: str
    items: list[wire.EquityOut]
    next: str | None = None


@router.get("/performance", responses=shows(Performance), summary="Equity of a bot, oldest first")
async def performance(request: Request, bot: str, points: Annotated[int, Query(ge=2, le=5000)] = 1000) -> Response:
    view = await desk(request).bots.get(bot)
    return answer(Performance(view.spec.name, wire.equity(await desk(request).queries.equity(bot, points))))
