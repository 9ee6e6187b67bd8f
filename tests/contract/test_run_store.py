"""Every store of runs: what was put comes back to the last bit, in pages, newest first."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import msgspec
import numpy as np
import pytest

from onetape.backtest.memory import MemoryRunStore
from onetape.backtest.report import kept
from onetape.backtest.run import run
from onetape.domain.accounts import Costs, Execution, Exits, RiskLimits
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec, Result
from onetape.ports import OnlyRuns, RunStore, RunView
from onetape.storage.pool import open_pool
from onetape.storage.runs import PgRunStore
from onetape.strategies.sma_cross import SmaCross


def a_run(fast: int = 3, **parts: object) -> Result:
    n = 400
    close = np.round(100 + 10 * np.sin(np.arange(n) / 7) + np.arange(n) / 50, 2)
    columns = {"ts": np.arange(n) * 3_600_000_000, "open": close, "high": close + 1, "low": close - 1, "close": close}
    frame = CandleFrame.of("t", "A-B", "1h", columns | {"volume": np.ones(n)})
    spec = BacktestSpec(strategy="sma_cross", symbol="A-B", exchange="t", parameters={"fast": fast, "slow": 9}, **parts)
    return run(spec, frame, None, SmaCross(fast=fast, slow=9))


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "memory" else str(request.getfixturevalue("database_url"))


@pytest.fixture
async def store(url: str) -> AsyncIterator[RunStore]:
    if not url:
        yield MemoryRunStore()
        return
    pool = await open_pool(url)
    yield PgRunStore(pool)
    await pool.close()


async def test_a_run_comes_back_as_it_was(store: RunStore) -> None:
    result = a_run()
    await store.put(result)
    found = await store.get(result.run_id)
    assert found.view.metrics == result.metrics
    assert found.view.spec.parameters == {"fast": 3, "slow": 9}
    assert found.view.manifest["hash"] == result.manifest["hash"]
    assert found.trades == kept(result).trades
    assert found.report == kept(result).report
    assert {trade.tag for trade in found.trades} == {"cross"}
    assert len(found.trades) > 5
    np.testing.assert_array_equal(found.equity, result.tape.equity)
    np.testing.assert_array_equal(found.ts, result.tape.close_ts)
    np.testing.assert_array_equal(found.fills, result.tape.fills)


async def test_no_exit_and_no_limit_come_back_as_such_although_json_has_no_name_for_them(store: RunStore) -> None:
    result = a_run(exits=Exits(stop=0.02), limits=RiskLimits(max_exposure=0.5))
    await store.put(result)
    spec = (await store.get(result.run_id)).view.spec
    assert spec.exits.stop == 0.02
    assert np.isnan(spec.exits.take)
    assert spec.limits == RiskLimits(max_exposure=0.5)
    assert msgspec.json.encode(spec) == msgspec.json.encode(result.spec)


async def test_the_same_run_twice_is_one(store: RunStore) -> None:
    result = a_run()
    await store.put(result)
    await store.put(result)
    assert len((await store.list())[0]) == 1


async def test_lists_are_newest_first_in_pages(store: RunStore) -> None:
    made = [a_run(fast) for fast in (2, 3, 4)]
    for result in made:
        await store.put(result)
    first, after, fitting = await store.list(limit=2)
    second, end, _ = await store.list(limit=2, before=after)
    assert [view.run_id for view in (*first, *second)] == [result.run_id for result in reversed(made)]
    assert (end, fitting) == ("", 3)


@pytest.mark.parametrize(("figure", "sign"), [("sharpe", -1), ("total_return", -1), ("max_drawdown", 1)])
async def test_the_best_come_first_page_by_page_and_those_without_the_figure_last(
    store: RunStore, figure: str, sign: int
) -> None:
    made = [a_run(fast) for fast in (2, 3, 4, 5)]
    empty = a_run(6)
    for result in (*made, dataclasses.replace(empty, metrics=empty.metrics | {figure: None})):
        await store.put(result)
    found: list[RunView] = []
    cursor, fitting = "", 0
    while len(found) < 9:
        page, cursor, fitting = await store.list(2, cursor, OnlyRuns(sort=figure))
        found += page
        if not cursor:
            break
    values = [view.metrics[figure] for view in found]
    assert values[-1] is None
    assert values[:-1] == sorted((result.metrics[figure] for result in made), key=lambda value: sign * value)
    assert len({view.run_id for view in found}) == fitting == 5


@pytest.mark.parametrize(
    ("text", "fasts"),
    [
        ("fast=2", {2}), ("SMA fast=3", {3}), ("a-b slow=9", {2, 3}), ("fast=2 fast=3", set()), ("fast=_", set()),
        ("%", set()), ("\\", set()),
    ],
)  # fmt: skip
async def test_words_are_looked_for_in_names_and_parameters(store: RunStore, text: str, fasts: set[int]) -> None:
    for fast in (2, 3):
        await store.put(a_run(fast))
    assert {view.spec.parameters["fast"] for view in (await store.list(only=OnlyRuns(text=text))).views} == fasts


async def test_a_run_of_several_symbols_is_found_by_each_of_them_and_by_the_beginning_of_its_id(
    store: RunStore,
) -> None:
    result = a_run()
    several = dataclasses.replace(result, spec=msgspec.structs.replace(result.spec, symbol="A-B+C-D"))
    await store.put(several)
    for only, count in (
        (OnlyRuns(symbol="C-D"), 1), (OnlyRuns(symbol="C"), 0), (OnlyRuns(begins=result.run_id[:12]), 1),
        (OnlyRuns(begins="x"), 0),
    ):  # fmt: skip
        assert (await store.list(only=only)).fitting == count, only


async def test_something_that_is_no_cursor_is_refused(url: str, store: RunStore) -> None:
    if not url:
        pytest.skip("the store in memory takes an id")
    for cursor in ("x", "1.2", "1.run.x"):
        with pytest.raises(BadInput, match="not a cursor"):
            await store.list(before=cursor)


async def test_a_run_that_is_not_there_is_named(store: RunStore) -> None:
    with pytest.raises(NotFound, match="nothing-like-it"):
        await store.get("nothing-like-it")


async def test_an_impossible_limit_is_refused(store: RunStore) -> None:
    with pytest.raises(BadInput, match="limit"):
        await store.list(limit=0)


async def test_only_those_that_fit_are_listed(store: RunStore) -> None:
    made = [a_run(2), a_run(3, timeframe="1h"), a_run(4)]
    for result in made:
        await store.put(result)
    for only, count in (
        (OnlyRuns(strategy="sma_cross", exchange="t", symbol="A-B", timeframe="1h"), 3),
        (OnlyRuns(strategy="ema_cross"), 0),
        (OnlyRuns(symbol="B-A"), 0),
        (OnlyRuns(since_ts=(await store.list())[0][0].created_ts), 1),
        (OnlyRuns(until_ts=(await store.list())[0][0].created_ts), 2),
        (OnlyRuns(since_ts=2**52), 0),
    ):
        assert len((await store.list(only=only))[0]) == count, only


async def test_a_deleted_run_is_gone_and_the_others_stay(store: RunStore) -> None:
    one, other = a_run(2), a_run(3)
    await store.put(one)
    await store.put(other)
    await store.delete(one.run_id)
    assert [view.run_id for view in (await store.list())[0]] == [other.run_id]
    with pytest.raises(NotFound, match=one.run_id):
        await store.delete(one.run_id)


async def test_how_orders_went_comes_back(store: RunStore) -> None:
    how = Execution(latency=250_000.0, share=0.1, force=3.0, life=6e7, stop_limit=0.001)
    result = a_run(execution=how, costs=Costs(0.0001, 0.0005, 0.0, 0.0002, 0.1, 0.2), limits=RiskLimits(leverage=3.0))
    await store.put(result)
    spec = (await store.get(result.run_id)).view.spec
    assert spec.execution == how
    assert (spec.costs, spec.limits) == (result.spec.costs, result.spec.limits)
    assert msgspec.json.encode(spec) == msgspec.json.encode(result.spec)
