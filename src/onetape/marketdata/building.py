"""Candles of one series from prints that may come late.

A candle is given as soon as its time is over, and once more when a late print inside `lateness` changes it: the store
keeps the difference as a correction. What comes later than that changes nothing and is counted. Prints wait in order of
time until they can no longer be overtaken; only then they are folded for good, by the same `CandleBuilder` that folds
prints in order. So what is given last for a bucket is what `aggregate_candles` makes of all its prints, bit for bit.
"""

from __future__ import annotations

import copy
from bisect import bisect_left, insort_right
from typing import Final

from onetape.domain.market import Candle, Print
from onetape.domain.units import SECOND, Micros, Timeframe
from onetape.marketdata.aggregator import CandleBuilder

LATENESS: Final = 2 * SECOND


def _ts(trade: Print) -> Micros:
    return trade.ts


class LateBuilder:
    """`add` and `advance` give candles that are new or have other numbers than when they were given before."""

    def __init__(self, exchange: str, symbol: str, timeframe: Timeframe, lateness: Micros = LATENESS) -> None:
        self.timeframe, self.lateness = timeframe, lateness
        self.late = 0  # prints that came too late
        self.corrected = 0  # candles that were given again
        self.newest: Micros = -1  # time of the newest print
        self._settled = CandleBuilder(exchange, symbol, timeframe)  # what can no longer be overtaken
        self._waiting: list[Print] = []  # in order of time
        self._running: Micros = -1  # open time of the newest bucket that was not given yet; -1 = none
        self._end: Micros = -1  # its close time
        self._given: dict[Micros, Candle] = {}  # those that may still change

    def add(self, trade: Print) -> list[Candle]:
        ts = trade.ts
        if self.newest <= ts < self._end:  # in order and inside the running bucket, as nearly all are
            self._waiting.append(trade)
            self.newest = ts
            if self._waiting[0].ts < ts - 2 * self.lateness:  # many at once
                self._settle()
            return []
        if ts < self.newest - self.lateness:
            self.late += 1
            return []
        insort_right(self._waiting, trade, key=_ts)
        bucket = self.timeframe.floor(trade.ts)
        found: list[Candle] = []
        if self._running < 0 or bucket > self._running:
            if self._running >= 0:
                found += self._give(self._running)
            if bucket in self._given:  # advanced beyond it by the clock already
                found += self._give(bucket)
            else:
                self._running, self._end = bucket, self.timeframe.next(bucket)
        elif bucket < self._running:
            found += self._give(bucket)
        if trade.ts > self.newest:
            self.newest = trade.ts
            self._settle()
        return found

    def advance(self, now_ts: Micros) -> list[Candle]:
        """By the venue's clock, where no print does it."""
        if self._running < 0 or self._end > now_ts:
            return []
        found = self._give(self._running)
        self._running = self._end = -1
        return found

    def _give(self, bucket: Micros) -> list[Candle]:
        end = self.timeframe.next(bucket)
        fold = copy.copy(self._settled)
        for trade in self._waiting[: bisect_left(self._waiting, end, key=_ts)]:
            fold.add(trade)
        candle = fold.advance(end)
        before = self._given.get(bucket)
        if candle is None or candle == before:
            return []
        self.corrected += before is not None
        self._given[bucket] = candle
        return [candle]

    def _settle(self) -> None:
        horizon = self.newest - self.lateness
        ripe = bisect_left(self._waiting, horizon, key=_ts)
        if not ripe:
            return
        for trade in self._waiting[:ripe]:
            self._settled.add(trade)
        del self._waiting[:ripe]
        for bucket in [b for b in self._given if self.timeframe.next(b) <= horizon]:
            del self._given[bucket]
