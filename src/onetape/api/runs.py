"""Stored runs of every kind: found, shown, beside each other, made again, deleted. Knows the desk."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire_jobs, wire_runs
from onetape.api.answers import Items, answer, desk, items, shows
from onetape.api.jobs import ASKED_HERE, Before, accepted
from onetape.backtest.rundiff import diff
from onetape.domain.errors import BadInput
from onetape.domain.units import parse_time
from onetape.ports import RUN_FIGURES, OnlyRuns

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


@router.get("/compare", responses=shows(Items), summary="Stored runs side by side")
async def compare(
    request: Request, runs: Annotated[list[str], Query(description="run ids", min_length=1, max_length=10)]
) -> Response:
    return items([wire_runs.run_result(await desk(request).runs.get(run_id)) for run_id in runs])
