from __future__ import annotations

import asyncio

import pytest

from onetape.exchanges.limits import Budget


def sent_times(budget: Budget, clock: list[float], n: int) -> list[float]:
    times = []
    for _ in range(n):
        while (wait := budget.delay()) > 0:
            clock[0] += wait
        times.append(clock[0])
    return times


def test_no_window_of_two_seconds_sees_more_than_the_limit() -> None:
    clock = [100.0]
    times = sent_times(Budget(20, 2.0, lambda: clock[0]), clock, 200)
    for i, start in enumerate(times):
        assert sum(start <= t < start + 2.0 for t in times[i:]) <= 20
    assert times[-1] - times[0] < 30  # 200 requests at 8 a second


def test_too_many_closes_for_a_window_then_goes_at_half_speed() -> None:
    clock = [0.0]
    budget = Budget(20, 2.0, lambda: clock[0])
    budget.exceeded()
    times = sent_times(budget, clock, 20)
    assert times[0] == 2.0
    assert times[-1] - times[-2] == 0.25  # 4 a second


async def test_who_gives_up_while_waiting_has_taken_nothing() -> None:
    clock = [0.0]
    budget = Budget(20, 2.0, lambda: clock[0])
    while budget.delay() == 0.0:
        pass
    for _ in range(50):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await budget.take()
    clock[0] = 1 / 8  # one token
    await asyncio.wait_for(budget.take(), 30)


def test_what_costs_more_than_the_bucket_holds_is_let_through_and_owed() -> None:
    clock = [0.0]
    budget = Budget(20, 2.0, lambda: clock[0])
    assert budget.delay(12.0) == 0.0
    assert budget.delay() == pytest.approx(9 / 8)
