"""The runner: so many at once, told how far, cancelled at once, done again after a death, and never twice at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from onetape.bus.memory import MemoryBus
from onetape.clock import SimulatedClock
from onetape.domain.errors import BadInput, Conflict, NotFound, Transient
from onetape.domain.jobs import Job, JobState, Progress, Say
from onetape.domain.units import SECOND, Micros
from onetape.jobs import runner as module
from onetape.jobs.memory import MemoryJobStore
from onetape.jobs.runner import HOLD, MOST_STARTS, Died, Kind, Runner, Work
from onetape.ports import OnlyJobs, Resync

NOW = 1_700_000_000 * SECOND


class Works:
    """Jobs that wait for `gate`, and how many of them run at the same time."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.running: list[str] = []
        self.most = 0
        self.ended: list[str] = []

    async def __call__(self, job: Job, say: Say) -> str:
        self.running.append(job.id)
        self.most = max(self.most, len(self.running))
        say(Progress(fraction=0.25, text="working"))
        try:
            await self.gate.wait()
            return f"made by {job.wish['name']}"
        finally:
            self.running.remove(job.id)
            self.ended.append(job.id)


class Away(MemoryJobStore):
    """A store that cannot be reached for a while."""

    away = False

    async def claim(self, *given: object) -> Job | None:
        self._check()
        return await super().claim(*given)  # type: ignore[arg-type]

    async def report(self, *given: object) -> bool:
        self._check()
        return await super().report(*given)  # type: ignore[arg-type]

    async def end(self, *given: object) -> bool:
        self._check()
        return await super().end(*given)  # type: ignore[arg-type]

    def _check(self) -> None:
        if self.away:
            raise Transient("PostgreSQL did not answer")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.01)


@asynccontextmanager
async def opened(
    work: Work, store: MemoryJobStore | None = None, clock: SimulatedClock | None = None, at_once: int = 1
) -> AsyncIterator[Runner]:
    kinds = {"backtest": Kind("computing", work), "download": Kind("network", work)}
    made = Runner(
        store or MemoryJobStore(),
        MemoryBus(),
        clock or SimulatedClock(NOW),
        kinds,
        {"computing": at_once, "network": 1},
    )
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def ask(runner: Runner, name: str = "a", kind: str = "backtest") -> Job:
    return await runner.submit(kind, {"name": name}, "api")


@pytest.mark.parametrize("at_once", [1, 2])
async def test_of_a_lane_only_so_many_run_and_all_come_to_their_turn(at_once: int) -> None:
    works = Works()
    async with opened(works, at_once=at_once) as runner:
        jobs = [await ask(runner, str(i)) for i in range(5)]
        await until(lambda: len(works.running) == at_once)
        assert [(await runner.get(job.id)).state for job in jobs].count(JobState.QUEUED) == 5 - at_once
        works.gate.set()
        ended = [await runner.wait(job.id) for job in jobs]
    assert [(job.state, job.result, job.progress.fraction) for job in ended] == [
        (JobState.DONE, f"made by {i}", 1.0) for i in range(5)
    ]
    assert works.most == at_once
    assert works.ended == [job.id for job in jobs]


async def test_lanes_do_not_wait_for_each_other() -> None:
    works = Works()
    async with opened(works) as runner:
        await ask(runner)
        await ask(runner, kind="download")
        await until(lambda: len(works.running) == 2)


async def test_progress_is_told_with_the_time_it_will_take() -> None:
    clock, said, gate = SimulatedClock(NOW), asyncio.Event(), asyncio.Event()

    async def work(job: Job, say: Say) -> str:
        clock.advance(NOW + 10 * SECOND)
        say(Progress(fraction=0.25, text="trading", counts={"trials": 5}))
        said.set()
        await gate.wait()
        return "r"

    heard: list[Job] = []
    async with opened(work, clock=clock) as runner:

        async def listen() -> None:
            async for message in runner._bus.subscribe("job:*"):
                if isinstance(message, Resync):
                    continue
                heard.append(message.body)

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        job = await ask(runner)
        await said.wait()
        now = (await runner.get(job.id)).progress
        assert (now.fraction, now.text, now.counts) == (0.25, "trading", {"trials": 5})
        assert now.eta_ts == NOW + 40 * SECOND  # a quarter took ten seconds: three quarters take thirty more
        gate.set()
        await runner.wait(job.id)
        await until(lambda: heard and heard[-1].over)
        listening.cancel()
    assert [one.state for one in heard] == [JobState.QUEUED, JobState.RUNNING, JobState.RUNNING, JobState.DONE]


async def test_a_running_job_is_cancelled_at_once_and_the_next_one_runs() -> None:
    works = Works()
    async with opened(works) as runner:
        slow, quick = await ask(runner), await ask(runner, "b")
        await until(lambda: works.running == [slow.id])
        cancelled = await runner.cancel(slow.id)
        assert (cancelled.state, cancelled.progress.text) == (JobState.CANCELLED, "working")
        await until(lambda: works.ended == [slow.id])
        works.gate.set()
        assert (await runner.wait(quick.id)).state is JobState.DONE
        assert (await runner.get(slow.id)).result == ""
        with pytest.raises(Conflict, match="already cancelled"):
            await runner.cancel(slow.id)
        with pytest.raises(NotFound):
            await runner.cancel("nothing")


async def test_a_waiting_job_that_is_cancelled_never_starts() -> None:
    works = Works()
    async with opened(works) as runner:
        first, second = await ask(runner), await ask(runner)
        await until(lambda: works.running)
        await runner.cancel(second.id)
        works.gate.set()
        await runner.wait(first.id)
        await asyncio.sleep(0.03)
    assert works.ended == [first.id]


