"""Backtests as jobs: asked for now, answered when they are done, one after the other beside the event loop.

Knows the domain only: how a spec becomes a Result is given from outside.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from onetape.domain.errors import Conflict, NotFound, OnetapeError
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import Micros
from onetape.observe import log
from onetape.ports import Clock

REMEMBERED: Final = 100  # jobs; the oldest finished ones are forgotten (their results are stored)

Say = Callable[[str, float], None]  # what is being done now, and which share of the whole is done
Answer = Callable[[BacktestSpec, Say], Awaitable[Result]]


class Job(msgspec.Struct, kw_only=True):
    """state: queued, running, done, failed, cancelled. `run_id` names the stored result once it is done."""

    id: str
    spec: BacktestSpec
    state: str = "queued"
    stage: str = "waiting"
    progress: float = 0.0
    error: str = ""
    run_id: str = ""
    created_ts: Micros = 0
    finished_ts: Micros = 0


class Jobs:
    """A queue with one worker. Open it with `start`, end it with `stop`."""

    def __init__(self, answer: Answer, clock: Clock) -> None:
        self._answer, self._clock = answer, clock
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    def submit(self, spec: BacktestSpec) -> Job:
        """A queued job; needs a running event loop."""
        job = Job(id=secrets.token_hex(6), spec=spec, created_ts=self._clock.now())
        self._jobs[job.id] = job
        task = asyncio.create_task(self._work(job), name=f"backtest {job.id}")
        task.add_done_callback(_tell_fault)
        self._tasks[job.id] = task
        self._forget()
        return job

    def list(self) -> list[Job]:
        """Newest first."""
        return list(reversed(self._jobs.values()))

    def get(self, job_id: str) -> Job:
        if (job := self._jobs.get(job_id)) is None:
            raise NotFound("id", job_id, "not a backtest job of this session", "GET /api/v1/backtests lists them.")
        return job

    def cancel(self, job_id: str) -> Job:
        """Raises NotFound, Conflict when it is over already."""
        job = self.get(job_id)
        if job.finished_ts:
            raise Conflict("id", job_id, f"already {job.state}")
        self._end(job, "cancelled", "")
        self._tasks[job_id].cancel()
        return job

    async def wait(self, job_id: str) -> Job:
        """The job when it is over."""
        job = self.get(job_id)
        await asyncio.gather(self._tasks[job_id], return_exceptions=True)
        return job

    async def stop(self) -> None:
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, job: Job) -> None:
        async with self._turn:
            job.state = "running"

            def say(stage: str, progress: float) -> None:
                job.stage, job.progress = stage, progress

            try:
                result = await self._answer(job.spec, say)
                job.run_id, job.progress = result.run_id, 1.0
                self._end(job, "done", "")
            except OnetapeError as error:
                self._end(job, "failed", str(error))
            finally:
                if not job.finished_ts:  # a fault in a strategy or in us: it goes on to the log
                    self._end(job, "failed", "a fault in the program; `onetape logs --service web` holds the details")

    def _end(self, job: Job, state: str, error: str) -> None:
        job.state, job.stage, job.error, job.finished_ts = state, state, error, self._clock.now()

    def _forget(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.finished_ts]
        for job_id in over[: max(0, len(self._jobs) - REMEMBERED)]:
            del self._jobs[job_id], self._tasks[job_id]


def _tell_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        log.error("backtest_failed", job=task.get_name(), exc_info=fault)
