"""Jobs of every kind: which there are, how far one is, and its end. Knows the desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire_jobs
from onetape.api.answers import Items, answer, desk, items, shows
from onetape.domain.errors import NotFound
from onetape.domain.jobs import Job, JobState
from onetape.ports import OnlyJobs

router = APIRouter(tags=["jobs"])
ASKED_HERE: Final = "api"  # what a job says of who asked for it

Limit = Annotated[int, Query(ge=1, le=1000)]
Before = Annotated[str, Query(description="`next` of the page before")]


@router.get("/jobs", responses=shows(Items), summary="Long work of every kind, newest first")
async def jobs(
    request: Request,
    kind: Annotated[str | None, Query(description="`backtest`, `rerun`, `optimize`, `walkforward`, `download`")] = None,
    state: JobState | None = None,
    limit: Limit = 100,
    before: Before = "",
) -> Response:
    """They outlive a restart. The WebSocket `/stream?jobs=true` pushes each change."""
    return await listed(request, OnlyJobs(kind=kind, state=state, limit=limit, before=before), wire_jobs.job)


@router.get("/jobs/{job_id}", responses=shows(wire_jobs.JobOut))
async def job(request: Request, job_id: str) -> Response:
    return answer(wire_jobs.job(await desk(request).jobs.get(job_id)))


@router.delete("/jobs/{job_id}", responses=shows(wire_jobs.JobOut), summary="Cancel; what it stored stays")
async def cancel(request: Request, job_id: str) -> Response:
    return answer(wire_jobs.job(await desk(request).jobs.cancel(job_id)))


async def listed(request: Request, only: OnlyJobs, shown: Callable[[Job], Any]) -> Response:
    rows, following = await desk(request).jobs.page(only)
    return items([shown(row) for row in rows], following)


def accepted(job: Job) -> Response:
    """What a route says that asked for a job."""
    response = answer(wire_jobs.job(job), 202)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return response


async def one_of(request: Request, kind: str, job_id: str) -> Job:
    """Raises NotFound, also for a job of another kind."""
    found = await desk(request).jobs.get(job_id)
    if found.kind != kind:
        raise NotFound("id", job_id, f"not a {kind} but a {found.kind}", f"GET /api/v1/jobs/{job_id} shows it.")
    return found
