"""What every shared budget keeps to: over all who ask, and on one clock."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from onetape.bus.budgets import RedisBudgets
from onetape.bus.embedded import EmbeddedValkey
from onetape.domain.errors import Transient
from onetape.exchanges import limits
from onetape.exchanges.limits import Pace, SharedBudget


async def test_two_processes_share_one_bucket(redis_url: str) -> None:
    """A bucket of two tokens, one an hour: the third request waits an hour, whoever sends it, and takes nothing."""
    one, other = RedisBudgets(redis_url), RedisBudgets(redis_url)
    waits = [await budgets.delay("trades", 2.0, 1 / 3600) for budgets in (one, other, one, other)]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2:] == [pytest.approx(3600, abs=10), pytest.approx(3600, abs=10)]
    assert await one.delay("books", 2.0, 1 / 3600) == 0.0  # another bucket
    await one.close()
    await other.close()


async def test_too_many_closes_the_bucket_for_all_and_halves_its_rate(redis_url: str) -> None:
    one, other = RedisBudgets(redis_url), RedisBudgets(redis_url)
    await one.exceeded("candles", 1000.0, 2000.0)
    assert await other.delay("candles", 1.0, 1 / 3600) == pytest.approx(1000, abs=10)
    await one.exceeded("candles", 0.0, 2000.0)
    assert await other.delay("candles", 1.0, 1 / 3600) == 0.0
    assert await other.delay("candles", 1.0, 1 / 3600) == pytest.approx(7200, abs=10)
    await one.close()
    await other.close()


async def test_of_many_at_once_one_is_let_through(redis_url: str) -> None:
    """Ten at once at one token an hour: the nine ask again in an hour."""
    budgets = RedisBudgets(redis_url)
    waits = await asyncio.gather(*(budgets.delay("many", 1.0, 1 / 3600) for _ in range(10)))
    assert sorted(round(wait / 3600) for wait in waits) == [0] + 9 * [1]
    await budgets.close()


async def test_a_request_that_costs_more_than_the_bucket_holds_is_let_through_and_owed(redis_url: str) -> None:
    budgets = RedisBudgets(redis_url)
    assert await budgets.delay("dear", 1.0, 1 / 3600, 3.0) == 0.0
    assert await budgets.delay("dear", 1.0, 1 / 3600) == pytest.approx(3 * 3600, abs=10)
    await budgets.close()


async def test_requests_given_up_while_they_wait_do_not_starve_those_after_them(redis_url: str) -> None:
    """One token in two hours: six give up, and the next waits for one token and not for seven."""
    budgets = RedisBudgets(redis_url)
    pace = Pace(1, 3600)
    shared = SharedBudget("given-up", pace, budgets)
    await shared.take()
    for _ in range(6):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await shared.take()
    assert await budgets.delay("given-up", pace.capacity, pace.rate) == pytest.approx(7200, abs=20)
    await budgets.close()


class Slow(RedisBudgets):
    """Its answers take a moment."""

    async def delay(self, name: str, capacity: float, rate: float, cost: float = 1.0) -> float:
        answer = await super().delay(name, capacity, rate, cost)
        await asyncio.sleep(0.2)
        return answer


async def test_a_request_given_up_while_the_server_answers_gives_back_what_it_took(redis_url: str) -> None:
    """One token in two hours: five are given up before the answer comes, and the next is let through."""
    budgets, pace = Slow(redis_url), Pace(1, 3600)
    shared = SharedBudget("given-back", pace, budgets)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await shared.take()
    async with asyncio.timeout(5):
        await shared.take()
    assert await budgets.delay("given-back", pace.capacity, pace.rate) == pytest.approx(7200, abs=20)
    await budgets.close()


async def test_without_a_server_the_process_goes_on_with_half_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedValkey(tmp_path)
    budgets = RedisBudgets(await server.start())
    waits: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await real(seconds)

    shared = SharedBudget("time", Pace(20), budgets)
    await shared.take()
    await server.stop()
    with pytest.raises(Transient, match="Valkey did not answer"):
        await budgets.delay("time", 1.0, 1.0)
    monkeypatch.setattr(limits.asyncio, "sleep", sleep)
    for _ in range(3):  # a capacity of 2, then 4 a second
        await shared.take()
    assert sum(waits) == pytest.approx(0.25, abs=0.1)
    await shared.exceeded()  # nobody to tell, and no error
    await budgets.close()
