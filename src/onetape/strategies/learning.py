"""Strategies that learn: a model is fitted on the past, used for a while, and fitted again.

The engine cuts the time, not the author: `fit` is given candles that lie wholly before the ones its model is used on,
less the embargo, and `signals` is judged only on candles after them.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from onetape.domain.errors import BadInput
from onetape.domain.signals import Signals
from onetape.strategies.contract import AnyStrategy, Kind, Market


class Refit(NamedTuple):
    """When a model is fitted, in candles: first with `first` of them, then again after every `every`.

    `window` is the most that a fit sees (0 = all there is). `embargo` candles before the model's first use are kept
    from it: as many as its labels look ahead.
    """

    first: int
    every: int
    window: int = 0
    embargo: int = 0


class Learning(AnyStrategy, frozen=True):
    """Answers signals by a model. Derive from it with `frozen=True, tag="its_name"`."""

    kind: ClassVar[Kind] = Kind.LEARNING

    def schedule(self) -> Refit:
        """When the model is fitted."""
        raise BadInput(f"schedule of {self.name()}", None, "not written", "Answer Refit(first=..., every=...).")

    def fit(self, past: Market) -> Any:
        """A model of the candles that are given. The same candles must give the same model: fix every seed."""
        raise BadInput(f"fit of {self.name()}", len(past), "not written", "Answer the model.")

    def signals(self, market: Market, model: Any) -> Signals:
        """One row per candle of the market, each made of the model, that candle and older ones only."""
        raise BadInput(f"signals of {self.name()}", (len(market), model), "not written", "Answer Signals.holding(...).")
