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
    """A bucket of two tokens, one an hour: the third request waits an hour, whoever sends it."""
    one, other = RedisBudgets(redis_url), RedisBudgets(redis_url)
    waits = [await budgets.delay("trades", 2.0, 1 / 3600) for budgets in (one, other, one, other)]
    assert waits[:2] == [0.0, 0.0]
    assert waits[2:] == [pytest.approx(3600, abs=10), pytest.approx(7200, abs=10)]
    assert await one.delay("books", 2.0, 1 / 3600) == 0.0  # another bucket
    await one.close()
    await other.close()


async def test_too_many_closes_the_bucket_for_all_and_halves_its_rate(redis_url: str) -> None:
    one, other = RedisBudgets(redis_url), RedisBudgets(redis_url)
    await one.exceeded("candles", 1000.0, 2000.0)
    assert await other.delay("candles", 1.0, 1 / 3600) == pytest.approx(1000, abs=10)
    assert await other.delay("candles", 1.0, 1 / 3600) == pytest.approx(7200, abs=10)
    await one.close()
    await other.close()


async def test_many_at_once_are_let_through_one_by_one(redis_url: str) -> None:
    """Ten at once at one token an hour: each has its own turn."""
    budgets = RedisBudgets(redis_url)
    waits = await asyncio.gather(*(budgets.delay("many", 1.0, 1 / 3600) for _ in range(10)))
    assert sorted(round(wait / 3600) for wait in waits) == list(range(10))
    await budgets.close()


async def test_without_a_server_the_process_goes_on_with_half_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedValkey(tmp_path)
    budgets = RedisBudgets(await server.start())
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    shared = SharedBudget("time", Pace(20), budgets)
    await shared.take()
    await server.stop()
    with pytest.raises(Transient, match="Valkey did not answer"):
        await budgets.delay("time", 1.0, 1.0)
    monkeypatch.setattr(limits.asyncio, "sleep", sleep)
    for _ in range(3):  # a capacity of 2, then 4 a second
        await shared.take()
    assert waits == [pytest.approx(0.25, abs=0.1)]
    await shared.exceeded()  # nobody to tell, and no error
    await budgets.close()
