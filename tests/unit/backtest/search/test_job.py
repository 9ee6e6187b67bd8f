"""A search as a job: from stored candles to a stored run, with progress, and it goes on after it was cancelled."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from onetape.backtest.candles import Chosen
from onetape.backtest.counting import Counter
from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.backtest.means import Means
from onetape.backtest.memory import MemoryRunStore
from onetape.backtest.search.job import search_job
from onetape.backtest.search.store import MemorySearchStore
from onetape.clock import SimulatedClock
from onetape.domain.errors import NotFound
from onetape.domain.jobs import Progress
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import SearchWish
from onetape.domain.units import HOUR
from onetape.storage.memory import MemoryCandleStore
from onetape.strategies.registry import Registry

REGISTRY = Registry.load(None)


def means_of() -> Means:
    counter = Counter(MemoryTrialLedger(), SimulatedClock(7), "me")
    return Means(MemoryCandleStore(), MemoryRunStore(), REGISTRY, counter, nothing_recorded)


async def nothing_recorded(chosen: Chosen, _: BacktestSpec) -> Chosen:
    return chosen


def proofs() -> set[str]:
    return {REGISTRY.proof_key(REGISTRY.build("sma_cross"))}


async def test_a_job_searches_stored_candles_and_stores_the_recommended_run(spec, frame) -> None:
    means, searches = means_of(), MemorySearchStore()
    candles, ledger = means.candles, means.counter.ledger
    await candles.append(frame)
    wish = SearchWish(spec=spec, spaces={"fast": "2:10:2", "slow": "12:30:6"})
    steps: list[Progress] = []

    def stop(step: Progress) -> None:
        steps.append(step)
        if step.counts.get("done", 0) >= 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await search_job("a1", wish, means, searches, (), stop)
    assert [step.text for step in steps[:2]] == ["reading candles", "trying whether it looks ahead"]
    assert steps[-1].counts["total"] == 20
    [(name, search)] = searches._begun.items()
    assert name == "a1"
    done = [name for name, settled in await ledger.of_search("a1") if settled]
    assert len(done) >= 3
    await candles.append(dataclasses.replace(frame, ts=frame.ts + len(frame) * HOUR))  # more came meanwhile
    found = await search_job("a1", wish, means, searches, proofs(), steps.append)
    assert steps.count(Progress(text="trying whether it looks ahead")) == 1  # not where the proof is known
    assert len(found.result.trials) == 20
    assert [name for name, _ in await ledger.of_search("a1")] == [f"a1-{i:06d}" for i in range(20)]
    assert (steps[-1].fraction, steps[-1].counts["done"]) == (1.0, 20)
    assert steps[-1].detail["best"]["parameters"].keys() == {"fast", "slow"}
    [stored] = (await means.runs.list()).views
    assert found.best is not None
    assert stored.run_id == found.best.run_id
    assert await searches.found(search.id) is not None


async def test_a_job_without_candles_is_refused_before_anything_is_entered(spec) -> None:
    searches = MemorySearchStore()
    with pytest.raises(NotFound, match="no candles"):
        await search_job("a1", SearchWish(spec=spec), means_of(), searches, (), print)
    assert not searches._begun
