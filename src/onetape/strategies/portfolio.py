"""Strategies over several instruments: how much of the equity is in each, at each candle of a common timeline."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats
from onetape.strategies.contract import AnyStrategy, Kind, Market


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """`values` float64[n, k]: one row per candle, one column per symbol in the order of the mapping that `weights` was
    given; a signed share of the equity (0.5 = half of it, long). NaN = keep what is held."""

    values: Floats

    def __len__(self) -> int:
        return len(self.values)


class Portfolio(AnyStrategy, frozen=True):
    """Answers target weights. Derive from it with `frozen=True, tag="its_name"`."""

    kind: ClassVar[Kind] = Kind.PORTFOLIO

    def weights(self, markets: Mapping[str, Market]) -> Weights:
        """One row per candle, made of that candle and older ones only. The markets have the same candles, by symbol."""
        raise BadInput(f"weights of {self.name()}", list(markets), "not written", "Answer Weights(...).")


def weighed(strategy: Portfolio, frames: Mapping[str, CandleFrame]) -> Weights:
    """A strategy's weights on frames of the same candles, proved to be weights. Raises BadInput naming strategy, row
    and symbol."""
    found = strategy.weights({name: Market(frame) for name, frame in frames.items()})
    n, names = len(next(iter(frames.values()))), list(frames)
    if not isinstance(found, Weights):
        raise BadInput(strategy.name(), type(found).__name__, "not what weights() must return", "Return Weights.")
    if found.values.shape != (n, len(names)):
        raise BadInput(f"{strategy.name()}: weights", found.values.shape, f"not of the shape ({n}, {len(names)})")
    infinite = np.argwhere(np.isinf(found.values))
    if len(infinite):
        row, column = infinite[0]
        raise BadInput(f"{strategy.name()}: weights[{row}] of {names[column]}", "infinite", "not a share of the equity")
    return found
