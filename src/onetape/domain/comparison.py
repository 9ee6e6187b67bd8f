"""What a comparison of strategies says: plain numbers, None where one cannot be worked out."""

from __future__ import annotations

import msgspec

from onetape.domain.luck import Interval


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the first strategy less that of the second, and what redrawn histories make of it."""

    real: float
    interval: Interval  # of the difference over the redrawn histories
    ahead: float  # share of the redrawn histories in which the first is ahead; a tie counts half
    turned: float  # share in which the order is the other one than it really was
    p: float  # two-sided
    adjusted: float  # the same after Holm, over all pairs


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    first: str
    second: str
    cagr: Difference  # yearly return, a rate
    sharpe: Difference  # per year


class DayFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Of the daily returns on the common days alone; the drawdown is that of daily closes."""

    name: str
    total_return: float
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    max_drawdown: float


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    figures: DayFigures
    weights: dict[str, float]  # mean over the days
    calmer: float | None  # how much lower its volatility is than the weighted mean of its parts; 0.3 is 30 %
    shallower: float | None  # the same of the drawdown


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Everything after `names` is empty where the common days are too few; `notes` say why."""

    names: list[str]  # in the order of all that follows
    days: int = 0
    draws: int = 0
    block_days: float | None = None  # mean length of the blocks that are redrawn
    correlation: list[list[float | None]] = []
    pairs: list[Pair] = []
    each: list[DayFigures] = []
    mixes: list[Mix] = []
    notes: list[str] = []
