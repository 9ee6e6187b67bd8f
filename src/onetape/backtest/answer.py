"""From a wish to a stored Result: reads the candles, runs beside the event loop, stores. Knows ports and strategies."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from onetape.backtest.candles import Chosen, choose, instrument_of
from onetape.backtest.counting import counted, judged, trial_of
from onetape.backtest.dispatch import run
from onetape.backtest.holdout import allowed, data_of
from onetape.backtest.margin import settled
from onetape.clock import RealClock
from onetape.domain.jobs import Progress, Say
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.trials import BACKTEST
from onetape.ports import CandleStore, Clock, RunStore, TrialLedger
from onetape.strategies.registry import Registry

Recording = Callable[[Chosen, BacktestSpec], Awaitable[Chosen]]
WHO: Final = "server"  # in the ledger of trials: the API and the dashboard have no users of their own


def answering(
    candles: CandleStore,
    runs: RunStore,
    registry: Registry,
    ledger: TrialLedger,
    recording: Recording | None = None,
    clock: Clock | None = None,
) -> Callable[[BacktestSpec, Say], Awaitable[Result]]:
    """A function that runs one backtest, says how far it is and stores what came out.

    `recording` adds to chosen candles what else was recorded in their time.
    """
    ticking = clock or RealClock()

    async def answer(spec: BacktestSpec, say: Say) -> Result:
        strategy = registry.build(spec.strategy, spec.parameters)
        say(Progress(fraction=0.05, text="reading candles"))
        found = await choose(candles, spec, strategy.history())
        if recording is not None:
            found = await recording(found, spec)
        chosen, spec, _, note = await allowed(ledger, found, spec)
        instrument = await instrument_of(candles, spec.exchange, spec.symbol)
        asked = settled(msgspec.structs.replace(spec, parameters=strategy.parameters()), instrument, "$.leverage")
        source_hash = registry.source_hash(spec.strategy)
        trial = trial_of(asked, data_of(chosen, asked), source_hash, BACKTEST, WHO, ticking.now())

        async def go() -> Result:
            say(Progress(fraction=0.4, text="trading"))
            return await asyncio.to_thread(
                run, asked, chosen.frame, chosen.fills, strategy, source_hash, chosen.recorded
            )

        await ledger.reserve([trial])
        result = await counted(ledger, ticking, trial, go)
        if note:
            result = dataclasses.replace(result, manifest=result.manifest | {"holdout": note})
        say(Progress(fraction=0.8, text="judging"))
        result = await judged(ledger, trial, result)
        say(Progress(fraction=0.9, text="storing"))
        await runs.put(result)
        return result

    return answer
