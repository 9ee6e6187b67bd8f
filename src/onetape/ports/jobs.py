"""Where jobs are kept: who works on which, how far it is, what became of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from onetape.domain.jobs import Ending, Job, JobState, Progress
from onetape.domain.units import Micros


class OnlyJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs are wanted: newest first, at most `limit`, those before the cursor."""

    kind: str | None = None
    state: JobState | None = None
    limit: int = 100
    before: str = ""


class JobStore(Protocol):
    """Jobs outlive the process that works on them. A runner holds a running job until a time that it puts off again and
    again; what it no longer holds, another one may claim."""

    async def add(self, job: Job) -> None: ...

    async def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        ...

    async def page(self, only: OnlyJobs) -> tuple[list[Job], str]:
        """With the cursor of the jobs after them, "" at the end. Raises BadInput."""
        ...

    async def counts(self) -> dict[tuple[str, JobState], int]:
        """How many there are of each kind and state."""
        ...

    async def claim(self, kinds: Collection[str], runner: str, now_ts: Micros, until_ts: Micros) -> Job | None:
        """The oldest job of these kinds that waits, or that nobody holds any more: running, and held by `runner`."""
        ...

    async def report(self, job_id: str, runner: str, progress: Progress, until_ts: Micros) -> bool:
        """How far it is; held until `until_ts`. False: it is no longer this runner's (it was cancelled)."""
        ...

    async def end(self, job_id: str, runner: str, ending: Ending, progress: Progress, now_ts: Micros) -> bool:
        """False: it is no longer this runner's, and nothing was changed."""
        ...

    async def cancel(self, job_id: str, now_ts: Micros) -> Job:
        """Raises NotFound, Conflict when it is over already."""
        ...

    async def release(self, runner: str) -> None:
        """All that `runner` holds waits again, as if it had never been started."""
        ...

    async def give_up(self, starts: int, now_ts: Micros) -> list[Job]:
        """Jobs that nobody holds any more and that were started so often already: they are interrupted for good."""
        ...

    async def forget(self, before_ts: Micros) -> int:
        """Deletes what was over before that time; gives how many. What the jobs made stays."""
        ...
