"""How a strategy is run, by what it answers: the one place that knows all kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from onetape.backtest import learning, quoting
from onetape.backtest import run as signals
from onetape.backtest.counting import Planned
from onetape.backtest.holdout import Allowed
from onetape.backtest.used import UNUSED, Used
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.strategies.contract import AnyStrategy, Kind, evaluate
from onetape.strategies.learning import Learning
from onetape.strategies.market import Market
from onetape.strategies.quoting import Quoting


def run(
    spec: BacktestSpec,
    frame: CandleFrame,
    fill_frame: CandleFrame | None,
    strategy: AnyStrategy,
    source_hash: str = "",
    recorded: Recorded = NOTHING,
) -> Result:
    """Any strategy over one instrument's past, as `backtest.run.run` says. Raises BadInput for one that needs several
    instruments."""
    strategy = single(strategy)
    if isinstance(strategy, Quoting):
        return quoting.run(spec, frame, fill_frame, strategy, source_hash, recorded)
    if isinstance(strategy, Learning):
        return learning.run(spec, frame, fill_frame, strategy, source_hash, recorded)
    return signals.run(spec, frame, fill_frame, strategy, source_hash, recorded)


def planned(strategy: AnyStrategy, source_hash: str, may: Allowed, say: Callable[[str], None]) -> Planned:
    """A strategy's run on what it may see, beside the event loop; `say` is told when it begins."""
    chosen = may.chosen
    spec = msgspec.structs.replace(may.spec, strategy=strategy.name(), parameters=strategy.parameters())

    async def go() -> Result:
        say(f"running {strategy.name()} ...")
        return await asyncio.to_thread(run, spec, chosen.frame, chosen.fills, strategy, source_hash, chosen.recorded)

    return Planned(spec, source_hash, go)


def trade(
    spec: BacktestSpec, frame: CandleFrame, fills: CandleFrame, strategy: AnyStrategy, first: int, used: Used = UNUSED
) -> Tape:
    """Its trades alone, from row `first` of the strategy's candles on: what a search measures, trial after trial."""
    if isinstance(strategy, Quoting):
        return quoting.trade(spec, frame, fills, strategy, first, used)
    return signals.simulate(spec, frame, fills, evaluate(strategy, Market(frame)), first, used)


def single(strategy: AnyStrategy) -> AnyStrategy:
    """The strategy, when it trades one instrument. Raises BadInput."""
    if strategy.kind == Kind.PORTFOLIO:
        raise BadInput("strategy", strategy.name(), "for several instruments", "Name one that trades a single one.")
    return strategy
