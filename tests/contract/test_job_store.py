"""Every store of jobs: one runner at a time has a job, and what a dead one left behind is taken again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.jobs import Ending, Job, JobState, Progress
from onetape.jobs.memory import MemoryJobStore
from onetape.ports import JobStore, OnlyJobs
from onetape.storage.jobs import PgJobStore
from onetape.storage.pool import open_pool

NOW = 1_700_000_000_000_000
LATER = NOW + 10_000_000
DONE = Ending(state=JobState.DONE, result="run-7")
HALF = Progress(fraction=0.5, text="trading", counts={"trials": 3}, eta_ts=NOW + 5, detail={"best": [1, 2.5]})


def a_job(name: str, kind: str = "backtest", age: int = 0) -> Job:
    return Job(id=name, kind=kind, wish={"strategy": "s", "fast": 5}, asked_by="api", created_ts=NOW - age)


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "memory" else str(request.getfixturevalue("database_url"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[JobStore]:
    if not url:
        yield MemoryJobStore()
        return
    pool = await open_pool(url)
    yield PgJobStore(pool)
    await pool.close()


async def test_a_job_comes_back_as_it_was_added(store: JobStore) -> None:
    await store.add(a_job("a"))
    assert await store.get("a") == a_job("a")
    with pytest.raises(NotFound, match="nobody"):
        await store.get("nobody")


async def test_the_oldest_waiting_job_of_the_kinds_is_claimed_first_and_once(store: JobStore) -> None:
    for name, kind, age in (("new", "backtest", 1), ("old", "backtest", 9), ("other", "download", 20)):
        await store.add(a_job(name, kind, age))
    first = await store.claim(["backtest"], "r", NOW, LATER)
    assert first is not None
    assert (first.id, first.state, first.started_ts, first.starts) == ("old", JobState.RUNNING, NOW, 1)
    second = await store.claim(["backtest", "import"], "r", NOW, LATER)
    assert second is not None
    assert second.id == "new"
    assert await store.claim(["backtest"], "r", NOW, LATER) is None


async def test_many_claims_at_once_give_each_job_to_one(store: JobStore) -> None:
    for i in range(5):
        await store.add(a_job(str(i)))
    claimed = await asyncio.gather(*(store.claim(["backtest"], f"r{i}", NOW, LATER) for i in range(8)))
    assert sorted(job.id for job in claimed if job) == ["0", "1", "2", "3", "4"]


async def test_progress_is_kept_and_ends_with_the_job(store: JobStore) -> None:
    await store.add(a_job("a"))
    await store.claim(["backtest"], "r", NOW, LATER)
    assert await store.report("a", "r", HALF, LATER)
    assert (await store.get("a")).progress == HALF
    assert await store.end("a", "r", DONE, Progress(fraction=1.0), LATER)
    job = await store.get("a")
    assert (job.state, job.result, job.progress.fraction, job.finished_ts) == (JobState.DONE, "run-7", 1.0, LATER)
    assert not await store.report("a", "r", HALF, LATER)
    assert not await store.end("a", "r", Ending(state=JobState.FAILED, error="late"), HALF, LATER)
    assert (await store.get("a")).error == ""


async def test_a_refused_wish_keeps_what_was_wrong_part_by_part(store: JobStore) -> None:
    await store.add(a_job("a"))
    await store.claim(["backtest"], "r", NOW, LATER)
    refusal = BadInput("$.fast", 5, "too slow", "Take 4.")
    await store.end("a", "r", Ending.failed(refusal), HALF, LATER)
    job = await store.get("a")
    assert (job.state, job.error) == (JobState.FAILED, str(refusal))
    assert job.refusal is not None
    assert (job.refusal.field, job.refusal.remedy) == ("$.fast", "Take 4.")


async def test_another_runner_can_neither_report_nor_end_it(store: JobStore) -> None:
    await store.add(a_job("a"))
    await store.claim(["backtest"], "r", NOW, LATER)
    assert not await store.report("a", "other", HALF, LATER)
    assert not await store.end("a", "other", DONE, HALF, LATER)
    assert (await store.get("a")).state is JobState.RUNNING


async def test_a_job_that_is_held_is_nobody_elses_and_one_that_is_not_is_claimed_again(store: JobStore) -> None:
    await store.add(a_job("a"))
    await store.claim(["backtest"], "dead", NOW, LATER)
    await store.report("a", "dead", HALF, LATER + 5)
    assert await store.claim(["backtest"], "next", LATER + 5, LATER + 9) is None
    again = await store.claim(["backtest"], "next", LATER + 6, LATER + 9)
    assert again is not None
    assert (again.id, again.starts, again.progress) == ("a", 2, HALF)
    assert not await store.report("a", "dead", HALF, LATER + 99)


async def test_released_jobs_wait_as_if_never_started(store: JobStore) -> None:
    for name in ("a", "b", "c"):
        await store.add(a_job(name))
    for runner in ("r", "r", "other"):
        await store.claim(["backtest"], runner, NOW, LATER)
    ended = await store.page(OnlyJobs(state=JobState.RUNNING))
    await store.end(ended[0][-1].id, "r", DONE, HALF, NOW)
    await store.release("r")
    states = sorted((job.state, job.starts) for job in (await store.page(OnlyJobs()))[0])
    assert states == [(JobState.DONE, 1), (JobState.QUEUED, 0), (JobState.RUNNING, 1)]
    assert await store.claim(["backtest"], "next", NOW, LATER) is not None


async def test_cancelling_takes_a_waiting_and_a_running_job_but_not_one_that_is_over(store: JobStore) -> None:
    for name in ("a", "b"):
        await store.add(a_job(name))
    running = await store.claim(["backtest"], "r", NOW, LATER)
    assert running is not None
    for name in ("a", "b"):
        cancelled = await store.cancel(name, LATER)
        assert (cancelled.state, cancelled.finished_ts) == (JobState.CANCELLED, LATER)
    assert not await store.report(running.id, "r", HALF, LATER)
    assert await store.claim(["backtest"], "r", LATER * 2, LATER * 3) is None
    with pytest.raises(Conflict, match="already cancelled"):
        await store.cancel("a", LATER)
    with pytest.raises(NotFound):
        await store.cancel("nobody", LATER)


async def test_a_job_whose_processes_keep_dying_is_given_up_with_a_sentence(store: JobStore) -> None:
    await store.add(a_job("a"))
    await store.add(a_job("held"))
    for start in range(2):
        await store.claim(["backtest"], f"r{start}", NOW + start * 10, NOW + start * 10 + 1)
    await store.claim(["backtest"], "alive", NOW, LATER)
    assert await store.give_up(3, NOW + 50) == []
    await store.claim(["backtest"], "r3", NOW + 60, NOW + 61)
    (job,) = await store.give_up(3, NOW + 70)
    assert (job.id, job.state, job.starts, job.finished_ts) == ("a", JobState.INTERRUPTED, 3, NOW + 70)
    assert "each of the 3 times" in job.error
    assert (await store.get("held")).state is JobState.RUNNING


async def test_lists_are_newest_first_in_pages_and_by_kind_and_state(store: JobStore) -> None:
    for i in range(5):
        await store.add(a_job(f"j{i}", "download" if i == 2 else "backtest", age=9 - i))
    first, after = await store.page(OnlyJobs(limit=2))
    second, end = await store.page(OnlyJobs(limit=3, before=after))
    assert [job.id for job in (*first, *second)] == ["j4", "j3", "j2", "j1", "j0"]
    assert end == ""
    await store.claim(["download"], "r", NOW, LATER)
    assert [job.id for job in (await store.page(OnlyJobs(kind="download")))[0]] == ["j2"]
    assert [job.id for job in (await store.page(OnlyJobs(state=JobState.RUNNING)))[0]] == ["j2"]
    assert await store.counts() == {("backtest", JobState.QUEUED): 4, ("download", JobState.RUNNING): 1}


@pytest.mark.parametrize("only", [OnlyJobs(limit=0), OnlyJobs(limit=1001), OnlyJobs(before="x"), OnlyJobs(before="7.")])
async def test_an_impossible_page_is_refused(store: JobStore, only: OnlyJobs) -> None:
    with pytest.raises(BadInput):
        await store.page(only)


async def test_only_what_was_over_long_ago_is_forgotten(store: JobStore) -> None:
    for name in ("old", "new", "waiting"):
        await store.add(a_job(name))
    await store.cancel("old", NOW)
    await store.cancel("new", NOW + 100)
    assert await store.forget(NOW + 50) == 1
    assert sorted(job.id for job in (await store.page(OnlyJobs()))[0]) == ["new", "waiting"]
