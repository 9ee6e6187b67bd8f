"""Housekeeping waits for a database that is away."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from onetape.app import housekeeping
from onetape.domain.errors import Transient


class Shelf:
    """Away for two looks."""

    def __init__(self) -> None:
        self.looks = 0

    async def make_ahead(self, now_ts: int) -> None:
        assert now_ts
        self.looks += 1
        if self.looks < 3:
            raise Transient("PostgreSQL did not answer.")


class Catalogue:
    def __init__(self) -> None:
        self.noted = 0

    async def note(self) -> None:
        self.noted += 1


async def test_it_goes_on_when_the_database_is_back_and_the_policy_that_failed_is_kept_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: list[int] = []
    shelf, catalogue = Shelf(), Catalogue()

    async def keep_apart(_: Any) -> None:
        kept.append(shelf.looks)
        if len(kept) == 1:
            raise Transient("PostgreSQL went away while old rows were moved.")

    monkeypatch.setattr(housekeeping, "keep_apart", keep_apart)
    platform: Any = SimpleNamespace(shelf=shelf, catalogue=catalogue)
    task = asyncio.create_task(housekeeping.housekeeping(platform, 0.0, 0.001))
    async with asyncio.timeout(10):
        while len(kept) < 2:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert not task.done()
    assert kept == [3, 4]  # and not again before the next day
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
