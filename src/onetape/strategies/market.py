"""What a strategy sees: closed candles as columns, and longer timeframes of them without look-ahead."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, Ints, resample
from onetape.domain.units import Timeframe


class Market:
    """Closed candles of one series, oldest first: read-only columns of one length.

    `ts` are open times (int64 micros UTC); `open`, `high`, `low`, `close` prices; `volume` in the base currency.
    """

    def __init__(self, frame: CandleFrame) -> None:
        self.frame = frame
        self._higher: dict[Timeframe, Higher] = {}

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def symbol(self) -> str:
        return self.frame.symbol

    @property
    def timeframe(self) -> Timeframe:
        return self.frame.timeframe

    @property
    def ts(self) -> Ints:
        return self.frame.ts

    @property
    def open(self) -> Floats:
        return self.frame.open

    @property
    def high(self) -> Floats:
        return self.frame.high

    @property
    def low(self) -> Floats:
        return self.frame.low

    @property
    def close(self) -> Floats:
        return self.frame.close

    @property
    def volume(self) -> Floats:
        return self.frame.volume

    def at(self, timeframe: str | Timeframe | int) -> Higher:
        """A longer timeframe of this market: `"1h"`, or a whole number of this market's own candles (4 = four in one).

        Raises BadInput when it is not made of whole candles of this market.
        """
        if isinstance(timeframe, int):
            own = self.timeframe
            wanted = Timeframe(own.count * timeframe, own.unit) if timeframe > 0 else Timeframe.parse(str(timeframe))
        else:
            wanted = Timeframe.parse(timeframe)
        if wanted not in self._higher:
            self._higher[wanted] = Higher(self, wanted)
        return self._higher[wanted]


class Higher:
    """A longer timeframe beside the candles of a market.

    `open`, `high`, `low`, `close`, `volume` have one value per candle of the MARKET: those of the last longer candle
    that has closed by then, NaN before there is one. `candles` is the longer series itself, for indicators; `align`
    brings what was computed on it back to the market's candles:

        hourly = market.at("1h")
        trend = hourly.align(ta.ema(hourly.candles.close, 20))

    A longer candle exists from its close on. The first one of the data counts only when its very beginning is there,
    for a candle cut in half would differ from the whole one.
    """

    def __init__(self, market: Market, timeframe: Timeframe) -> None:
        self.market, self.timeframe = market, timeframe
        self.candles = Market(_closed(market.frame, timeframe))

    def __len__(self) -> int:
        return len(self.market)

    @cached_property
    def _rows(self) -> Ints:
        """For each candle of the market the number of longer candles that have closed by its close."""
        return np.searchsorted(self.candles.frame.close_ts, self.market.frame.close_ts, side="right").astype(np.int64)

    def align(self, values: ArrayLike) -> Floats:
        """One value per candle of the market from one value per longer candle: that of the last one closed by then."""
        given = np.asarray(values, np.float64)
        if given.shape != (len(self.candles),):
            raise BadInput(
                "align", given.shape, f"not one value for each of the {len(self.candles)} candles of {self.timeframe}"
            )
        out: Floats = np.concatenate(([np.nan], given))[self._rows]
        out.flags.writeable = False
        return out

    @cached_property
    def open(self) -> Floats:
        return self.align(self.candles.open)

    @cached_property
    def high(self) -> Floats:
        return self.align(self.candles.high)

    @cached_property
    def low(self) -> Floats:
        return self.align(self.candles.low)

    @cached_property
    def close(self) -> Floats:
        return self.align(self.candles.close)

    @cached_property
    def volume(self) -> Floats:
        return self.align(self.candles.volume)


def _closed(frame: CandleFrame, timeframe: Timeframe) -> CandleFrame:
    """The longer candles of the frame that are whole: begun inside it and closed by its end."""
    longer = resample(frame, timeframe)
    if not len(longer):
        return longer
    first = int(frame.ts[0] != longer.ts[0])
    last = int(np.searchsorted(longer.close_ts, frame.close_ts[-1], side="right"))
    return longer.rows(first, max(first, last))
