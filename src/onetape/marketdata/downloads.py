"""Downloads as jobs: asked for now, worked on one after the other, watched and cancelled meanwhile.

The venue of a job is opened by a function from outside; what a cancelled or failed job has stored stays.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

import msgspec

from onetape.domain.errors import Conflict, NotFound, OnetapeError
from onetape.domain.units import Micros
from onetape.marketdata.download import DownloadWish, SeriesState, download, fresh
from onetape.observe import log
from onetape.ports import CandleStore, Clock, MarketFeed

REMEMBERED: Final = 100  # jobs; the oldest finished ones are forgotten (what they stored is not)

OpenFeed = Callable[[str], MarketFeed]  # by the name of an exchange; raises BadInput for one that is not known


class DownloadJob(msgspec.Struct, kw_only=True):
    """state: queued, running, done, failed, cancelled; done means that every series came."""

    id: str
    wish: DownloadWish
    series: list[SeriesState]
    state: str = "queued"
    error: str = ""
    created_ts: Micros = 0
    finished_ts: Micros = 0

    @property
    def progress(self) -> float:
        return sum(one.progress for one in self.series) / len(self.series)

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.series)


class Downloads:
    """A queue with one worker, because jobs of one venue share its budget. End it with `stop`."""

    def __init__(self, open_feed: OpenFeed, store: CandleStore, clock: Clock) -> None:
        self._open_feed, self._store, self._clock = open_feed, store, clock
        self._jobs: dict[str, DownloadJob] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._turn = asyncio.Lock()

    def submit(self, wish: DownloadWish) -> DownloadJob:
        """A queued job; needs a running event loop. Raises BadInput for a wish that makes no sense."""
        now = self._clock.now()
        wish.span(now)  # the venue's time is asked later; what makes no sense at any time is refused now
        job = DownloadJob(id=secrets.token_hex(6), wish=wish, series=fresh(wish), created_ts=now)
        feed = self._open_feed(wish.exchange)
        self._jobs[job.id] = job
        task = asyncio.create_task(self._work(job, feed), name=f"download {job.id}")
        task.add_done_callback(_tell_fault)
        self._tasks[job.id] = task
        self._forget()
        return job

    def list(self) -> list[DownloadJob]:
        """Newest first."""
        return list(reversed(self._jobs.values()))

    def get(self, job_id: str) -> DownloadJob:
        if (job := self._jobs.get(job_id)) is None:
            raise NotFound("id", job_id, "not a download of this session", "GET /api/v1/downloads lists them.")
        return job

    def cancel(self, job_id: str) -> DownloadJob:
        """Raises NotFound, Conflict when it is over already."""
        job = self.get(job_id)
        if job.finished_ts:
            raise Conflict("id", job_id, f"already {job.state}")
        self._end(job, "cancelled")
        self._tasks[job_id].cancel()
        return job

    async def wait(self, job_id: str) -> DownloadJob:
        """The job when it is over."""
        job = self.get(job_id)
        await asyncio.gather(self._tasks[job_id], return_exceptions=True)
        return job

    async def stop(self) -> None:
        tasks = [task for task in self._tasks.values() if not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, job: DownloadJob, feed: MarketFeed) -> None:
        try:
            async with self._turn:
                job.state = "running"
                await download(feed, self._store, job.wish, job.series, lambda _: None)
            failed = [one for one in job.series if one.state == "failed"]
            if failed:
                self._end(job, "failed", f"{len(failed)} of {len(job.series)} series failed: {failed[0].error}")
            else:
                self._end(job, "done")
        except OnetapeError as error:
            self._end(job, "failed", str(error))
        finally:
            if not job.finished_ts:
                self._end(job, "failed", "a fault in the program; `onetape logs --service web` holds the details")
            await feed.close()

    def _end(self, job: DownloadJob, state: str, error: str = "") -> None:
        job.state, job.error, job.finished_ts = state, error, self._clock.now()
        for one in job.series:
            if one.state in ("waiting", "running"):
                one.state = "cancelled"

    def _forget(self) -> None:
        over = [job_id for job_id, job in self._jobs.items() if job.finished_ts]
        for job_id in over[: max(0, len(self._jobs) - REMEMBERED)]:
            del self._jobs[job_id], self._tasks[job_id]


def _tell_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (fault := task.exception()):
        log.error("download_failed", job=task.get_name(), exc_info=fault)
