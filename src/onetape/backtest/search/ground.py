"""One trial: a strategy with its parameters over candles that all trials of a search share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import msgspec

from onetape.backtest.candles import Chosen
from onetape.backtest.dispatch import trade
from onetape.backtest.luck.independence import sampled
from onetape.backtest.metrics import Metrics, daily_returns, measure
from onetape.backtest.run import first_row, period
from onetape.backtest.search.crosses import Crosses
from onetape.backtest.search.lean import Lean
from onetape.backtest.search.objectives import Objective
from onetape.backtest.search.parcels import pack_kind, pack_objective, unpack_kind, unpack_objective
from onetape.backtest.search.walks import Asked
from onetape.backtest.used import UNUSED, paying
from onetape.core.stats import last_of_each_day
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats
from onetape.domain.results import BacktestSpec, Tape
from onetape.domain.searches import Scored
from onetape.domain.trials import pack_returns
from onetape.domain.units import DAY
from onetape.indicators.memo import Memory, remembering
from onetape.strategies.contract import AnyStrategy, evaluate
from onetape.strategies.foreign import Foreign
from onetape.strategies.market import Market
from onetape.strategies.quoting import Quoting

FIGURES: Final = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar", "trades", "win_rate", "profit_factor",
    "final_equity",
)  # fmt: skip
KEPT: Final = 500  # trials whose daily returns stay: enough to judge luck, and memory does not grow with the trials
REMEMBERED: Final = 64 * 1024 * 1024  # bytes of indicators
LARGE: Final = 4 * 1024 * 1024  # bytes of a column; of such ones only so many are remembered
FEW: Final = 3


class Found(NamedTuple):
    """What one trial came to; `tape` None where nobody asks for it."""

    figures: Metrics
    days: Floats
    tape: Tape | None


class Ground:
    """What all trials of a search share; trials change nothing in it, so that threads may use it together."""

    def __init__(
        self,
        kind: type[AnyStrategy],
        spec: BacktestSpec,
        candles: Chosen,
        objectives: Sequence[Objective],
        expected: int,
    ) -> None:
        self.kind, self.spec, self.objectives, self._expected = kind, spec, tuple(objectives), expected
        self.frame = candles[0].between(None, spec.end_ts)
        self.fills = self.frame if candles[1] is candles[0] else candles[1]
        if self.fills is not self.frame or spec.start_ts is not None:
            self.fills = self.fills.between(spec.start_ts, spec.end_ts)
        self.used = paying(spec, self.fills, candles.recorded) if len(self.fills) else UNUSED
        columns = (self.frame.open, self.frame.high, self.frame.low, self.frame.close, self.frame.volume)
        most = REMEMBERED if self.frame.close.nbytes < LARGE else FEW * self.frame.close.nbytes
        self._memory: Memory | None = Memory(columns, most)
        self._keep_every = sampled(max(1, expected)).step if expected <= KEPT else -(-expected // KEPT)

    def __reduce__(self) -> tuple[Any, ...]:
        """For another machine: code of one's own travels as the text of its file."""
        frames = Chosen(self.frame, self.fills, self.used.recorded)
        objectives = [pack_objective(one) for one in self.objectives]
        return unpacked, (pack_kind(self.kind), self.spec, frames, objectives, self._expected)

    @cached_property
    def _sums(self) -> Lean:
        return Lean(self.spec, self.frame, self.fills, self.used.recorded)

    @cached_property
    def _crosses(self) -> Crosses:
        return Crosses(self.frame.close)

    @cached_property
    def first_day(self) -> int:
        rows = last_of_each_day(self.fills.ts, self.fills.timeframe.micros)
        return (int(self.fills.ts[rows[0]]) + self.fills.timeframe.micros - 1) // DAY

    def strategy(self, parameters: Mapping[str, Any]) -> AnyStrategy:
        """Raises BadInput where the strategy's own check refuses them."""
        return self.kind(**{**self.spec.parameters, **parameters})

    def keeps(self, number: int) -> bool:
        return number % self._keep_every == 0

    def score(self, asked: Asked) -> Scored:
        """Never raises for what is wrong with one combination: that is said in the trial."""
        with Foreign() as visit:
            return self._scored(asked)
        problem = str(visit.error) if isinstance(visit.error, BadInput) else visit.fault
        return Scored(number=asked.number, parameters=asked.parameters, error=problem)

    def _scored(self, asked: Asked) -> Scored:
        strategy = self.strategy(asked.parameters)
        first = first_row(self.frame, self.fills, self.spec, strategy)
        if first >= len(self.frame) or not len(self.fills):
            raise BadInput("the period", period(self.frame), f"too short: {strategy.warmup()} candles of warm-up")
        found = self._sharing(self._summed if self._lean(strategy) else self._traded, strategy, first)
        return Scored(
            number=asked.number,
            parameters=asked.parameters,
            values=tuple(objective.value(found.figures, found.tape) for objective in self.objectives),
            figures={name: found.figures[name] for name in FIGURES},
            first_day=self.first_day if self.keeps(asked.number) else 0,
            returns=pack_returns(found.days) if self.keeps(asked.number) else b"",
        )

    def _lean(self, strategy: AnyStrategy) -> bool:
        """Whether sums are enough: nobody looks at single trades, and signals are all that decides."""
        return not isinstance(strategy, Quoting) and all(one.function is None for one in self.objectives)

    def _summed(self, strategy: AnyStrategy, first: int) -> Found:
        signals = self._crosses.signals(strategy, first)
        if signals is None:
            signals = evaluate(strategy, Market(self.frame))
        figures, days = self._sums.trade(signals, first)
        return Found(figures, days, None)

    def _traded(self, strategy: AnyStrategy, first: int) -> Found:
        tape = trade(self.spec, self.frame, self.fills, strategy, first, self.used)
        return Found(measure(self.frame, tape, self.spec.cash), daily_returns(tape, self.spec.cash), tape)

    def _sharing(self, way: Callable[[AnyStrategy, int], Found], strategy: AnyStrategy, first: int) -> Found:
        """With indicators that are worked out once. A strategy that writes into what an indicator gave it cannot share:
        it gets its own from then on."""
        try:
            with remembering(self._memory):
                return way(strategy, first)
        except ValueError as error:
            if self._memory is None or "read-only" not in str(error):
                raise
        self._memory = None
        return way(strategy, first)

    def asked_of(self, parameters: Mapping[str, Any]) -> BacktestSpec:
        """The full question of one trial, as a single backtest asks it."""
        return msgspec.structs.replace(self.spec, parameters=self.strategy(parameters).parameters())


def unpacked(kind: Any, spec: BacktestSpec, frames: Any, objectives: Sequence[Any], expected: int) -> Ground:
    return Ground(unpack_kind(*kind), spec, frames, [unpack_objective(*one) for one in objectives], expected)
