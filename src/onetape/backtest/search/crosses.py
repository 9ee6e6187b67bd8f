"""Signals of the strategies that follow the crosses of two simple means, from one column that all trials share."""

from __future__ import annotations

import threading
from typing import Final

import numpy as np

from onetape.domain.frame import Floats
from onetape.domain.signals import NONE, Signals
from onetape.indicators.trend import grid_limit, to_steps
from onetape.strategies.contract import AnyStrategy, Strategy
from onetape.strategies.crossing import MeanCross, compared, crosses_of_sums

NEVER: Final = float("inf")


class Crosses:
    """Over closes that never change. Threads may use it together; each writes into a column of its own."""

    def __init__(self, closes: Floats) -> None:
        steps = np.empty(len(closes), np.int64)
        off = to_steps(closes, grid_limit(1), steps)
        self._largest = NEVER if off else float(max(steps.max(initial=0), -steps.min(initial=0)))
        self._common = max(int(np.gcd.reduce(steps)), 1)  # a tick of 0.01 is a million steps
        self._sums = np.zeros(len(closes) + 1, np.int64)
        np.cumsum(steps // self._common, out=self._sums[1:])
        self._here = threading.local()

    def signals(self, strategy: AnyStrategy, first: int) -> Signals | None:
        """What the strategy says from row `first` on, without confidence, good until this thread asks again. None for a
        strategy that works out its signals itself, and where whole numbers cannot tell them."""
        if not isinstance(strategy, MeanCross) or not _plain(type(strategy)):
            return None
        fast, slow, below = strategy.means()
        windows, counted, apart = compared(fast, slow)
        if not fast < slow <= first or self._largest >= min(counted, apart * self._common):
            return None
        target = self._target()
        crosses_of_sums(self._sums, windows, float(below), first, target)
        return Signals(target=target, confidence=NONE)

    def _target(self) -> Floats:
        found: Floats | None = getattr(self._here, "target", None)
        if found is None:
            found = self._here.target = np.empty(len(self._sums) - 1)
        return found


def _plain(kind: type[MeanCross]) -> bool:
    """Whether its signals are its crosses and nothing else."""
    return kind.signals is MeanCross.signals and kind.answer is Strategy.answer
