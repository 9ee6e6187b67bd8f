"""Every store of searches: what was begun comes back as it was, and what was found as it was said last."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from onetape.backtest.search.store import FileSearchStore, MemorySearchStore
from onetape.domain.accounts import Exits, RiskLimits
from onetape.domain.errors import NotFound
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import Search, SearchWish
from onetape.domain.trials import DataKey
from onetape.ports import SearchStore
from onetape.storage.pool import open_pool
from onetape.storage.searches import PgSearchStore


@pytest.fixture(params=["memory", "file", "postgres"])
def where(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("database_url") if request.param == "postgres" else request.param)


@pytest.fixture
async def store(where: str, tmp_path: Path) -> AsyncIterator[SearchStore]:
    if where == "memory":
        yield MemorySearchStore()
    elif where == "file":
        yield FileSearchStore(tmp_path)
    else:
        pool = await open_pool(where)
        yield PgSearchStore(pool)
        await pool.close()


def a_search(name: str = "a1b2c3d4e5f6", **spec: object) -> Search:
    asked = BacktestSpec(strategy="sma_cross", exchange="okx", symbol="BTC-USDT", parameters={"exit": "none"}, end_ts=9)
    wish = SearchWish(
        spec=msgspec.structs.replace(asked, **spec),
        spaces={"fast": "5:50:5", "slow": "20:200"},
        objectives=("sharpe", "max_drawdown"),
        constraints=("fast < slow",),
    )
    return Search(
        id=name, wish=wish, source_hash="code", data=DataKey("okx", "BTC-USDT", 0, 9), who="me", created_ts=123_456
    )


async def test_a_search_comes_back_as_it_was_begun(store: SearchStore) -> None:
    await store.begin(a_search())
    back = await store.get("a1b2c3d4e5f6")
    assert math.isnan(back.wish.spec.exits.stop)
    assert repr(back) == repr(a_search())  # NaN, which is no exit, differs from itself


async def test_neither_an_exit_nor_the_absence_of_a_limit_is_lost(store: SearchStore) -> None:
    asked = a_search(exits=Exits(stop=0.02), limits=RiskLimits(1.0, leverage=2.0))
    await store.begin(asked)
    assert repr((await store.get(asked.id)).wish.spec) == repr(asked.wish.spec)


async def test_begun_again_it_stays_as_it_was(store: SearchStore) -> None:
    await store.begin(a_search())
    await store.begin(msgspec.structs.replace(a_search(), who="somebody else"))
    assert (await store.get("a1b2c3d4e5f6")).who == "me"


async def test_what_was_found_is_the_last_word(store: SearchStore) -> None:
    await store.begin(a_search())
    assert await store.found("a1b2c3d4e5f6") is None
    for found in ({"trials": [1], "best": None}, {"trials": [1, 2.5], "text": "ü", "deep": {"1": [None, True]}}):
        await store.finish("a1b2c3d4e5f6", found)
        assert await store.found("a1b2c3d4e5f6") == found


async def test_two_that_begin_the_same_search_at_once_do_not_disturb_each_other(store: SearchStore) -> None:
    await asyncio.gather(*(store.begin(a_search()) for _ in range(5)))
    assert (await store.get("a1b2c3d4e5f6")).who == "me"


async def test_an_unknown_search_is_said(store: SearchStore) -> None:
    await store.begin(a_search())
    for name in ("b1", "a1b2c3d4e5f"):
        with pytest.raises(NotFound, match="not a search that was begun here"):
            await store.get(name)
        with pytest.raises(NotFound, match="not a search that was begun here"):
            await store.found(name)
