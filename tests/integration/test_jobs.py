"""Jobs on PostgreSQL with real worker processes: they run, are killed, and outlive the process of the pages."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from onetape.app import work
from onetape.app.wiring import Platform, open_platform
from onetape.backtest.search.wish import OptimizeJob, OptimizeWish
from onetape.backtest.wish import BacktestWish
from onetape.clock import RealClock
from onetape.domain.frame import CandleFrame
from onetape.domain.jobs import Job, JobState
from onetape.domain.units import HOUR, MINUTE
from onetape.jobs.runner import Runner
from onetape.marketdata.download import DownloadWish, fresh
from onetape.settings import Settings
from onetape.strategies.gate import GateReport, Verdict
from onetape.venue.server import Venue

PATIENCE = 240  # seconds: a worker waits for everybody else on the machine
START = 1_546_300_800_000_000


def candles(hours: int = 2_000) -> CandleFrame:
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0003, 0.006, hours))), 2)
    columns = {"open": close, "high": close + 0.5, "low": close - 0.5, "close": close, "volume": np.ones(hours)}
    return CandleFrame.of("okx", "BTC-USDT", "1h", {"ts": START + HOUR * np.arange(hours)} | columns)


def minutes(count: int = 6_000) -> CandleFrame:
    rng = np.random.default_rng(3)
    close = np.round(100 + np.cumsum(rng.normal(0, 0.05, count)), 2)
    columns = {"open": close, "high": close, "low": close, "close": close, "volume": np.ones(count)}
    return CandleFrame.of("okx", "ETH-USDT", "1m", {"ts": START + MINUTE * np.arange(count)} | columns)


@pytest.fixture
async def platform(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Platform]:
    settings = Settings(data_dir=tmp_path, database_url=database_url, redis_url=redis_url, parallel_jobs=1)
    async with open_platform(settings) as opened:
        await opened.candles.append(candles())
        yield opened


@asynccontextmanager
async def web(platform: Platform) -> AsyncIterator[Runner]:
    """As much of the web process as jobs need. At the end it stops as at a restart."""
    workers = work.workers(platform)
    made = work.runner(platform, workers)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await workers.stop()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


def asked(**more: Any) -> BacktestWish:
    return msgspec.convert({"strategy": "sma_cross", "exchange": "okx", "symbol": "BTC-USDT", **more}, BacktestWish)


def children() -> set[int]:
    """The processes that we started and that still run."""
    return {int(pid) for pid in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()}


async def test_a_backtest_runs_in_a_worker_is_stored_and_is_entered_in_the_ledger_of_trials(platform: Platform) -> None:
    async with web(platform) as jobs:
        job = await jobs.wait((await jobs.submit("backtest", asked(), "api")).id)
        assert (job.state, job.error, job.progress.fraction) == (JobState.DONE, "", 1.0)
        other = await jobs.wait((await jobs.submit("backtest", asked(parameters={"fast": 5}), "api")).id)
    run = await platform.runs.get(other.result)
    assert run.view.metrics["trades"] > 0
    assert run.view.metrics["luck"]["trials"] == 2  # the one before was entered, too


async def test_what_is_refused_in_the_worker_says_which_part_of_the_wish(platform: Platform) -> None:
    async with web(platform) as jobs:
        job = await jobs.wait((await jobs.submit("backtest", asked(start="2030-01-01"), "api")).id)
    assert job.state is JobState.FAILED
    assert job.error


async def test_a_worker_that_is_killed_is_replaced_and_the_job_is_done(platform: Platform) -> None:
    before = children()
    async with web(platform) as jobs:
        job = await jobs.submit("backtest", asked(), "api")
        await until(lambda: children() - before)
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)
        job = await jobs.wait(job.id)
    assert (job.state, job.starts) == (JobState.DONE, 2)


def search() -> OptimizeJob:
    """Of a strategy whose trials take a while."""
    asked = {
        "strategy": "ridge_returns",
        "exchange": "okx",
        "symbol": "BTC-USDT",
        "parameters": {"window": 300, "every": 3},
        "space": {"lags": "2:9", "ahead": "5:8"},
    }
    return OptimizeJob(search="a1b2c3d4e5f6", wish=msgspec.convert(asked, OptimizeWish))


async def prove(platform: Platform, parameters: dict[str, Any]) -> None:
    """As the desk does before it submits: what has passed the gate is not tried again."""
    strategy = platform.registry.build("ridge_returns", parameters)
    passed = Verdict(ok=True, evidence="")
    report = GateReport(
        strategy=strategy.name(), parameters=parameters, source_hash="", symbol="BTC-USDT", timeframe="1h",
        candles=2_000, warmup=13, causal=passed, finite_memory=passed,
    )  # fmt: skip
    await platform.strategies.put(platform.registry.proof_key(strategy), report)


async def finished(platform: Platform) -> dict[str, Any]:
    """The trials of the search that have a result."""
    return {name: one for name, one in await platform.ledger.of_search(search().search) if one}


async def test_a_search_whose_worker_is_killed_goes_on_with_what_it_had_found(platform: Platform) -> None:
    await prove(platform, search().wish.parameters)
    before = children()
    async with web(platform) as jobs:
        job = await jobs.submit("optimize", search(), "api")
        async with asyncio.timeout(PATIENCE):
            while not (had := await finished(platform)):
                await asyncio.sleep(0.05)
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)
        had = await finished(platform)
        job = await jobs.wait(job.id)
    assert (job.state, job.starts, job.error) == (JobState.DONE, 2, "")
    assert 0 < len(had) < 32
    now = await finished(platform)
    assert {name: now[name].ended_ts for name in had} == {name: one.ended_ts for name, one in had.items()}
    assert len(now) == 32
    assert (await platform.runs.get(job.result)).view.metrics["luck"]["trials"] == 32


async def test_a_walk_whose_worker_is_killed_goes_on_with_its_windows(platform: Platform) -> None:
    before, asked = children(), msgspec.to_builtins(search().wish)
    wish = {**asked, "parameters": {"window": 200, "every": 2}, "space": {"lags": "2:5", "ahead": "5:6"}}
    await prove(platform, wish["parameters"])
    walk = {"walk": "abcdef123456", "wish": {**wish, "train": "30d", "test": "15d"}}
    async with web(platform) as jobs:
        job = await jobs.submit("walkforward", walk, "api")
        async with asyncio.timeout(PATIENCE):
            while (await jobs.get(job.id)).progress.counts.get("window", 0) < 2:
                await asyncio.sleep(0.01)
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)
        job = await jobs.wait(job.id)
    assert (job.state, job.starts, job.error) == (JobState.DONE, 2, "")
    found = await platform.searches.found("abcdef123456")
    assert found
    assert len(found["windows"]) == found["planned"] == 4
    run = await platform.runs.get(job.result)
    assert run.view.metrics["luck"]["runs"] == 4 * (8 + 1)  # trials, and what was traded of each window


async def test_a_search_that_is_cancelled_settles_what_is_done(platform: Platform) -> None:
    await prove(platform, search().wish.parameters)
    async with web(platform) as jobs:
        job = await jobs.submit("optimize", search(), "api")
        async with asyncio.timeout(PATIENCE):
            while not (told := (await jobs.get(job.id)).progress.counts.get("done", 0)):
                await asyncio.sleep(0.01)
        cancelled = await jobs.cancel(job.id)
        async with asyncio.timeout(10):
            while len(await finished(platform)) < told:
                await asyncio.sleep(0.05)
    assert cancelled.state is JobState.CANCELLED
    assert len(await finished(platform)) < 32


async def test_a_restart_of_the_web_process_begins_what_ran_and_what_waited_again(platform: Platform) -> None:
    before = children()
    async with web(platform) as jobs:
        ids = [(await jobs.submit("backtest", asked(parameters={"fast": n}), "api")).id for n in (5, 6)]
        await until(lambda: children() - before)
    assert children() == before
    assert [(await platform.jobs.get(each)).state for each in ids] == [JobState.QUEUED] * 2
    async with web(platform) as jobs:
        ended = [await jobs.wait(each) for each in ids]
    assert [job.state for job in ended] == [JobState.DONE] * 2


async def test_after_the_death_of_the_web_process_its_job_runs_again_when_the_hold_is_over(platform: Platform) -> None:
    now = RealClock().now()
    await platform.jobs.add(Job(id="held", kind="backtest", wish=msgspec.to_builtins(asked()), created_ts=now))
    await platform.jobs.claim(["backtest"], "dead", now, now + 2_000_000)
    async with web(platform) as jobs:
        assert (await jobs.get("held")).state is JobState.RUNNING
        job = await jobs.wait("held")
    assert (job.state, job.starts) == (JobState.DONE, 2)
    assert job.started_ts >= now + 2_000_000


async def test_a_download_that_ran_at_a_restart_goes_on_with_what_is_missing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue, wanted = Venue([minutes()], start_ts=START + 5_000 * MINUTE), 3 * 1_440
    await venue.start()
    settings = platform.settings.model_copy(update={"okx_rest_url": venue.rest_url, "okx_ws_url": venue.ws_url})
    monkeypatch.setitem(platform.__dict__, "settings", settings)
    wish = DownloadWish(
        exchange="okx", symbols=("ETH-USDT",), timeframes=("1m",), since="2019-01-01", until="2019-01-04"
    )
    store, rows = type(platform.candles), [0]
    append = store.append

    async def slowly(self: Any, frame: CandleFrame, *more: Any, **named: Any) -> Any:
        await asyncio.sleep(0.05)
        done = await append(self, frame, *more, **named)
        rows[0] += len(frame)
        return done

    monkeypatch.setattr(store, "append", slowly)
    try:
        async with web(platform) as jobs:
            job = await jobs.submit("download", wish, "api", fresh(wish))
            await until(lambda: rows[0] > 1_000)
        before = rows[0]
        assert before < wanted
        assert (await platform.jobs.get(job.id)).state is JobState.QUEUED
        async with web(platform) as jobs:
            job = await jobs.wait(job.id)
    finally:
        await venue.stop()
    assert (job.state, job.error) == (JobState.DONE, "")
    assert rows[0] == wanted  # nothing was fetched twice
    assert job.progress.counts["rows"] == wanted - before
