"""Bars by number of trades, volume or quote volume: `aggregate_bars` over a list at once, `BarBuilder` print by print,
`stored_bars` over what is recorded. The others call the builder, so they agree bit for bit."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from onetape.domain.bars import Bar, BarSize
from onetape.domain.market import Print
from onetape.domain.units import Micros, Price, Qty
from onetape.marketdata.aggregator import Columns, columns_of
from onetape.marketdata.building import LATENESS
from onetape.marketdata.missed import Mended
from onetape.marketdata.replay import Wish, trades_of

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


class InOrder:
    """Trades in the order of their receipt go in, those that no other can overtake any more come out by time. What is
    later than `lateness` would change bars that were given already: it is left out and counted."""

    def __init__(self, lateness: Micros = LATENESS) -> None:
        self.late = 0
        self._lateness = lateness
        self._newest = self._given = -1
        self._waiting: list[tuple[Micros, int, Print]] = []
        self._number = 0  # equal times stay in the order of their receipt

    def add(self, trade: Print) -> list[Print]:
        if trade.ts < self._given:
            self.late += 1
            return []
        self._number += 1
        heapq.heappush(self._waiting, (trade.ts, self._number, trade))
        self._newest = max(self._newest, trade.ts)
        return self._until(self._newest - self._lateness)

    def rest(self) -> list[Print]:
        return self._until(self._newest + 1)

    def _until(self, ts: Micros) -> list[Print]:
        found = []
        while self._waiting and self._waiting[0][0] < ts:
            found.append(heapq.heappop(self._waiting)[2])
        if found:
            self._given = found[-1].ts
        return found


class BarsMade(msgspec.Struct, kw_only=True):
    """How far the bars of stored trades are: messages read, trades in them, bars closed, and trades in none of them
    (`open`: after the last bar; `late`: left out)."""

    frames: int = 0
    trades: int = 0
    bars: int = 0
    open: int = 0
    late: int = 0
    last_ts: Micros = 0


async def stored_bars(
    tape: Mended, wish: Wish, builder: BarBuilder, told: Callable[[BarsMade], None]
) -> AsyncIterator[list[Bar]]:
    """The closed bars of the trades that are stored, some at a time; memory holds a page of messages."""
    made, order = BarsMade(), InOrder()
    source = trades_of(wish.channels)
    async for page in tape.read(wish.exchange, wish.symbol, (source,), wish.start_ts, wish.end_ts):
        prints = [event for frame in page for event in tape(frame) if isinstance(event, Print)]
        made.frames, made.trades, made.last_ts = made.frames + len(page), made.trades + len(prints), page[-1].ts
        yield _closed(builder, made, (each for trade in prints for each in order.add(trade)))
        made.late = order.late
        told(made)
    left = tape.left()
    made.trades += len(left)
    yield _closed(builder, made, [*(each for trade in left for each in order.add(trade)), *order.rest()])
    made.late = order.late
    told(made)


def _closed(builder: BarBuilder, made: BarsMade, trades: Iterable[Print]) -> list[Bar]:
    found = []
    for trade in trades:
        made.open += 1
        if bar := builder.add(trade):
            found.append(bar)
            made.open = 0
    made.bars += len(found)
    return found


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
