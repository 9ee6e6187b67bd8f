"""The guided walk: Optuna's TPE proposes, in its own memory; what became of each trial stands in our ledger alone.

Trials are asked for before the last ones are answered (`constant_liar`: a running one counts as bad, so that two
workers are not sent to the same place), so no worker waits for another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from onetape.backtest.search.objectives import Objective
from onetape.backtest.search.spaces import Space
from onetape.backtest.search.walks import Accepts, Asked, most_of
from onetape.domain.searches import Scored, SearchWish

if TYPE_CHECKING:
    import optuna

STARTUP: Final = 20  # random trials before TPE has anything to learn from
FRUITLESS: Final = 100  # proposals in a row that are refused or known: nothing new is left where it looks


class Guided:
    """Fulfils walks.Walk. `done` are trials of the same search from before, `started` the numbers that were entered."""

    def __init__(
        self,
        spaces: Sequence[Space],
        objectives: Sequence[Objective],
        accepts: Accepts,
        wish: SearchWish,
        done: Sequence[Scored] = (),
        started: Sequence[int] = (),
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._spaces, self._objectives, self._accepts = spaces, objectives, accepts
        self._most, self._asked = most_of(spaces, wish.trials), len(done)
        self._next = max(started, default=-1) + 1
        self._open: dict[int, optuna.trial.Trial] = {}
        self._known = {key_of(one.parameters) for one in done}
        self._over = False
        self.refused = 0
        self._laid = {space.name: distribution(space) for space in spaces}
        seed = wish.seed + self._next
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, multivariate=True, n_startup_trials=STARTUP)
        way = optuna.study.StudyDirection
        ways = [way.MAXIMIZE if objective.sign > 0.0 else way.MINIMIZE for objective in objectives]
        self._study = optuna.create_study(directions=ways, sampler=sampler)
        for one in done:
            self._add(one)

    @property
    def total(self) -> int:
        return self._asked if self._over else self._most

    def ask(self, most: int) -> list[Asked]:
        found: list[Asked] = []
        fruitless = 0
        while len(found) < most and self._asked < self._most and fruitless < FRUITLESS:
            trial = self._study.ask(self._laid)
            parameters = {space.name: value_of(space, trial.params[space.name]) for space in self._spaces}
            fruitless += 1
            if key_of(parameters) in self._known or not self._accepts(parameters):
                self.refused += key_of(parameters) not in self._known
                self._fail(trial)
                continue
            fruitless = 0
            self._known.add(key_of(parameters))
            found.append(Asked(self._next, parameters))
            self._open[self._next] = trial
            self._next += 1
            self._asked += 1
        self._over = self._over or fruitless >= FRUITLESS or self._asked >= self._most
        return found

    def tell(self, scored: Sequence[Scored]) -> None:
        for one in scored:
            if trial := self._open.pop(one.number, None):
                self._study.tell(trial, self._values(one))

    def over(self) -> bool:
        return self._over

    def _fail(self, trial: optuna.trial.Trial) -> None:
        from optuna.trial import TrialState

        self._study.tell(trial, state=TrialState.FAIL)

    def _values(self, one: Scored) -> list[float]:
        """What has no score is the worst there is, so that nothing is looked for near it."""
        given = one.values or (None,) * len(self._objectives)
        return [
            -objective.sign * math.inf if value is None else value
            for objective, value in zip(self._objectives, given, strict=True)
        ]

    def _add(self, one: Scored) -> None:
        from optuna.trial import create_trial

        parameters = {space.name: chosen(space, one.parameters[space.name]) for space in self._spaces}
        self._study.add_trial(create_trial(params=parameters, distributions=self._laid, values=self._values(one)))


def distribution(space: Space) -> Any:
    """A stepped number is searched by the index of its value, a choice by index too, but without an order."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if space.continuous:
        return FloatDistribution(space.low, space.high)
    if space.numeric:
        return IntDistribution(0, len(space.values) - 1)
    return CategoricalDistribution(list(range(len(space.values))))


def value_of(space: Space, proposed: Any) -> Any:
    return float(proposed) if space.continuous else space.values[int(proposed)]


def chosen(space: Space, value: Any) -> Any:
    return value if space.continuous else space.values.index(value)


def key_of(parameters: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(parameters.values())
