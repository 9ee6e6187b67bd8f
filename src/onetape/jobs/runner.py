"""The runner: takes jobs from the store, so many of each lane at once, tells how far they are, and cancels them.

The store has the facts; the bus carries hints, which may come late or not at all. Two runners on one store share the
work. What a dead one held is taken again when its hold has run out, and work is begun anew from the wish: every kind of
job must be one that may be done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from onetape.domain import topics
from onetape.domain.errors import OnetapeError, Transient
from onetape.domain.jobs import Ending, Job, JobState, Progress, Say
from onetape.domain.units import DAY, SECOND, Micros
from onetape.observe import log
from onetape.ports import Bus, Clock, JobStore, OnlyJobs

LOOK: Final = 1.0  # seconds between two looks into the store, and between two reports to it
HOLD: Final[Micros] = 10 * SECOND  # a job is held for so long after its last report
TELL: Final[Micros] = SECOND // 10  # between two messages about one job
MOST_STARTS: Final = 3
KEPT: Final[Micros] = 90 * DAY  # after its end; what a job made stays
FAULT: Final = "a fault in the program; `onetape logs --service web` holds the details"

Work = Callable[[Job, Say], Awaitable[str]]  # gives the job's result; raises OnetapeError


class Died(Exception):
    """The process that did the work ended in the middle: nobody knows why, and it is begun again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """How jobs of one kind are done, and in which lane they wait: a lane has so many at once."""

    lane: str
    work: Work


@dataclasses.dataclass(slots=True)
class _Running:
    job: Job
    begun_ts: Micros
    first: float  # the fraction that was done at the begin
    work: asyncio.Future[str] | None = None
    told_ts: Micros = 0


