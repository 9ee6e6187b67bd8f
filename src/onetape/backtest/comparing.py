"""Strategies compared anew: all on the same stored candles, all counted before the first one runs. beside.py compares
what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from onetape.backtest.beside import compare
from onetape.backtest.candles import choose, instrument_of
from onetape.backtest.compare import labels
from onetape.backtest.counting import counted_runs
from onetape.backtest.dispatch import planned
from onetape.backtest.holdout import allowed
from onetape.backtest.margin import settled
from onetape.backtest.means import Means
from onetape.domain import jobs
from onetape.domain.errors import Conflict
from onetape.domain.jobs import Progress
from onetape.domain.results import BacktestSpec, Result


async def comparison_job(means: Means, specs: Sequence[BacktestSpec], progress: jobs.Say) -> str:
    """The ids of the stored runs, best return first, with commas between; the Comparison is the detail of the last
    progress."""
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        progress(Progress(fraction=0.8 * len(told) / (len(specs) + 1), text=text))

    results = await runs_of(means, specs, say)
    best = sorted(results, key=lambda result: -float(result.metrics["total_return"]))
    say("comparing")
    found = compare(best, labels([result.spec for result in best]))
    for result in best:
        await means.runs.put(result)
    progress(Progress(fraction=1.0, text="compared", detail=msgspec.to_builtins(found)))
    return ",".join(result.run_id for result in best)


async def runs_of(means: Means, specs: Sequence[BacktestSpec], say: Callable[[str], None]) -> list[Result]:
    """One for each spec; they differ in strategy and parameters alone. Raises NotFound, BadInput, Conflict."""
    strategies = [means.registry.build(spec.strategy, spec.parameters) for spec in specs]
    say("reading candles")
    chosen = await choose(means.candles, specs[0], max(strategy.history() for strategy in strategies))
    exchange = chosen.frame.exchange
    instrument = await instrument_of(means.candles, exchange, specs[0].symbol)
    asked = settled(msgspec.structs.replace(specs[0], exchange=exchange), instrument, "$.leverage")
    may = await allowed(means.counter.ledger, await means.recording(chosen, asked), asked)
    plans = [planned(one, means.registry.source_hash(one.name()), may, say) for one in strategies]
    results = []
    for found in await counted_runs(means.counter, may, plans):
        if isinstance(found, str):
            raise Conflict("$.strategies", "", "refused", found)
        results.append(found)
    return results
