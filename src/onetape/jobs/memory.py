"""Jobs kept in memory: the twin of the store in PostgreSQL, for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Final

import msgspec

from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.jobs import Ending, Job, JobState, Progress
from onetape.domain.units import Micros
from onetape.ports import OnlyJobs

MOST: Final = 1000  # rows of one page
INTERRUPTED: Final = "Its process died each of the {starts} times that it was started. Ask for less at once, or again."


class MemoryJobStore:
    """Fulfils ports.JobStore."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._held: dict[str, tuple[str, Micros]] = {}  # by whom, until when

    async def add(self, job: Job) -> None:
        self._jobs[job.id] = job

    async def get(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise unknown(job_id)
        return self._jobs[job_id]

    async def page(self, only: OnlyJobs) -> tuple[list[Job], str]:
        after = read_cursor(only)
        rows = sorted(self._jobs.values(), key=_age, reverse=True)
        rows = [job for job in rows if only.kind in (None, job.kind) and only.state in (None, job.state)]
        rows = [job for job in rows if after is None or _age(job) < after]
        return cut(rows, only.limit)

    async def counts(self) -> dict[tuple[str, JobState], int]:
        return dict(Counter((job.kind, job.state) for job in self._jobs.values()))

    async def claim(self, kinds: Collection[str], runner: str, now_ts: Micros, until_ts: Micros) -> Job | None:
        free = [job for job in self._jobs.values() if job.kind in kinds and self._free(job, now_ts)]
        if not free:
            return None
        job = min(free, key=_age)
        self._held[job.id] = (runner, until_ts)
        return self._put(job, state=JobState.RUNNING, started_ts=now_ts, starts=job.starts + 1)

    async def report(self, job_id: str, runner: str, progress: Progress, until_ts: Micros) -> bool:
        if not self._holds(job_id, runner):
            return False
        self._held[job_id] = (runner, until_ts)
        self._put(self._jobs[job_id], progress=progress)
        return True

    async def end(self, job_id: str, runner: str, ending: Ending, progress: Progress, now_ts: Micros) -> bool:
        if not self._holds(job_id, runner):
            return False
        self._put(self._jobs[job_id], **msgspec.structs.asdict(ending), progress=progress, finished_ts=now_ts)
        return True

    async def cancel(self, job_id: str, now_ts: Micros) -> Job:
        job = await self.get(job_id)
        if job.over:
            raise is_over(job)
        return self._put(job, state=JobState.CANCELLED, finished_ts=now_ts)

    async def release(self, runner: str) -> None:
        for job_id, (holder, _) in list(self._held.items()):
            if holder == runner and self._holds(job_id, runner):
                job = self._jobs[job_id]
                self._put(job, state=JobState.QUEUED, starts=job.starts - 1)

    async def give_up(self, starts: int, now_ts: Micros) -> list[Job]:
        left = [job for job in self._jobs.values() if job.starts >= starts and job.state is JobState.RUNNING]
        return [
            self._put(job, state=JobState.INTERRUPTED, error=INTERRUPTED.format(starts=job.starts), finished_ts=now_ts)
            for job in left
            if self._free(job, now_ts)
        ]

    async def forget(self, before_ts: Micros) -> int:
        old = [job.id for job in self._jobs.values() if job.over and job.finished_ts < before_ts]
        for job_id in old:
            del self._jobs[job_id]
        return len(old)

    def _free(self, job: Job, now_ts: Micros) -> bool:
        return job.state is JobState.QUEUED or (job.state is JobState.RUNNING and self._held[job.id][1] < now_ts)

    def _holds(self, job_id: str, runner: str) -> bool:
        job = self._jobs.get(job_id)
        return job is not None and job.state is JobState.RUNNING and self._held[job_id][0] == runner

    def _put(self, job: Job, **changed: object) -> Job:
        self._jobs[job.id] = msgspec.structs.replace(job, **changed)
        return self._jobs[job.id]


def _age(job: Job) -> tuple[Micros, str]:
    return job.created_ts, job.id


def unknown(job_id: str) -> NotFound:
    return NotFound("id", job_id, "not a job that is known", "GET /api/v1/jobs lists them.")


def is_over(job: Job) -> Conflict:
    return Conflict("id", job.id, f"already {job.state}")


def read_cursor(only: OnlyJobs) -> tuple[Micros, str] | None:
    """Of the last job of the page before. Raises BadInput, also for an impossible limit."""
    if not 1 <= only.limit <= MOST:
        raise BadInput("limit", only.limit, f"not from 1 to {MOST}", "Ask for more with the cursor `next`.")
    if not only.before:
        return None
    created_ts, _, job_id = only.before.partition(".")
    if not created_ts.isdigit() or not job_id:
        raise BadInput("before", only.before, "not a cursor", "Give the `next` of the page before, as it is.")
    return int(created_ts), job_id


def cut(rows: list[Job], limit: int) -> tuple[list[Job], str]:
    shown = rows[:limit]
    return shown, f"{shown[-1].created_ts}.{shown[-1].id}" if len(rows) > limit else ""
