"""Hold the strongest of several instruments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
import numpy as np

from onetape.strategies.contract import Market, Period, about
from onetape.strategies.portfolio import Portfolio, Weights


class Rotation(Portfolio, frozen=True, tag="rotation"):
    """Every `every` candles: equal weights for the `hold` instruments that rose most over `look` candles, as far as
    they rose at all; the rest stays in cash."""

    look: Annotated[Period, about("candles over which the rise is measured")] = 90
    hold: Annotated[int, msgspec.Meta(ge=1, le=50, description="instruments held at once")] = 2
    every: Annotated[Period, about("candles between two changes")] = 24
    invest: Annotated[float, msgspec.Meta(gt=0.0, le=1.0, description="share of the equity that is put in")] = 0.95

    def warmup(self) -> int:
        """The rise over `look` candles, looked at on the last candle of a period of `every`."""
        return self.look + 1

    def weights(self, markets: Mapping[str, Market]) -> Weights:
        closes = np.column_stack([market.close for market in markets.values()])
        rise = np.full(closes.shape, np.nan)
        rise[self.look :] = closes[self.look :] / closes[: -self.look] - 1.0
        order = np.argsort(np.where(np.isnan(rise), np.inf, -rise), axis=1, kind="stable")  # of equals the first
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(closes.shape[1])[None, :], axis=1)
        chosen = (rank < self.hold) & (rise > 0.0)
        values = np.where(chosen, self.invest / self.hold, 0.0)
        first = next(iter(markets.values()))
        turn = (first.ts // first.timeframe.micros) % self.every == self.every - 1
        values[~turn | np.isnan(rise).any(axis=1)] = np.nan
        return Weights(values)
