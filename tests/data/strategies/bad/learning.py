"""Faults on purpose of strategies that learn. The gate must catch them."""

from __future__ import annotations

import numpy as np

from onetape.domain.frame import Floats
from onetape.domain.signals import Signals
from onetape.strategies.learning import Learning, Refit
from onetape.strategies.market import Market

SEEN: dict[int, float] = {}


class Peeks(Learning, frozen=True, tag="peeks"):
    """Its model is honest, but it is asked about the candle after."""

    def warmup(self) -> int:
        return 2

    def schedule(self) -> Refit:
        return Refit(first=200, every=100, window=200)

    def fit(self, past: Market) -> float:
        return float(np.median(np.diff(past.close)))

    def signals(self, market: Market, model: float) -> Signals:
        coming = np.diff(market.close, append=market.close[-1:])
        return Signals.holding(np.where(coming > model, 1.0, 0.0))


class Undecided(Learning, frozen=True, tag="undecided"):
    """No seed is fixed: the same candles give another model each time."""

    def warmup(self) -> int:
        return 2

    def schedule(self) -> Refit:
        return Refit(first=200, every=100, window=200)

    def fit(self, past: Market) -> Floats:
        return np.random.default_rng().normal(past.close.mean(), past.close.std(), 1)

    def signals(self, market: Market, model: Floats) -> Signals:
        return Signals.holding(np.where(market.close > model[0], 1.0, 0.0))


class Hoards(Learning, frozen=True, tag="hoards"):
    """Its fits keep what earlier ones saw, behind the engine's back."""

    def warmup(self) -> int:
        return 2

    def schedule(self) -> Refit:
        return Refit(first=200, every=100, window=200)

    def fit(self, past: Market) -> float:
        SEEN[int(past.ts[-1])] = float(past.close[-1])
        return SEEN[max(SEEN)]

    def signals(self, market: Market, model: float) -> Signals:
        return Signals.holding(np.where(market.close > model, 1.0, 0.0))
