"""From a spec to a stored Result: reads the candles, runs beside the event loop, stores. Knows ports and strategies."""

from __future__ import annotations

import asyncio

from onetape.backtest.jobs import Answer, Say
from onetape.backtest.run import run
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata.reading import closed
from onetape.ports import CandleStore, RunStore
from onetape.strategies.contract import Strategy
from onetape.strategies.registry import Registry


def answering(candles: CandleStore, runs: RunStore, registry: Registry) -> Answer:
    """The function that Jobs works with."""

    async def answer(spec: BacktestSpec, say: Say) -> Result:
        strategy = registry.build(spec.strategy, spec.parameters)
        say("reading candles", 0.05)
        fine = await finest(candles, spec, strategy)
        say("trading", 0.35)
        result = await asyncio.to_thread(over, spec, fine, strategy, registry.source_hash(spec.strategy))
        say("storing", 0.9)
        await runs.put(result)
        return result

    return answer


async def finest(candles: CandleStore, spec: BacktestSpec, strategy: Strategy) -> CandleFrame:
    """The shortest stored candles that make up the spec's timeframe, with the warm-up before the start."""
    timeframe = Timeframe.parse(spec.timeframe)
    stored = [Timeframe.parse(row.timeframe) for row in await candles.coverage(spec.exchange, spec.symbol)]
    fitting = [each for each in stored if each.regular and timeframe.micros % each.micros == 0]
    source = min(fitting, key=lambda each: each.micros, default=timeframe)
    start = None if spec.start_ts is None else warm_start(spec.start_ts, timeframe, strategy)
    return await candles.load(spec.exchange, spec.symbol, source, start, spec.end_ts)


def warm_start(start_ts: Micros, timeframe: Timeframe, strategy: Strategy) -> Micros:
    return timeframe.floor(start_ts - (strategy.warmup() + 1) * timeframe.micros)


def over(spec: BacktestSpec, fine: CandleFrame, strategy: Strategy, source_hash: str) -> Result:
    """Signals on the spec's timeframe, fills on the candles given."""
    frame = closed(resample(fine, spec.timeframe), fine) if len(fine) else fine
    return run(spec, frame, None if frame.timeframe == fine.timeframe else fine, strategy, source_hash)
