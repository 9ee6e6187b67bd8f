"""Stored runs of every kind: found, shown, beside each other, made again, deleted. Knows the desk."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire_jobs, wire_runs
from onetape.api.answers import Items, answer, body, desk, shows, takes
from onetape.api.jobs import ASKED_HERE, Before, Limit, accepted, listed, one_of
from onetape.backtest import stored
from onetape.backtest.rundiff import diff
from onetape.backtest.wish import ComparisonWish, FleetWish
from onetape.bots import several
from onetape.domain.errors import BadInput
from onetape.domain.units import parse_time
from onetape.ports import RUN_FIGURES, OnlyJobs, OnlyRuns

router = APIRouter(tags=["runs"])
NEWEST: Final = "newest"


@router.get("/runs", responses=shows(wire_runs.RunsOut), summary="Stored runs that fit, newest or best first")
async def runs(
    request: Request,
    strategy: str = "",
    exchange: str = "",
    symbol: Annotated[str, Query(description="also one of several")] = "",
    timeframe: str = "",
    text: Annotated[str, Query(description="words, each in the id, the names or the parameters: `fast=5`")] = "",
    since: Annotated[str, Query(description="stored then or later: a time or a day")] = "",
    until: Annotated[str, Query(description="stored before")] = "",
    sort: Annotated[str, Query(description=f"{NEWEST}, {', '.join(RUN_FIGURES)}")] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Before = "",
) -> Response:
    if sort not in (NEWEST, *RUN_FIGURES):
        raise BadInput("sort", sort, "not a figure that runs are sorted by", f"{NEWEST}, {', '.join(RUN_FIGURES)} are.")
    only = OnlyRuns(
        strategy=strategy.strip(),
        exchange=exchange.strip().lower(),
        symbol=symbol.strip().upper().replace("/", "-"),
        timeframe=timeframe.strip(),
        text=text,
        since_ts=parse_time(since, "since") if since else None,
        until_ts=parse_time(until, "until") if until else None,
        sort="" if sort == NEWEST else sort,
    )
    return answer(wire_runs.runs(await desk(request).runs.list(limit, before, only)))


@router.get("/runs/{run_id}", responses=shows(wire_runs.RunResult))
async def run(request: Request, run_id: str) -> Response:
    return answer(wire_runs.run_result(await desk(request).runs.get(run_id)))


@router.get("/runs/{run_id}/diff", responses=shows(wire_runs.DiffOut), summary="In what two runs differ")
async def differing(
    request: Request, run_id: str, other: Annotated[str, Query(alias="with", description="the id of the other run")]
) -> Response:
    store = desk(request).runs
    return answer(wire_runs.diff(diff(await store.get(run_id), await store.get(other))))


@router.post("/runs/{run_id}/rerun", status_code=202, responses=shows(wire_jobs.JobOut, 202))
async def rerun(request: Request, run_id: str) -> Response:
    """A job: the same question once more, of the same stretch of the same candles. The `detail` of the finished job
    says whether every bit is the same, and what is not what it was. It counts as a trial."""
    return accepted(await desk(request).rerun(run_id, ASKED_HERE))


@router.delete("/runs/{run_id}", status_code=204, summary="Delete; the ledger of trials still counts it")
async def delete(request: Request, run_id: str) -> Response:
    await desk(request).runs.delete(run_id)
    return Response(status_code=204)


@router.get("/compare", responses=shows(wire_runs.ComparedOut), summary="Stored runs side by side")
async def compare(
    request: Request, runs: Annotated[list[str], Query(description="two to six run ids", min_length=1)]
) -> Response:
    """Figures, curves, correlation of daily returns, differences (redrawn days), mixes; `notes` say what keeps them
    from being compared like with like. `POST /comparisons` runs strategies anew on the same candles and costs."""
    found = [await desk(request).runs.get(run_id) for run_id in stored.checked(",".join(runs).split(","))]
    names = stored.names_of([run.view for run in found])
    comparison = await asyncio.to_thread(stored.compare, found, names)
    rows = [wire_runs.run_result(run) for run in found]
    return answer(wire_runs.ComparedOut(items=rows, names=names, comparison=comparison))


@router.post(
    "/comparisons", status_code=202, openapi_extra=takes(ComparisonWish), responses=shows(wire_jobs.JobOut, 202)
)
async def submit_comparison(request: Request) -> Response:
    """A job: two to six strategies on the same candles and costs, each counted as a trial and stored as a run."""
    return accepted(await several.compare(desk(request), await body(request, ComparisonWish), ASKED_HERE))


@router.get("/comparisons", responses=shows(Items), summary="Comparisons as jobs, newest first")
async def comparisons(request: Request, limit: Limit = 100, before: Before = "") -> Response:
    return await listed(request, OnlyJobs(kind=several.COMPARE, limit=limit, before=before), wire_jobs.job)


@router.get("/comparisons/{job_id}", responses=shows(wire_runs.ComparisonOut))
async def comparison(request: Request, job_id: str) -> Response:
    """`runs`, best return first, and `comparison` are null until it is done."""
    return answer(wire_runs.comparison(await one_of(request, several.COMPARE, job_id)))


@router.post("/fleets", status_code=202, openapi_extra=takes(FleetWish), responses=shows(wire_jobs.JobOut, 202))
async def submit_fleet(request: Request) -> Response:
    """A job: the bots as they are configured now, together over the past. Its `result` is the id of the stored run."""
    return accepted(await several.fleet(desk(request), await body(request, FleetWish), ASKED_HERE))
