"""A service that dies is started again, with patience that grows; one that dies too often goes to the one above."""

from __future__ import annotations

import asyncio

import pytest

from onetape.supervisor.services import Beat, Escalate, Policy, Service, keep, keep_all

FAST = Policy(first_delay=0.001, longest_delay=0.004, deaths=4, window=60.0)


class Told:
    def __init__(self) -> None:
        self.pauses: list[float] = []

    def __call__(self, service: Service, error: BaseException, pause: float) -> None:
        self.pauses.append(pause)


def failing(times: int, error: Exception) -> Service:
    lives = iter(range(1000))

    async def run(beat: Beat) -> None:
        if next(lives) < times:
            raise error

    return Service("shaky", run, FAST)


async def test_a_service_that_fails_is_started_again_until_it_is_over() -> None:
    service, told = failing(3, ValueError("oops")), Told()
    await keep(service, told)
    assert (service.restarts, service.error) == (3, "ValueError: oops")


async def test_the_pause_doubles_with_some_jitter_up_to_its_limit() -> None:
    service, told = failing(3, ValueError()), Told()
    await keep(service, told)
    for pause, nominal in zip(told.pauses, (0.001, 0.002, 0.004), strict=True):
        assert 0.8 * nominal <= pause <= 1.2 * nominal


async def test_too_many_deaths_escalate_with_the_last_error() -> None:
    with pytest.raises(Escalate, match="shaky died too often: ValueError: oops"):
        await keep(failing(100, ValueError("oops")), Told())


async def test_what_may_pass_never_escalates() -> None:
    service = failing(20, ConnectionError("away"))
    service.patient = (ConnectionError,)
    await keep(service, Told())
    assert service.restarts == 20


async def test_what_may_pass_does_so_in_a_group_too_but_not_beside_a_bug() -> None:
    away = ExceptionGroup("tasks", [ExceptionGroup("more tasks", [ConnectionError("away")])])
    service = failing(20, away)
    service.patient = (ConnectionError,)
    await keep(service, Told())
    assert service.restarts == 20
    beside = failing(20, ExceptionGroup("tasks", [ConnectionError("away"), ValueError("a bug")]))
    beside.patient = (ConnectionError,)
    with pytest.raises(Escalate):
        await keep(beside, Told())


async def test_an_error_that_is_no_bug_goes_to_the_caller_at_once() -> None:
    service = failing(1, LookupError("a person is needed"))
    service.passes = (LookupError,)
    with pytest.raises(LookupError):
        await keep(service, Told())
    assert service.restarts == 0


async def test_a_quiet_life_resets_the_pause() -> None:
    service, told = failing(3, ValueError()), Told()
    service.policy = Policy(first_delay=0.001, longest_delay=1.0, quiet=-1.0, deaths=9)
    await keep(service, told)
    assert all(pause <= 0.0012 for pause in told.pauses)


async def test_a_silent_service_is_cancelled_and_started_again() -> None:
    ends: list[str] = []
    lives = iter(range(9))

    async def run(beat: Beat) -> None:
        if next(lives) == 0:
            try:
                await asyncio.Event().wait()
            finally:
                ends.append("cancelled")

    service = Service("mute", run, FAST, stale=0.02)
    await keep(service, Told())
    assert ends == ["cancelled"]
    assert "gave no sign of life" in service.error


async def test_a_service_that_beats_is_left_alone() -> None:
    async def run(beat: Beat) -> None:
        for _ in range(10):
            await asyncio.sleep(0.01)
            beat.alive()

    service = Service("steady", run, FAST, stale=0.05)
    await keep(service, Told())
    assert service.restarts == 0


async def test_stopping_the_supervisor_stops_the_service_and_starts_nothing() -> None:
    started = asyncio.Event()

    async def run(beat: Beat) -> None:
        started.set()
        await asyncio.Event().wait()

    service = Service("long", run, FAST)
    task = asyncio.create_task(keep_all([service], Told()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.restarts == 0
