"""Follow a close beyond the channel of the last candles, with a stop as wide as the market swings."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from onetape.domain.frame import Floats
from onetape.domain.signals import Signals
from onetape.indicators import atr, crossed_above, crossed_below, highest, lowest, previous
from onetape.strategies.contract import Factor, Period, Strategy, about
from onetape.strategies.market import Market


class DonchianBreakout(Strategy, frozen=True, tag="donchian_breakout"):
    """In when a close crosses above the highest high of the `entry` candles before, out below the lowest of `leave`.

    Each entry brings a stop `stop_ranges` average true ranges away. Confidence of an entry: how far beyond the channel
    the close lies, as share of itself and one average true range: 0 = on the line, 0.5 = one range. Leaving has
    confidence 1; 0 where nothing is said.
    """

    entry: Annotated[Period, about("candles of the channel to break")] = 20
    leave: Annotated[Period, about("candles of the channel to leave at")] = 10
    ranges: Annotated[Period, about("candles of the average true range")] = 14
    stop_ranges: Annotated[Factor, about("average true ranges from the entry to its stop")] = 2.0
    short: Annotated[bool, msgspec.Meta(description="sell short below the channel, too")] = False

    def warmup(self) -> int:
        """Wilder's mean forgets by 1 / n a candle, so 40 n of the ranges, or the longer channel on two candles."""
        return max(40 * self.ranges, self.entry + 2, self.leave + 2)

    def signals(self, market: Market) -> Signals:
        close = market.close
        swing = atr(market.high, market.low, close, self.ranges)
        top, bottom = previous(highest(market.high, self.entry)), previous(lowest(market.low, self.entry))
        up = crossed_above(close, top) & (swing > 0.0)
        down = crossed_below(close, bottom) & (swing > 0.0) & self.short
        out = crossed_below(close, previous(lowest(market.low, self.leave)))
        if self.short:
            out |= crossed_above(close, previous(highest(market.high, self.leave)))
        target = np.full(len(market), np.nan)
        target[out] = 0.0
        target[down] = -1.0
        target[up] = 1.0
        beyond = np.where(up, close - top, bottom - close)
        entering = up | down
        confidence = np.where(out & ~entering, 1.0, 0.0)
        confidence[entering] = beyond[entering] / (beyond[entering] + swing[entering])
        return Signals.holding(target, confidence, stop=self._stops(swing, close, entering), tag="breakout")

    def _stops(self, swing: Floats, close: Floats, entering: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Floats:
        """The way to the stop as a rate, half the price at most."""
        return np.where(entering, np.minimum(self.stop_ranges * swing / close, 0.5), np.nan)
