"""Searches for parameters as jobs: asked, watched while they run, read when they are done. Knows the desk."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire_searches
from onetape.api.answers import Items, answer, body, desk, items, shows, takes
from onetape.api.jobs import ASKED_HERE, Before, Limit, listed, one_of
from onetape.backtest.search.views import map_of, ranked, why
from onetape.backtest.search.wish import OptimizeWish
from onetape.backtest.walkjob import WalkForwardWish
from onetape.bots import searching
from onetape.bots.searching import OPTIMIZE, WALK
from onetape.domain.errors import Conflict, NotFound
from onetape.domain.searches import HeatMap, SearchResult
from onetape.ports import OnlyJobs

router = APIRouter(tags=["searches"])


@router.post(
    "/optimizations",
    status_code=202,
    openapi_extra=takes(OptimizeWish),
    responses=shows(wire_searches.OptimizationOut, 202),
    summary="Search a strategy's parameters",
)
async def optimize(request: Request) -> Response:
    """A job: `GET /optimizations/{id}` has what was found so far, too. It goes on after a restart."""
    job = await searching.optimize(desk(request), await body(request, OptimizeWish), ASKED_HERE)
    response = answer(wire_searches.optimization(job), 202)
    response.headers["Location"] = f"/api/v1/optimizations/{job.id}"
    return response


@router.get("/optimizations", responses=shows(Items), summary="Jobs, newest first")
async def optimizations(request: Request, limit: Limit = 100, before: Before = "") -> Response:
    return await listed(request, OnlyJobs(kind=OPTIMIZE, limit=limit, before=before), wire_searches.optimization)


@router.get("/optimizations/{job_id}", responses=shows(wire_searches.WholeOptimizationOut))
async def optimization(request: Request, job_id: str) -> Response:
    job = await one_of(request, OPTIMIZE, job_id)
    result = await searching.seen(desk(request), job.wish["search"])
    return answer(wire_searches.whole_optimization(job, result, "" if result is None else why(result)))


@router.get("/optimizations/{job_id}/trials", responses=shows(Items), summary="The table, the best one first")
async def trials(
    request: Request, job_id: str, limit: Limit = 100, before: Annotated[int, Query(ge=0)] = 0
) -> Response:
    result = await _result(request, job_id)
    rows = ranked(result)
    shown = [wire_searches.trial_out(result, one) for one in rows[before : before + limit]]
    return items(shown, str(before + limit) if before + limit < len(rows) else "")


@router.get("/optimizations/{job_id}/heat", responses=shows(HeatMap), summary="The heat map of two parameters")
async def heat(request: Request, job_id: str, x: str, y: str) -> Response:
    result = await _result(request, job_id)
    return answer(await asyncio.to_thread(map_of, desk(request).registry.get(result.wish.spec.strategy), result, x, y))


@router.delete("/optimizations/{job_id}", responses=shows(wire_searches.OptimizationOut), summary="Cancel")
async def cancel_optimization(request: Request, job_id: str) -> Response:
    """The trials that are done stay in the ledger, and can be read."""
    await one_of(request, OPTIMIZE, job_id)
    return answer(wire_searches.optimization(await desk(request).jobs.cancel(job_id)))


async def _result(request: Request, job_id: str) -> SearchResult:
    """Raises NotFound, Conflict before a trial has a score."""
    job = await one_of(request, OPTIMIZE, job_id)
    result = await searching.seen(desk(request), job.wish["search"])
    if result is None:
        raise Conflict("id", job_id, f"{job.state}, and no trial has a score yet", "Ask again in a moment.")
    return result


@router.post(
    "/walkforwards",
    status_code=202,
    openapi_extra=takes(WalkForwardWish),
    responses=shows(wire_searches.WalkOut, 202),
    summary="Search on the past, trade what follows unseen, move on",
)
async def walk(request: Request) -> Response:
    """A job: `GET /walkforwards/{id}` has the windows that are done. It goes on after a restart."""
    job = await searching.walk(desk(request), await body(request, WalkForwardWish), ASKED_HERE)
    response = answer(wire_searches.walk(job), 202)
    response.headers["Location"] = f"/api/v1/walkforwards/{job.id}"
    return response


@router.get("/walkforwards", responses=shows(Items), summary="Jobs, newest first")
async def walks(request: Request, limit: Limit = 100, before: Before = "") -> Response:
    return await listed(request, OnlyJobs(kind=WALK, limit=limit, before=before), wire_searches.walk)


@router.get("/walkforwards/{job_id}", responses=shows(wire_searches.WholeWalkOut))
async def one_walk(request: Request, job_id: str) -> Response:
    """The whole as any other run: `GET /runs/{run_id}`."""
    job = await one_of(request, WALK, job_id)
    view = await searching.walk_seen(desk(request), job.wish["walk"])
    run = None
    with contextlib.suppress(NotFound):  # it waits for its end, or was deleted
        run = await desk(request).runs.get(job.result)
    return answer(wire_searches.whole_walk(job, view, run))


@router.delete("/walkforwards/{job_id}", responses=shows(wire_searches.WalkOut), summary="Cancel")
async def cancel_walk(request: Request, job_id: str) -> Response:
    """The windows that are done stay, and can be read."""
    await one_of(request, WALK, job_id)
    return answer(wire_searches.walk(await desk(request).jobs.cancel(job_id)))
