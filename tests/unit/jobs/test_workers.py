"""Work in processes of its own: it tells how far it is, is killed to cancel, and its death is a sentence."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from onetape.domain.errors import BadInput, Refused
from onetape.domain.jobs import Job, Progress
from onetape.jobs import workers as module
from onetape.jobs.runner import Died
from onetape.jobs.worker import PRIORITY, SESSION
from onetape.jobs.workers import Workers

COMMAND = (sys.executable, str(Path(__file__).with_name("a_worker.py")))


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    made = Workers(COMMAND, {})
    yield made
    await made.stop()


def job(kind: str, **wish: object) -> Job:
    return Job(id=kind, kind=kind, wish=wish)


def nobody(_: Progress) -> None:
    """Progress that a test does not look at."""


def lives(pid: int) -> bool:
    """Not so for one that ended and waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_job_tells_how_far_it_is_and_gives_its_result_at_the_lowest_priority(workers: Workers) -> None:
    told: list[Progress] = []
    result = await workers.work(job("count", to=40), told.append)
    assert result.split()[1] == str(PRIORITY)
    seen = [progress.counts["i"] for progress in told]
    assert len(seen) > 2
    assert seen == sorted(set(seen))
    assert seen[-1] == 39


async def test_the_next_job_has_the_same_process_and_two_at_once_have_two(workers: Workers) -> None:
    first = await workers.work(job("count", to=1), nobody)
    assert await workers.work(job("count", to=1), nobody) == first
    both = await asyncio.gather(*(workers.work(job("count", to=1), nobody) for _ in range(2)))
    assert first in both
    assert len(set(both)) == 2


async def test_cancelled_in_the_middle_of_code_that_hears_nothing_it_dies_at_once_with_its_children(
    workers: Workers,
) -> None:
    told: list[Progress] = []
    working = asyncio.create_task(workers.work(job("hang"), told.append))
    await until(lambda: told)
    pids = [int(pid) for pid in told[0].text.split()]
    await asyncio.sleep(0.4)  # it sleeps without an event loop now
    assert all(lives(pid) for pid in pids)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    await until(lambda: not any(lives(pid) for pid in pids))
    assert await workers.work(job("count", to=1), nobody)  # a fresh one does the next


async def test_cancelled_it_writes_down_what_is_done_before_it_ends(workers: Workers, tmp_path: Path) -> None:
    told: list[Progress] = []
    working = asyncio.create_task(workers.work(job("keep", file=str(tmp_path / "kept")), told.append))
    await until(lambda: told)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert (tmp_path / "kept").read_text() == "what is done"
    await until(lambda: not lives(int(told[0].text)))


async def test_where_sessions_share_the_processors_the_session_of_a_worker_stands_back_too(workers: Workers) -> None:
    if not Path("/proc/self/autogroup").exists():
        pytest.skip("this system shares the processors by process alone")
    told: list[Progress] = []
    await workers.work(job("group"), told.append)
    assert told[-1].text.endswith(f"nice {SESSION}")


async def test_a_worker_that_nobody_needs_for_long_ends(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.2)
    pid = int((await workers.work(job("count", to=1), nobody)).split()[0])
    await until(lambda: not lives(pid))
    assert await workers.work(job("count", to=1), nobody)


async def test_a_death_is_said_with_what_killed_it_and_the_next_job_runs(workers: Workers) -> None:
    with pytest.raises(Died, match="killed by SIGKILL"):
        await workers.work(job("die"), nobody)
    assert await workers.work(job("count", to=1), nobody)


async def test_an_idle_worker_that_died_meanwhile_is_not_given_a_job(workers: Workers) -> None:
    first = await workers.work(job("count", to=1), nobody)
    idle = workers._idle
    assert idle
    idle.kill()
    await idle.wait()
    assert await workers.work(job("count", to=1), nobody) != first


async def test_a_wish_at_fault_comes_back_with_its_parts(workers: Workers) -> None:
    with pytest.raises(BadInput) as refusal:
        await workers.work(job("refuse"), nobody)
    error = refusal.value
    assert (error.field, error.value, error.problem, error.remedy) == (
        "$.start", "x", "not a time", "2024-01-01 is one.",
    )  # fmt: skip


async def test_a_fault_of_the_program_is_a_sentence_and_its_trace_goes_to_the_log(
    workers: Workers, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Refused, match="onetape logs --service web"):
        await workers.work(job("fault"), nobody)
    said = capsys.readouterr()
    assert "in the strategy" in said.out + said.err


async def test_at_the_end_no_process_is_left() -> None:
    workers = Workers(COMMAND, {})
    pid = int((await workers.work(job("count", to=1), nobody)).split()[0])
    assert lives(pid)
    await workers.stop()
    assert not lives(pid)
