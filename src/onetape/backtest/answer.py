"""From a spec to a stored Result: reads the candles, runs beside the event loop, stores. Knows ports and strategies."""

from __future__ import annotations

import asyncio

import msgspec

from onetape.backtest.candles import choose, terms_of
from onetape.backtest.jobs import Answer, Say
from onetape.backtest.run import run
from onetape.domain.results import BacktestSpec, Result
from onetape.ports import CandleStore, RunStore
from onetape.strategies.registry import Registry


def answering(candles: CandleStore, runs: RunStore, registry: Registry) -> Answer:
    """The function that Jobs works with."""

    async def answer(spec: BacktestSpec, say: Say) -> Result:
        strategy = registry.build(spec.strategy, spec.parameters)
        say("reading candles", 0.05)
        chosen = await choose(candles, spec, strategy.warmup())
        terms = await terms_of(candles, spec.exchange, spec.symbol)
        asked = msgspec.structs.replace(spec, terms=terms, parameters=strategy.parameters())
        say("trading", 0.4)
        source_hash = registry.source_hash(spec.strategy)
        result = await asyncio.to_thread(run, asked, chosen.frame, chosen.fills, strategy, source_hash)
        say("storing", 0.9)
        await runs.put(result)
        return result

    return answer
