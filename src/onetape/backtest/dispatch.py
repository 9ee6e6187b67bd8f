"""How a strategy is run, by what it answers: the one place that knows all kinds."""

from __future__ import annotations

from onetape.backtest import learning, quoting
from onetape.backtest import run as signals
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec, Result
from onetape.strategies.contract import AnyStrategy, Kind
from onetape.strategies.learning import Learning
from onetape.strategies.quoting import Quoting


def run(
    spec: BacktestSpec,
    frame: CandleFrame,
    fill_frame: CandleFrame | None,
    strategy: AnyStrategy,
    source_hash: str = "",
) -> Result:
    """Any strategy over one instrument's past, as `backtest.run.run` says. Raises BadInput for one that needs several
    instruments."""
    if isinstance(strategy, Quoting):
        return quoting.run(spec, frame, fill_frame, strategy, source_hash)
    if isinstance(strategy, Learning):
        return learning.run(spec, frame, fill_frame, strategy, source_hash)
    if strategy.kind == Kind.PORTFOLIO:
        raise BadInput("strategy", strategy.name(), "for several instruments at once", "Name more than one symbol.")
    return signals.run(spec, frame, fill_frame, strategy, source_hash)
