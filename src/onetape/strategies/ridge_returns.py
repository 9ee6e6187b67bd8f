"""Learn from the last returns what the next one may be: linear, with nothing but numpy."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from onetape.domain.frame import Floats
from onetape.domain.signals import Signals
from onetape.strategies.contract import Market, Period, about
from onetape.strategies.learning import Learning, Refit


class Line(NamedTuple):
    """A fitted model: `slopes` float64[lags], newest return first; `error`, the standard error of the fit."""

    slopes: Floats
    level: float
    error: float


class RidgeReturns(Learning, frozen=True, tag="ridge_returns"):
    """Ridge regression of the return over the next `ahead` candles on the last `lags` returns.

    In while the predicted return is above `edge`, out while it is not; short below -`edge` if told so. A strong
    `penalty` draws the slopes to 0, for most of what a short past seems to teach is noise. Confidence: the predicted
    return beside the error of the fit: 0.5 = they are equal.
    """

    lags: Annotated[Period, about("returns that are looked at")] = 12
    ahead: Annotated[Period, about("candles over which the return is predicted")] = 12
    penalty: Annotated[
        float, msgspec.Meta(ge=0.0, le=1e6, description="beside the variance of the returns, which counts 1")
    ] = 1.0
    edge: Annotated[float, msgspec.Meta(ge=0.0, le=1.0, description="least predicted return, a rate")] = 0.003
    window: Annotated[Period, about("candles of a fit")] = 2000
    every: Annotated[Period, about("candles between fits")] = 250
    short: Annotated[bool, msgspec.Meta(description="go short where a fall is predicted")] = False

    def check(self) -> None:
        least = 2 * (self.lags + self.ahead + 1)
        self.require(self.window >= least, "window", f"too short for these lags: {least} candles are the least")

    def warmup(self) -> int:
        return self.lags + 1

    def schedule(self) -> Refit:
        return Refit(first=self.window, every=self.every, window=self.window, embargo=self.ahead)

    def fit(self, past: Market) -> Line:
        prices = np.log(past.close)
        known = recent(prices, self.lags)[: -self.ahead]
        gains = prices[self.lags + self.ahead :] - prices[self.lags : -self.ahead]
        means, level = known.mean(axis=0), float(gains.mean())
        centred = known - means
        ridge = self.penalty * len(known) * max(float(np.square(centred).mean()), 1e-18)
        matrix = centred.T @ centred + ridge * np.eye(self.lags)
        slopes = np.linalg.solve(matrix + 1e-18 * np.eye(self.lags), centred.T @ (gains - level))
        error = float(np.std(gains - level - centred @ slopes))
        return Line(slopes, level - float(means @ slopes), error)

    def signals(self, market: Market, model: Line) -> Signals:
        expected = np.full(len(market), np.nan)
        if len(market) > self.lags:
            expected[self.lags :] = recent(np.log(market.close), self.lags) @ model.slopes + model.level
        target = np.where(expected > self.edge, 1.0, np.where(expected < -self.edge, -1.0 if self.short else 0.0, 0.0))
        target[np.isnan(expected)] = np.nan
        size = np.abs(np.nan_to_num(expected))
        total = size + model.error
        confidence = np.divide(size, total, out=np.zeros(len(market)), where=total > 0.0)
        return Signals.holding(target, confidence)


def recent(prices: Floats, lags: int) -> Floats:
    """The last `lags` differences at each candle that has so many, newest first: float64[n - lags, lags]."""
    return np.ascontiguousarray(sliding_window_view(np.diff(prices), lags)[:, ::-1])
