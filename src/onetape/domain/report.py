"""What a report shows beside the figures of a run: plain structs, worked out once and kept with the run."""

from __future__ import annotations

from typing import Any

import msgspec

from onetape.domain.units import Micros, Money, Price, Rate


class Month(msgspec.Struct, frozen=True):
    """A calendar month (UTC); `trades` and `won` are those closed in it."""

    year: int
    month: int
    rate: Rate
    trades: int = 0
    won: int = 0


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Closed trades that have a tag, an exit reason or a side in common. `mean` is the mean rate of what was put in."""

    name: str
    trades: int
    won: int
    drawn: int
    lost: int
    profit: Money  # after fees
    mean: Rate
    average_duration_s: float


class Bin(msgspec.Struct, frozen=True):
    """Closed trades whose rate lies in [low, high); the outermost have those beyond in them."""

    low: Rate
    high: Rate
    trades: int


class Rolling(msgspec.Struct, frozen=True):
    """The Sharpe ratio of the last `days` days at the end of a day."""

    days: int
    ts: list[Micros]
    sharpe: list[float | None]


class CostOfReality(msgspec.Struct, frozen=True, kw_only=True):
    """What it took from the run that trading costs, and the same signals with none of it: no fee, no slippage, no
    spread, no impact, no funding, no delay. `free_*` are the figures and the curve (thinned) of that run."""

    fees: Money
    slippage: Money
    funding: Money
    delay: Money
    turnover: Money  # value of all fills
    rejected: dict[str, int]
    free_metrics: dict[str, Any]
    free_ts: list[Micros]
    free_equity: list[Money]


class DataUsed(msgspec.Struct, frozen=True, kw_only=True):
    """On what the orders of a run filled. Shares are of the time of all fill candles; `notes` are sentences."""

    timeframe: str  # of the fill candles
    prints_share: float = 0.0  # single trades in the place of candles
    books_share: float = 0.0  # a recorded order book beside them
    prints: int = 0  # trades that were used
    funding: int = 0  # payments whose rate is recorded
    funding_missing: int = 0  # payments that were due and of which no rate is recorded
    notes: list[str] = []

    @property
    def candles_share(self) -> float:
        return 1.0 - self.prints_share


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """Signal rows that said something new, at the close of their candle: the last ones where there are many."""

    ts: list[Micros]
    price: list[Price]
    target: list[Rate]
    confidence: list[float]
    label: list[str]
    all: int


class Level(msgspec.Struct, frozen=True):
    """A price at which an order waited: `kind` is stop, take or limit."""

    kind: str
    start_ts: Micros
    end_ts: Micros
    price: Price


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """One of several books of a run, as it did from its own cash: a bot of a fleet, a symbol of a portfolio. `rejected`
    counts, by reason, what was not sent."""

    name: str
    strategy: str
    exchange: str
    symbol: str
    timeframe: str
    metrics: dict[str, Any]
    rejected: dict[str, int]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report draws and that is not in the metrics, the manifest, the trades or the curve."""

    summary: dict[str, Any]  # docs/metrics.md names them
    months: list[Month]
    by_exit: list[Group]
    by_tag: list[Group]
    by_tag_and_exit: list[Group]
    by_side: list[Group]
    distribution: list[Bin]
    rolling: Rolling | None
    reality: CostOfReality | None
    said: Said
    levels: list[Level]
    warnings: list[str]
    detail: DataUsed | None = None  # None: not known, in runs from before it was kept
    books: list[Book] = []  # of a run that is several together
