"""What is wrong with candles, and what is missing. Pure; it judges and repairs nothing."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from onetape.domain.frame import CandleFrame, Floats
from onetape.domain.market import Candle
from onetape.domain.units import Micros, Timeframe
from onetape.marketdata.soundness import IMPOSSIBLE

Span = tuple[Micros, Micros]  # [start, end)


class _Row(NamedTuple):
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def fault(candle: Candle) -> str:
    """Why a candle cannot be true, or "": such a one is refused, never repaired. The rules are those of stored series
    (`soundness.IMPOSSIBLE`), so that what is taken is never called impossible later."""
    row = _Row(*(np.array([getattr(candle, name)]) for name in _Row._fields))
    if reason := next((kind.reason for kind in IMPOSSIBLE if kind.fails(row)[0]), ""):
        return reason
    if not math.isfinite(candle.turnover):
        return "turnover is missing"
    if Timeframe.parse(candle.timeframe).floor(candle.open_ts) != candle.open_ts:
        return f"its time is not on the {candle.timeframe} grid"
    return ""


def missing(frame: CandleFrame, start_ts: Micros, end_ts: Micros) -> list[Span]:
    """The spans of [start_ts, end_ts) for which `frame` has no candle. Both ends lie on the grid."""
    inside = frame.between(start_ts, end_ts)
    if not len(inside):
        return [(start_ts, end_ts)] if start_ts < end_ts else []
    first, last = int(inside.ts[0]), int(inside.close_ts[-1])
    head = [(start_ts, first)] if start_ts < first else []
    tail = [(last, end_ts)] if last < end_ts else []
    return [*head, *inside.gaps(), *tail]


def without(spans: Iterable[Span], known: Sequence[Span]) -> list[Span]:
    """What of `spans` no `known` span covers."""
    left = list(spans)
    for start, end in known:
        parts = (part for a, b in left for part in ((a, min(b, start)), (max(a, end), b)))
        left = [part for part in parts if part[0] < part[1]]
    return left


class Holes:
    """Spans that may lie over each other, made so that one look is enough however many they are."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._ends = list(accumulate((end for _, end in ordered), max))  # the latest end of those up to here

    def touch(self, first_ts: Micros, last_ts: Micros) -> bool:
        """Whether one has a moment in common with [first_ts, last_ts]; both its ends belong to it."""
        begun = bisect_right(self._starts, last_ts)
        return begun > 0 and self._ends[begun - 1] >= first_ts