async def test_a_job_cancelled_in_the_store_by_somebody_else_ends_at_the_next_report() -> None:
    works, store = Works(), MemoryJobStore()
    async with opened(works, store) as runner:
        job = await ask(runner)
        await until(lambda: works.running)
        await store.cancel(job.id, NOW)
        await until(lambda: works.ended == [job.id])


async def test_bad_input_and_faults_end_as_failed_with_a_sentence() -> None:
    async def work(job: Job, say: Say) -> str:
        if job.wish["name"] == "bad":
            raise BadInput("$.start", "x", "not a time")
        raise ZeroDivisionError

    async with opened(work) as runner:
        bad, fault = await ask(runner, "bad"), await ask(runner)
        bad, fault = await runner.wait(bad.id), await runner.wait(fault.id)
    assert (bad.state, bad.error) == (JobState.FAILED, "$.start is 'x': not a time.")
    assert bad.refusal is not None
    assert bad.refusal.field == "$.start"
    assert (fault.state, fault.refusal) == (JobState.FAILED, None)
    assert "onetape logs" in fault.error


async def test_at_a_clean_stop_what_runs_goes_back_to_the_queue_and_the_next_runner_does_it() -> None:
    works, store = Works(), MemoryJobStore()
    async with opened(works, store) as runner:
        jobs = [await ask(runner, "a"), await ask(runner, "b")]
        await until(lambda: len(works.running) == 1)
    assert [(await store.get(job.id)).state for job in jobs] == [JobState.QUEUED] * 2
    works.gate.set()
    async with opened(works, store) as runner:
        ended = [await runner.wait(job.id) for job in jobs]
    assert [(job.state, job.result) for job in ended] == [(JobState.DONE, "made by a"), (JobState.DONE, "made by b")]


async def test_what_a_dead_runner_held_is_done_again_when_its_hold_has_run_out() -> None:
    works, store, clock = Works(), MemoryJobStore(), SimulatedClock(NOW)
    await store.add(Job(id="a", kind="backtest", wish={"name": "a"}, created_ts=NOW))
    await store.claim(["backtest"], "dead", NOW, NOW + HOLD)
    works.gate.set()
    async with opened(works, store, clock) as runner:
        await asyncio.sleep(0.05)
        assert works.ended == []
        clock.advance(NOW + HOLD + 1)
        assert (await runner.wait("a")).state is JobState.DONE


async def test_a_job_that_dies_with_every_runner_is_interrupted_in_the_end() -> None:
    store, clock, now = MemoryJobStore(), SimulatedClock(NOW), NOW
    await store.add(Job(id="a", kind="backtest", wish={"name": "a"}, created_ts=NOW))
    for _ in range(MOST_STARTS):
        await store.claim(["backtest"], "dead", now, now + HOLD)
        now += 2 * HOLD
    clock.advance(now)
    works = Works()
    async with opened(works, store, clock) as runner:
        job = await runner.wait("a")
    assert (job.state, works.ended) == (JobState.INTERRUPTED, [])
    assert "died each of the 3 times" in job.error


async def test_a_job_whose_process_dies_is_begun_again_at_once_and_given_up_after_the_third_time() -> None:
    deaths = {"once": 1, "always": 100}

    async def work(job: Job, say: Say) -> str:
        deaths[job.wish["name"]] -= 1
        if deaths[job.wish["name"]] >= 0:
            raise Died("killed by SIGKILL")
        return "made"

    async with opened(work) as runner:
        once, always = await ask(runner, "once"), await ask(runner, "always")
        once, always = await runner.wait(once.id), await runner.wait(always.id)
    assert (once.state, once.result, once.starts) == (JobState.DONE, "made", 2)
    assert (always.state, always.starts) == (JobState.INTERRUPTED, MOST_STARTS)
    assert deaths["always"] == 100 - MOST_STARTS


async def test_while_the_store_is_away_work_goes_on_and_ends_when_it_is_back() -> None:
    works, store = Works(), Away()
    async with opened(works, store) as runner:
        job = await ask(runner)
        await until(lambda: works.running)
        store.away = True
        await asyncio.sleep(0.05)
        works.gate.set()
        await until(lambda: works.ended)
        assert (await store.get(job.id)).state is JobState.RUNNING
        store.away = False
        assert (await runner.wait(job.id)).state is JobState.DONE


async def test_two_runners_on_one_store_share_the_work_and_do_nothing_twice() -> None:
    works, store = Works(), MemoryJobStore()
    works.gate.set()
    async with opened(works, store, at_once=2) as one, opened(works, store, at_once=2) as other:
        jobs = [await ask(runner, str(i)) for i, runner in enumerate((one, other) * 5)]
        for job in jobs:
            assert (await one.wait(job.id)).state is JobState.DONE
    assert sorted(works.ended) == sorted(job.id for job in jobs)


async def test_what_was_over_long_ago_is_forgotten() -> None:
    store, clock = MemoryJobStore(), SimulatedClock(NOW)
    await store.add(Job(id="old", kind="backtest", wish={}, created_ts=NOW))
    await store.cancel("old", NOW)
    days: Micros = 91 * 86_400 * SECOND
    clock.advance(NOW + days)
    async with opened(Works(), store, clock) as runner:
        for _ in range(50):
            await asyncio.sleep(0.002)
        assert (await runner.page(OnlyJobs()))[0] == []
