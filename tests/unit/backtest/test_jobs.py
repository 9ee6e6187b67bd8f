"""Jobs: one after the other, cancelled ones leave no result, a fault ends in a sentence and not in silence."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from onetape.backtest.jobs import Jobs, Say
from onetape.clock import SimulatedClock
from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.results import BacktestSpec

SPEC = BacktestSpec(strategy="s")


def result(run_id: str) -> Any:
    return SimpleNamespace(run_id=run_id)


async def test_jobs_wait_for_each_other_and_tell_how_far_they_are() -> None:
    gate, running = asyncio.Event(), 0

    async def answer(spec: BacktestSpec, say: Say) -> Any:
        nonlocal running
        running += 1
        assert running == 1
        say("trading", 0.4)
        await gate.wait()
        running -= 1
        return result("r")

    jobs = Jobs(answer, SimulatedClock(7))
    first, second = jobs.submit(SPEC), jobs.submit(SPEC)
    await asyncio.sleep(0)
    assert (first.state, first.stage, first.progress, second.state) == ("running", "trading", 0.4, "queued")
    gate.set()
    await jobs.wait(second.id)
    assert [(job.state, job.run_id, job.progress, job.finished_ts) for job in jobs.list()] == [
        ("done", "r", 1.0, 7)
    ] * 2


async def test_a_cancelled_job_lets_the_next_one_run() -> None:
    async def answer(spec: BacktestSpec, say: Say) -> Any:
        if spec.symbol == "slow":
            await asyncio.Event().wait()
        return result("r")

    jobs = Jobs(answer, SimulatedClock(7))
    slow = jobs.submit(BacktestSpec(strategy="s", symbol="slow"))
    quick = jobs.submit(SPEC)
    await asyncio.sleep(0)
    jobs.cancel(slow.id)
    await jobs.wait(quick.id)
    assert (slow.state, slow.run_id, quick.state) == ("cancelled", "", "done")
    with pytest.raises(Conflict):
        jobs.cancel(slow.id)
    with pytest.raises(NotFound):
        jobs.get("nothing")


async def test_bad_input_and_faults_end_as_failed_with_a_sentence() -> None:
    async def answer(spec: BacktestSpec, say: Say) -> Any:
        if spec.symbol == "bad":
            raise BadInput("the period", "", "too short")
        raise ZeroDivisionError

    jobs = Jobs(answer, SimulatedClock(7))
    bad, fault = jobs.submit(BacktestSpec(strategy="s", symbol="bad")), jobs.submit(SPEC)
    await jobs.wait(fault.id)
    assert (bad.state, fault.state) == ("failed", "failed")
    assert "too short" in bad.error
    assert "fault" in fault.error