class Runner:
    """Run `run` in one task, for ever; ask and cancel from any other of the same loop."""

    def __init__(
        self, store: JobStore, bus: Bus, clock: Clock, kinds: Mapping[str, Kind], lanes: Mapping[str, int]
    ) -> None:
        self._store, self._bus, self._clock = store, bus, clock
        self._kinds, self._lanes = kinds, lanes
        self._name = secrets.token_hex(8)
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look = asyncio.Event()
        self._asked_ts: Micros = 0
        self._ended = asyncio.Condition()

    # for those who ask

    def now(self) -> Micros:
        return self._clock.now()

    async def submit(
        self, kind: str, wish: msgspec.Struct | Mapping[str, Any], asked_by: str, first: Any = None
    ) -> Job:
        """A waiting job; `first` is the detail of its progress until it starts. Raises Transient."""
        self._asked_ts = max(self._clock.now(), self._asked_ts + 1)  # who asks first is served first
        job = Job(
            id=secrets.token_hex(6),
            kind=kind,
            wish=msgspec.to_builtins(wish),
            asked_by=asked_by,
            progress=Progress(text="waiting", detail=msgspec.to_builtins(first)),
            created_ts=self._asked_ts,
        )
        await self._store.add(job)
        self._tell(job)
        self._look.set()
        return job

    async def get(self, job_id: str) -> Job:
        """Raises NotFound, Transient."""
        job = await self._store.get(job_id)
        return self._newest(job)

    async def page(self, only: OnlyJobs) -> tuple[list[Job], str]:
        """See ports.JobStore."""
        rows, following = await self._store.page(only)
        return [self._newest(job) for job in rows], following

    async def counts(self) -> dict[tuple[str, JobState], int]:
        return await self._store.counts()

    async def cancel(self, job_id: str) -> Job:
        """Its work ends at once; another runner's within a second. Raises NotFound, Conflict when it is over."""
        job = await self._store.cancel(job_id, self._clock.now())
        running = self._running.get(job_id)
        if running:
            job = msgspec.structs.replace(job, progress=running.job.progress)
            if running.work:
                running.work.cancel()
        await self._tell_end(job)
        return job

    async def wait(self, job_id: str) -> Job:
        """The job when it is over."""
        while not (job := await self.get(job_id)).over:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK), self._ended:
                    await self._ended.wait()
        return job

    # the work

    async def run(self) -> None:
        """For ever. At the end what runs is given back to the queue."""
        try:
            while True:
                self._look.clear()
                try:
                    await self._take()
                except Transient as problem:
                    log.warning("jobs_unreachable", problem=str(problem))
                with contextlib.suppress(TimeoutError):  # wait_for of Python 3.11 can swallow a cancellation
                    async with asyncio.timeout(LOOK):
                        await self._look.wait()
        finally:
            await self._give_back()

    async def _take(self) -> None:
        now = self._clock.now()
        for job in await self._store.give_up(MOST_STARTS, now):
            log.error("job_interrupted", job=job.id, kind=job.kind, starts=job.starts)
            await self._tell_end(job)
        await self._store.forget(now - KEPT)
        for lane, most in self._lanes.items():
            kinds = [name for name, kind in self._kinds.items() if kind.lane == lane]
            while sum(running.job.kind in kinds for running in self._running.values()) < most:
                now = self._clock.now()
                if (claimed := await self._store.claim(kinds, self._name, now, now + HOLD)) is None:
                    break
                self._start(claimed)

    def _start(self, job: Job) -> None:
        running = _Running(job, self._clock.now(), job.progress.fraction)
        self._running[job.id] = running
        task = asyncio.create_task(self._work(running), name=f"job {job.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, running: _Running) -> None:
        job_id = running.job.id
        running.work = work = asyncio.ensure_future(
            self._kinds[running.job.kind].work(running.job, lambda progress: self._say(running, progress))
        )
        self._tell(running.job)
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=LOOK)
                if not work.done() and not await self._report(running):
                    work.cancel()
                    await asyncio.wait({work})
            if not work.cancelled():
                await self._settle(running, work)
        finally:
            work.cancel()
            await asyncio.wait({work})
            if self._running.get(job_id) is running:  # else it was begun again already
                del self._running[job_id]
            self._look.set()

    async def _settle(self, running: _Running, work: asyncio.Future[str]) -> None:
        error = work.exception()
        if isinstance(error, Died):
            log.warning("job_died", job=running.job.id, kind=running.job.kind, problem=str(error))
            await self._report(running, hold=-1)  # nobody's: whoever looks next begins it again, or gives it up
        else:
            await self._end(running, self._ending(running.job, work))

    def _ending(self, job: Job, work: asyncio.Future[str]) -> Ending:
        error = work.exception()
        if error is None:
            return Ending(state=JobState.DONE, result=work.result())
        if isinstance(error, OnetapeError):
            return Ending.failed(error)
        log.error("job_failed", job=job.id, kind=job.kind, exc_info=error)
        return Ending(state=JobState.FAILED, error=FAULT)

    async def _report(self, running: _Running, hold: Micros = HOLD) -> bool:
        """Whether the job is still ours. Where the store is away it is: an absence is no reason to lose the work."""
        try:
            until_ts = self._clock.now() + hold
            return await self._store.report(running.job.id, self._name, running.job.progress, until_ts)
        except Transient:
            return True

    async def _end(self, running: _Running, ending: Ending) -> None:
        progress = running.job.progress
        if ending.state is JobState.DONE:
            progress = msgspec.structs.replace(progress, fraction=1.0, text="done", eta_ts=0)
        while True:
            try:
                now = self._clock.now()
                if await self._store.end(running.job.id, self._name, ending, progress, now):
                    said = msgspec.structs.asdict(ending) | {"progress": progress, "finished_ts": now}
                    running.job = msgspec.structs.replace(running.job, **said)
                    await self._tell_end(running.job)
                return
            except Transient:
                await asyncio.sleep(LOOK)

    async def _give_back(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(Transient):  # else its hold runs out in a moment
            await self._store.release(self._name)

    # what people hear

    def _say(self, running: _Running, progress: Progress) -> None:
        now = self._clock.now()
        done = progress.fraction - running.first
        if not progress.eta_ts and done > 0.01:
            left = (now - running.begun_ts) * (1 - progress.fraction) / done
            progress = msgspec.structs.replace(progress, eta_ts=now + int(left))
        running.job = msgspec.structs.replace(running.job, progress=progress)
        if now - running.told_ts >= TELL:
            running.told_ts = now
            self._tell(running.job)

    def _newest(self, job: Job) -> Job:
        """The progress in the store is up to a second old."""
        running = self._running.get(job.id)
        return job if running is None or job.over else running.job

    async def _tell_end(self, job: Job) -> None:
        self._tell(job)
        async with self._ended:
            self._ended.notify_all()

    def _tell(self, job: Job) -> None:
        self._bus.publish(topics.job(job.id), job)
