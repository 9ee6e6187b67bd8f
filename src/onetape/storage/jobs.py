"""Jobs in PostgreSQL. Knows the pool and the SQL beside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from onetape.domain.jobs import Ending, Job, JobState, Progress, Refusal
from onetape.domain.units import Micros
from onetape.jobs.memory import INTERRUPTED, cut, is_over, read_cursor, unknown
from onetape.ports import OnlyJobs
from onetape.storage import sql
from onetape.storage.pool import reading, transaction


class PgJobStore:
    """Fulfils ports.JobStore."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def add(self, job: Job) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(
                sql.load("job_add"), job.id, job.kind, job.wish, job.asked_by, job.progress, job.created_ts
            )

    async def get(self, job_id: str) -> Job:
        async with reading(self._pool) as connection:
            row = await connection.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id)
        if row is None:
            raise unknown(job_id)
        return _job(row)

    async def page(self, only: OnlyJobs) -> tuple[list[Job], str]:
        after = read_cursor(only) or (None, None)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("job_list"), only.kind, only.state, *after, only.limit + 1)
        return cut([_job(row) for row in rows], only.limit)

    async def counts(self) -> dict[tuple[str, JobState], int]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("job_counts"))
        return {(row["kind"], JobState(row["state"])): row["jobs"] for row in rows}

    async def claim(self, kinds: Collection[str], runner: str, now_ts: Micros, until_ts: Micros) -> Job | None:
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(sql.load("job_claim"), list(kinds), runner, now_ts, until_ts)
        return _job(row) if row else None

    async def report(self, job_id: str, runner: str, progress: Progress, until_ts: Micros) -> bool:
        async with transaction(self._pool, durable=False) as connection:
            return bool(await connection.fetchval(sql.load("job_report"), job_id, runner, progress, until_ts))

    async def end(self, job_id: str, runner: str, ending: Ending, progress: Progress, now_ts: Micros) -> bool:
        said = (str(ending.state), ending.result, ending.error, ending.refusal)
        async with transaction(self._pool) as connection:
            return bool(await connection.fetchval(sql.load("job_end"), job_id, runner, *said, progress, now_ts))

    async def cancel(self, job_id: str, now_ts: Micros) -> Job:
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(sql.load("job_cancel"), job_id, now_ts)
        if row is None:
            raise is_over(await self.get(job_id))
        return _job(row)

    async def release(self, runner: str) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(sql.load("job_release"), runner)

    async def give_up(self, starts: int, now_ts: Micros) -> list[Job]:
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(sql.load("job_give_up"), starts, now_ts, INTERRUPTED)
        return [_job(row) for row in rows]

    async def forget(self, before_ts: Micros) -> int:
        async with transaction(self._pool) as connection:
            return int(await connection.fetchval(sql.load("job_forget"), before_ts))


def _job(row: Any) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        wish=row["wish"],
        asked_by=row["asked_by"],
        state=JobState(row["state"]),
        progress=msgspec.convert(row["progress"], Progress),
        result=row["result"],
        error=row["error"],
        refusal=msgspec.convert(row["refusal"], Refusal | None),
        starts=row["starts"],
        created_ts=row["created_at"],
        started_ts=row["started_at"] or 0,
        finished_ts=row["finished_at"] or 0,
    )
