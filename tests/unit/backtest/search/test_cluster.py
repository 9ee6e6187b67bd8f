"""A search on a Dask cluster: the same scores, and a worker that dies takes no trial with it."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import pytest

from onetape.backtest.holdout import data_of
from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.backtest.search.answer import Stores, prepared, searched
from onetape.backtest.search.store import MemorySearchStore
from onetape.backtest.search.sweep import Step
from onetape.backtest.search.walks import Asked
from onetape.clock import SimulatedClock
from onetape.domain.errors import BadInput
from onetape.domain.searches import SearchWish
from onetape.strategies.registry import Registry

OWN = """
import time

import numpy as np
from onetape import Market, Signals, Strategy


class Waits(Strategy, frozen=True, tag="waits_on_a_cluster"):
    every: int = 4

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        time.sleep(0.1)
        return Signals.holding(np.where(np.arange(len(market)) // self.every % 2, 1.0, 0.0))
"""


def stores() -> Stores:
    return Stores(MemoryTrialLedger(), MemorySearchStore(), SimulatedClock(7), "me")


def wish_of(spec, tmp_path: Path) -> SearchWish:
    (tmp_path / "mine.py").write_text("def score(figures, tape):\n    return figures['total_return']\n")
    return SearchWish(spec=spec, spaces={"every": "2:41"}, objectives=("sharpe", f"{tmp_path / 'mine.py'}:score"))


def registry_of(tmp_path: Path) -> Registry:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "waits.py").write_text(OWN)
    return Registry.load(tmp_path / "own")


def test_what_a_worker_needs_travels_with_the_code_of_ones_own(spec, may, tmp_path: Path) -> None:
    import msgspec

    spec = msgspec.structs.replace(spec, strategy="waits_on_a_cluster")
    ground = prepared(wish_of(spec, tmp_path), registry_of(tmp_path), may, stores()).plan.ground
    there = pickle.loads(pickle.dumps(ground))
    asked = Asked(0, {"every": 5})
    assert there.score(asked) == ground.score(asked)
    assert there.score(asked).values[0] is not None


async def test_a_worker_that_is_killed_takes_no_trial_with_it(spec, may, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    import msgspec

    from onetape.backtest.search.cluster import Cluster

    spec = msgspec.structs.replace(spec, strategy="waits_on_a_cluster")
    at, registry = stores(), registry_of(tmp_path)
    made = prepared(wish_of(spec, tmp_path), registry, may, at)
    cluster = Cluster(made.plan.ground, "local", 2)
    assert cluster.count == 2
    killed: list[int] = []

    def kill_one(step: Step) -> None:
        if step.done >= 4 and not killed:
            killed.append(next(iter(cluster._client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    found = await searched(made, may, at, kill_one, lambda _: cluster)
    assert killed
    assert sorted(one.parameters["every"] for one in found.result.trials) == list(range(2, 42))
    assert not any(one.error for one in found.result.trials)
    assert (await at.ledger.view(data_of(may.chosen, spec))).runs == 40
    here = made.plan.ground.score(Asked(0, {"every": 2}))
    assert found.result.trial(0).values == here.values


def test_a_cluster_that_does_not_answer_is_said(spec, may, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    import msgspec

    from onetape.backtest.search.cluster import Cluster

    spec = msgspec.structs.replace(spec, strategy="waits_on_a_cluster")
    ground = prepared(wish_of(spec, tmp_path), registry_of(tmp_path), may, stores()).plan.ground
    with pytest.raises(BadInput, match="--cluster"):
        Cluster(ground, "tcp://127.0.0.1:1", 1)
