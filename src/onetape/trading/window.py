"""The last candles that a strategy needs, built from the fill candles as they close.

A bot reads one series only, its fill candles. The strategy's candles are made of them by the same function that a
backtest uses, so both see the same numbers.
"""

from __future__ import annotations

from onetape.domain.frame import CandleFrame, concat, resample
from onetape.domain.market import Candle
from onetape.domain.units import MINUTE, Micros, Timeframe

ONE_MINUTE = Timeframe(1, "m")
SPARE = 16  # candles kept beyond what the strategy asks for


def fill_timeframe(timeframe: Timeframe) -> Timeframe:
    """The candles that orders are matched on: one minute, or the strategy's own where minutes do not divide it."""
    return ONE_MINUTE if timeframe.micros % MINUTE == 0 else timeframe


class Window:
    """Strategy candles of one series, oldest first, `size` of them at most, and the running bucket's fill candles."""

    def __init__(self, exchange: str, symbol: str, timeframe: Timeframe, fills: Timeframe, size: int) -> None:
        self.timeframe, self.fills, self.size = timeframe, fills, size
        self.frame = CandleFrame.empty(exchange, symbol, timeframe)
        self.whole_ts: Micros = 0  # from here on every bucket was built from all its fill candles
        self._running: list[Candle] = []

    @property
    def due_ts(self) -> Micros:
        """When the running bucket closes; 0 when nothing is running."""
        return self.timeframe.next(self._running[0].open_ts) if self._running else 0

    def add(self, candle: Candle) -> None:
        """A fill candle of the running bucket; a bucket before it must have been closed."""
        self._running.append(candle)

    def close(self) -> Micros:
        """Turns the running bucket into the newest strategy candle; gives its close time."""
        closed = resample(CandleFrame.from_candles(self._running), self.timeframe)
        due = self.due_ts
        self._running = []
        self.frame = concat([self.frame.tail(self.size - 1), closed]) if len(self.frame) else closed
        return due

    def load(self, candles: CandleFrame, until_ts: Micros) -> None:
        """Starts from stored fill candles, of which those that close by `until_ts` count."""
        known = candles.between(None, until_ts)
        boundary = self.timeframe.floor(until_ts)
        first = int(known.ts[0]) if len(known) else boundary
        self.whole_ts = first if self.timeframe.floor(first) == first else self.timeframe.next(first)
        self.frame = resample(known.between(None, boundary), self.timeframe).tail(self.size)
        running = known.between(boundary, None)
        self._running = [running.candle(i) for i in range(len(running))]

    def prepend(self, older: CandleFrame) -> None:
        """Stored candles of the strategy's own timeframe in front of those that were built: they only warm up. A first
        bucket of which the beginning is missing gives way to the stored one."""
        older = older.between(None, self.whole_ts)
        if len(older):
            self.frame = concat([older, self.frame.between(self.whole_ts, None)]).tail(self.size)

    def rows_needed(self) -> int:
        """How many fill candles `load` wants so that the window is full."""
        return (self.size + 1) * max(1, self.timeframe.micros // self.fills.micros)
