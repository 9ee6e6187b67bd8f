"""The kinds of jobs, one line each in KINDS: where it is done, and by which function.

A new kind is one function and that line:

    async def proof(wish: dict[str, Any], progress: Say, stores: Platform) -> str: ...

`wish` is what was asked for, as JSON (`msgspec.convert` it to its struct), `progress` is called with a
`domain.jobs.Progress` as often as it likes, `stores` has every store and the registry. It returns the job's result in
words or as an id, and raises an OnetapeError, whose sentence becomes the job's error. What it may not do:

- count on being done once: after a death or a restart it is begun again from its wish;
- import its machinery at the top of this file: every worker would load all of it at its start.

COMPUTING is done by worker processes (`main` is one), which a cancellation kills; NETWORK in the web process, where a
cancellation raises CancelledError. `await desk.jobs.submit("proof", wish, "api")` asks for one: check the wish first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from onetape.app.wiring import Platform, open_platform
from onetape.clock import RealClock
from onetape.domain.jobs import Job, Say
from onetape.jobs.runner import Kind, Runner, Work
from onetape.jobs.worker import stand_back, work
from onetape.jobs.workers import Workers
from onetape.observe import configure
from onetape.settings import Settings

COMPUTING, NETWORK = "computing", "network"

Function = Callable[[dict[str, Any], Say, Platform], Awaitable[str]]


async def backtest(wish: dict[str, Any], progress: Say, stores: Platform) -> str:
    from onetape.app.recorded import recording
    from onetape.backtest.answer import answering
    from onetape.backtest.wish import BacktestWish

    answer = answering(stores.candles, stores.runs, stores.registry, stores.ledger, recording(stores))
    result = await answer(msgspec.convert(wish, BacktestWish).spec(), progress)
    return result.run_id


async def rerun(wish: dict[str, Any], progress: Say, stores: Platform) -> str:
    from onetape.app.research import means_of
    from onetape.backtest.again import rerun_as_job
    from onetape.backtest.answer import WHO

    return await rerun_as_job(means_of(stores, WHO), wish["run_id"], progress)


async def compare(wish: dict[str, Any], progress: Say, stores: Platform) -> str:
    from onetape.app.research import means_of
    from onetape.backtest.answer import WHO
    from onetape.backtest.comparing import comparison_job
    from onetape.backtest.wish import ComparisonWish

    return await comparison_job(means_of(stores, WHO), msgspec.convert(wish, ComparisonWish).specs(), progress)


async def fleet(wish: dict[str, Any], progress: Say, stores: Platform) -> str:
    from onetape.app.research import means_of
    from onetape.backtest.answer import WHO
    from onetape.backtest.fleets import FleetJob, fleet_job

    return await fleet_job(means_of(stores, WHO), msgspec.convert(wish, FleetJob), progress)


async def optimize(wish: dict[str, Any], progress: Say, stores: Platform) -> str:
    from onetape.app.research import means_of, proved
    from onetape.backtest.answer import WHO
    from onetape.backtest.search.job import search_job
    from onetape.backtest.search.wish import OptimizeJob, by_path

    asked, means, proofs = msgspec.convert(wish, OptimizeJob), means_of(stores, WHO), await proved(stores)
    with by_path():
        found = await search_job(asked.search, asked.wish.search(), means, stores.searches, proofs, progress)
    return found.best.run_id if found.best else ""


async def walkforward(wish: dict[str, Any], progress: Say, stores: Platform) -> str:
    from onetape.app.research import means_of, proved
    from onetape.backtest.answer import WHO
    from onetape.backtest.search.wish import by_path
    from onetape.backtest.walkjob import WalkJob, walk_job

    asked, means, proofs = msgspec.convert(wish, WalkJob), means_of(stores, WHO), await proved(stores)
    with by_path():
        walk = await walk_job(asked.walk, asked.wish.walk(), means, stores.searches, proofs, progress)
    return walk.whole.run_id


async def download(wish: dict[str, Any], progress: Say, stores: Platform) -> str:
    from onetape.app.feeds import open_feed
    from onetape.marketdata.download import DownloadWish, download_as_job

    asked = msgspec.convert(wish, DownloadWish)
    feed = open_feed(stores.settings, asked.exchange, "$.exchange", stores.budgets)
    try:
        return await download_as_job(feed, stores.candles, asked, progress, stores.settings.parallel_series)
    finally:
        await feed.close()


class Done(NamedTuple):
    where: str
    by: Function


KINDS: Final[Mapping[str, Done]] = {
    "backtest": Done(COMPUTING, backtest),
    "rerun": Done(COMPUTING, rerun),
    "compare": Done(COMPUTING, compare),
    "fleet": Done(COMPUTING, fleet),
    "optimize": Done(COMPUTING, optimize),
    "walkforward": Done(COMPUTING, walkforward),
    "download": Done(NETWORK, download),
}


def here(platform: Platform, function: Function) -> Work:
    async def done(job: Job, say: Say) -> str:
        return await function(job.wish, say, platform)

    return done


def workers(platform: Platform) -> Workers:
    return Workers((sys.executable, "-m", "onetape.app.work"), platform.outside)


def runner(platform: Platform, workers: Workers) -> Runner:
    """One download at a time, because all share the budget of their venue; so many that compute as the settings say."""
    kinds = {
        name: Kind(kind.where, workers.work if kind.where == COMPUTING else here(platform, kind.by))
        for name, kind in KINDS.items()
    }
    lanes = {COMPUTING: platform.settings.parallel_jobs, NETWORK: 1}
    return Runner(platform.jobs, platform.bus, RealClock(), kinds, lanes)


async def _worker(settings: Settings, answers: int) -> None:
    async with open_platform(settings, services=False) as platform:
        await platform.strategies.register(platform.registry)
        await work({name: here(platform, kind.by) for name, kind in KINDS.items()}, answers)


def main() -> None:
    import uvloop

    answers = stand_back()
    settings = Settings()
    configure(settings.log_level, "worker")
    uvloop.run(_worker(settings, answers))


if __name__ == "__main__":
    main()
    os._exit(0)  # a thread may still compute for a job that nobody waits for
