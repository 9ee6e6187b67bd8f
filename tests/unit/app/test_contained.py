"""A further exchange that dies again and again."""

from __future__ import annotations

import asyncio

import pytest

from onetape.app import contained
from onetape.app.contained import contain
from onetape.supervisor.services import Escalate, Policy, Service, keep_all


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contained, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(contained, "LONGEST_PAUSE", 0.02)


async def test_exchange_whose_recorder_dies_too_often_is_opened_again_and_says_so_meanwhile() -> None:
    lives, told, third = [], [], asyncio.Event()

    async def broken(_: object) -> None:
        raise RuntimeError("a field is missing")

    async def life() -> None:
        lives.append(1)
        if len(lives) == 3:
            third.set()
            await asyncio.Event().wait()
        service = Service("recorder", broken, Policy(first_delay=0.0, deaths=2))
        await keep_all([service], lambda *_: None)

    task = asyncio.create_task(contain("kraken", life, told.append))
    async with asyncio.timeout(30):
        await third.wait()
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "kraken is not recorded (recorder died too often: RuntimeError: a field is missing)" in told[0]


async def test_pause_grows_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    async def life() -> None:
        if len(told) == 3:
            raise asyncio.CancelledError
        raise Escalate("recorder", "no")

    with pytest.raises(asyncio.CancelledError):
        await contain("kraken", life, told.append)
    assert [text.partition("again in ")[2].partition(" s")[0] for text in told] == ["0.01", "0.02", "0.02"]


async def test_a_bug_of_ours_is_not_hidden() -> None:
    async def life() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await contain("kraken", life, lambda _: None)
