"""A fault on purpose of a strategy over several instruments. The gate must catch it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onetape.strategies.market import Market
from onetape.strategies.portfolio import Portfolio, Weights


class Crystal(Portfolio, frozen=True, tag="crystal"):
    """Puts all in the first instrument when the LAST one is about to rise: no column looks at its own future."""

    def warmup(self) -> int:
        return 1

    def weights(self, markets: Mapping[str, Market]) -> Weights:
        leader = list(markets.values())[-1].close
        rises = np.append(leader[1:] > leader[:-1], False)
        values = np.zeros((len(leader), len(markets)))
        values[:, 0] = np.where(rises, 1.0, 0.0)
        return Weights(values)
