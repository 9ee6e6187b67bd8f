"""Strategies with their schemas and gates; backtests as jobs, with their results. Knows the desk."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from onetape.api import wire_jobs
from onetape.api.answers import Items, answer, body, desk, items, shows, takes
from onetape.api.jobs import ASKED_HERE, Before, Limit, listed, one_of
from onetape.api.market import found
from onetape.api.wire_runs import RunResult, run_result
from onetape.backtest.wish import BacktestWish
from onetape.domain.errors import Conflict
from onetape.ports import OnlyJobs

router = APIRouter()
BACKTEST: Final = "backtest"  # the kind of job


class StrategyOut(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is what it answers: signals, learning (signals too, by a model), quoting, portfolio; bots run the first.
    `schema` is the JSON schema of the parameters; `gate` the last result, null before the first."""

    name: str
    kind: str
    description: str
    built_in: bool
    source_hash: str
    schema: dict[str, Any]
    gate: dict[str, Any] | None


class GateWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without a symbol the longest stored series is used."""

    parameters: dict[str, Any] = {}
    exchange: str = ""  # empty: the one that has the symbol
    symbol: str = ""
    timeframe: str = "1m"


@router.get("/strategies", tags=["strategies"], responses=shows(Items))
async def strategies(request: Request) -> Response:
    return items([strategy_out(request, tag) for tag in desk(request).registry.list()])


@router.get("/strategies/{name}", tags=["strategies"], responses=shows(StrategyOut))
async def strategy(request: Request, name: str) -> Response:
    return answer(strategy_out(request, name))


def strategy_out(request: Request, tag: str) -> StrategyOut:
    registry = desk(request).registry
    entry, report = registry.entry(tag), desk(request).gate(tag)
    return StrategyOut(
        name=tag,
        kind=entry.kind.kind,
        description=entry.says,
        built_in=entry.built_in,
        source_hash=registry.source_hash(tag),
        schema=registry.schema(tag),
        gate=None if report is None else msgspec.to_builtins(report),
    )


@router.post("/strategies/{name}/verify", tags=["strategies"], openapi_extra=takes(GateWish))
async def verify(request: Request, name: str) -> Response:
    """Runs the gate: does the strategy look ahead, is its warm-up long enough?"""
    wish = await body(request, GateWish)
    series = await desk(request).any_series()
    if wish.symbol:
        series = (await found(request, wish.exchange, wish.symbol), wish.symbol, wish.timeframe)
    return answer(await desk(request).verify(name, wish.parameters, series))


@router.post(
    "/backtests",
    tags=["backtests"],
    status_code=202,
    openapi_extra=takes(BacktestWish),
    responses=shows(wire_jobs.BacktestOut, 202),
)
async def submit(request: Request) -> Response:
    """A job; `GET /backtests/{id}` says how far it is, `/backtests/{id}/result` what came out."""
    job = await desk(request).backtest(await body(request, BacktestWish), ASKED_HERE)
    response = answer(wire_jobs.backtest(job), 202)
    response.headers["Location"] = f"/api/v1/backtests/{job.id}"
    return response


@router.get("/backtests", tags=["backtests"], responses=shows(Items), summary="Jobs, newest first")
async def jobs(request: Request, limit: Limit = 100, before: Before = "") -> Response:
    return await listed(request, OnlyJobs(kind=BACKTEST, limit=limit, before=before), wire_jobs.backtest)


@router.get("/backtests/{job_id}", tags=["backtests"], responses=shows(wire_jobs.BacktestOut))
async def job(request: Request, job_id: str) -> Response:
    return answer(wire_jobs.backtest(await one_of(request, BACKTEST, job_id)))


@router.get("/backtests/{job_id}/result", tags=["backtests"], responses=shows(RunResult))
async def result(request: Request, job_id: str) -> Response:
    asked = await one_of(request, BACKTEST, job_id)
    if not asked.result:
        raise Conflict(
            "id", job_id, f"the backtest is {asked.state} {asked.error}".rstrip(), "Ask again when it is done."
        )
    return answer(run_result(await desk(request).runs.get(asked.result)))


@router.delete("/backtests/{job_id}", tags=["backtests"], responses=shows(wire_jobs.BacktestOut), summary="Cancel")
async def cancel(request: Request, job_id: str) -> Response:
    await one_of(request, BACKTEST, job_id)
    return answer(wire_jobs.backtest(await desk(request).jobs.cancel(job_id)))
