"""Bars by number of trades, volume or quote volume: `aggregate_bars` over a list at once, `BarBuilder` print by print.
The one calls the other, so they agree bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from onetape.domain.bars import Bar, BarSize
from onetape.domain.market import Print
from onetape.domain.units import Micros, Price, Qty
from onetape.marketdata.aggregator import Columns, columns_of

_COLUMNS: Final = ("open_ts", "close_ts", "open", "high", "low", "close", "volume", "turnover", "trades")
_WHOLE: Final = 1 - 1e-12  # ten times 0.1 is a little less than 1 in floats, and closes a bar of 1


class BarBuilder:
    """One series. Prints come in order of time; the one with which the size is reached closes the bar."""

    def __init__(self, exchange: str, symbol: str, size: str | BarSize) -> None:
        self.exchange, self.symbol, self.size = exchange, symbol, BarSize.parse(size)
        self._name, self._limit = str(self.size), self.size.amount * _WHOLE
        self._trades = 0
        self._open_ts: Micros = 0
        self._open = self._high = self._low = self._volume = self._turnover = 0.0

    def add(self, trade: Print) -> Bar | None:
        """The bar that this print closes, if it does."""
        return self.take(trade.ts, trade.price, trade.qty)

    def take(self, ts: Micros, price: Price, qty: Qty) -> Bar | None:
        if not self._trades:
            self._open_ts, self._open, self._high, self._low = ts, price, price, price
            self._volume = self._turnover = 0.0
        self._high = max(self._high, price)
        self._low = min(self._low, price)
        self._volume += qty
        self._turnover += qty * price
        self._trades += 1
        if self._measure() < self._limit:
            return None
        trades, self._trades = self._trades, 0
        prices = (self._open, self._high, self._low, price)
        volumes = (self._volume, self._turnover)
        return Bar(self.exchange, self.symbol, self._name, self._open_ts, ts, *prices, *volumes, trades)

    def _measure(self) -> float:
        unit = self.size.unit
        return self._trades if unit == "t" else self._volume if unit == "v" else self._turnover


def aggregate_bars(trades: Sequence[Mapping[str, Any]] | Mapping[str, Any], size: str | BarSize) -> Columns:
    """The closed bars of trades as equally long columns, oldest first: `open_ts` and `close_ts` (int64 UTC
    microseconds), `open`, `high`, `low`, `close`, `volume` (base), `turnover` (quote), `trades` (their number).

    `trades` is what `aggregate_candles` takes, in any order. What is left at the end and fills no bar is not in it.
    Raises BadInput naming row and value.
    """
    ts, price, amount = columns_of(trades)
    order = np.argsort(ts, kind="stable")
    builder = BarBuilder("", "", size)
    rows = zip(ts[order].tolist(), price[order].tolist(), amount[order].tolist(), strict=True)
    bars = [bar for row in rows if (bar := builder.take(*row))]
    kinds = {name: np.int64 if name in ("open_ts", "close_ts", "trades") else np.float64 for name in _COLUMNS}
    return {name: np.array([getattr(bar, name) for bar in bars], kind) for name, kind in kinds.items()}
