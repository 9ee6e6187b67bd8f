"""Learn from indicators whether the price will be higher: a classifier of scikit-learn, which is an extra."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats
from onetape.domain.signals import Signals
from onetape.indicators import rsi, sma, stdev
from onetape.strategies.contract import Market, Period, about
from onetape.strategies.learning import Learning, Refit


class LearnedDirection(Learning, frozen=True, tag="learned_direction"):
    """The probability that the price is higher after `ahead` candles, learned from returns, trend, RSI and volatility.

    In while it is above 0.5 + `edge`, out while it is not; short below 0.5 - `edge` if told so. Confidence: twice its
    distance from 0.5. Needs scikit-learn: install onetape[learn].
    """

    model: Annotated[
        Literal["logistic", "forest"], msgspec.Meta(description="a logistic regression or a forest of 100 trees")
    ] = "logistic"
    length: Annotated[Period, about("candles of the longest mean; the others are shorter")] = 48
    ahead: Annotated[Period, about("candles until the price is compared")] = 24
    edge: Annotated[float, msgspec.Meta(ge=0.0, lt=0.5, description="least distance from even odds")] = 0.05
    window: Annotated[Period, about("candles of a fit")] = 3000
    every: Annotated[Period, about("candles between fits")] = 500
    short: Annotated[bool, msgspec.Meta(description="go short where a fall is likely")] = False

    def check(self) -> None:
        self.require(self.length >= 8, "length", "too short: 8 candles are the least")
        least = 2 * (self.warmup() + self.ahead)
        self.require(self.window >= least, "window", f"too short for this length: {least} candles are the least")

    def warmup(self) -> int:
        return max(self.length + 1, 40 * self._quarter())

    def _quarter(self) -> int:
        return max(self.length // 4, 2)

    def schedule(self) -> Refit:
        return Refit(first=self.window, every=self.every, window=self.window, embargo=self.ahead)

    def fit(self, past: Market) -> Any:
        known = self.features(past)[: -self.ahead]
        rose = past.close[self.ahead :] > past.close[: -self.ahead]
        warm = np.arange(len(known)) >= self.warmup() - 1
        usable = np.isfinite(known).all(axis=1) & warm
        if rose[usable].all() or not rose[usable].any():
            return None  # nothing to tell apart
        classifier = _classifier(self.model)
        return classifier.fit(known[usable], rose[usable])

    def signals(self, market: Market, model: Any) -> Signals:
        known = self.features(market)
        usable = np.isfinite(known).all(axis=1)
        odds = np.full(len(market), np.nan)
        if model is not None and usable.any():
            odds[usable] = model.predict_proba(known[usable])[:, 1]
        distance = odds - 0.5
        target = np.where(distance > self.edge, 1.0, np.where(distance < -self.edge, -1.0 if self.short else 0.0, 0.0))
        target[np.isnan(odds)] = np.nan
        return Signals.holding(target, np.abs(np.nan_to_num(2.0 * distance)))

    def features(self, market: Market) -> Floats:
        """float64[n, 6]; NaN in rows that lack candles."""
        close, quarter = market.close, self._quarter()
        prices = np.log(close)
        spread = stdev(close, self.length)
        mean, near = sma(close, self.length), sma(close, quarter)
        with np.errstate(invalid="ignore", divide="ignore"):
            columns = (
                _change(prices, 1), _change(prices, quarter), _change(prices, self.length),
                (near - mean) / spread, rsi(close, quarter) / 100.0, spread / mean,
            )  # fmt: skip
        return np.column_stack(columns)


def _change(prices: Floats, candles: int) -> Floats:
    change = np.full(len(prices), np.nan)
    change[candles:] = prices[candles:] - prices[:-candles]
    return change


def _classifier(name: str) -> Any:
    """Raises BadInput where scikit-learn is not installed."""
    try:
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        raise BadInput(
            "strategy", "learned_direction", "it needs scikit-learn, which is not installed",
            "Install it with: pip install 'onetape[learn]'. ridge_returns learns without it.",
        ) from None  # fmt: skip
    if name == "forest":
        return RandomForestClassifier(100, max_depth=4, min_samples_leaf=20, random_state=0, n_jobs=1)
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
