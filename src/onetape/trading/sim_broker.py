"""A broker that fills orders from closed candles by the kernels' fill model, with a book and an account of its own.

It knows of the outside only what it is given: orders through `submit` and `cancel`, candles through `match`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from onetape.core import state as col
from onetape.core.bars import Bar
from onetape.core.portfolio import watched
from onetape.core.step import on_candle
from onetape.domain.accounts import Account, Rules
from onetape.domain.errors import Refused
from onetape.domain.frame import Floats
from onetape.domain.market import Candle
from onetape.domain.orders import Fill, Order, OrderEvent, OrderStatus
from onetape.domain.units import Micros
from onetape.ports import Holdings
from onetape.trading.rows import BotMarket, fill_of, number_of, order_behind, order_of, row_of


class Matched(NamedTuple):
    """What one candle did: fills in their order, and every order that is not as it was."""

    fills: list[Fill]
    orders: list[Order]


class SimBroker:
    """One bot's account at a simulated venue. Fulfils ports.Broker."""

    def __init__(
        self, series: BotMarket, rules: Rules, account: Account, placed: Callable[[int], Floats | None] | None = None
    ) -> None:
        """`placed` gives the row of the book in which the core has placed the order of a number, where there is one."""
        self.series, self.rules = series, rules
        self.account, self._placed = account, placed or (lambda _: None)
        self.book: Floats = col.empty_book()
        self._known: set[int] = set()
        self._rows = col.fill_buffer()
        self._listeners: list[asyncio.Queue[OrderEvent | Fill]] = []

    async def submit(self, order: Order) -> None:
        """Rests from now on. Refused when it makes no sense or 16 rest already; the same id again changes nothing."""
        number = number_of(order.id)
        if number in self._known:
            return
        if not order.qty > 0 or (order.symbol, order.exchange) != (self.series.symbol, self.series.exchange):
            raise Refused(f"order {order.id} is not one for {self.series.symbol}: quantity {order.qty:g}")
        if len(col.resting(self.book)) >= col.SLOTS:
            raise Refused(f"order {order.id} finds no room: {col.SLOTS} orders are resting already")
        row = self._placed(number)
        self.book = col.book_of([*col.resting(self.book), row_of(order) if row is None else row], self.book)
        self._known.add(number)
        a = self.account
        self.account = watched(a, a.best, a.peak, a.halted, max(a.next_id, number + 1.0))
        self._tell(OrderEvent(msgspec.structs.replace(order, status=OrderStatus.OPEN)))

    async def cancel(self, order: Order) -> None:
        """Gone afterwards, whether it was there or not."""
        number = number_of(order.id)
        rows = col.resting(self.book)
        self.book = col.book_of([row for row in rows if row[col.ID] != number], self.book)
        for row in rows:
            if row[col.ID] == number:
                self._tell(OrderEvent(order_of(row, self.series, OrderStatus.CANCELLED, order.ts)))

    async def events(self) -> AsyncIterator[OrderEvent | Fill]:
        """What happens from now on."""
        queue: asyncio.Queue[OrderEvent | Fill] = asyncio.Queue()
        self._listeners.append(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(queue)

    async def snapshot(self) -> Holdings:
        base, _, quote = self.series.symbol.partition("-")
        orders = tuple(order_of(row, self.series, OrderStatus.OPEN, 0) for row in col.resting(self.book))
        balances = {quote: self.account.cash, base: self.account.qty}
        return Holdings(balances=balances, positions={self.series.symbol: self.account.qty}, orders=orders)

    def match(self, candle: Candle) -> Matched:
        """One closed candle against the book. What happens in it bears its open time: where in it, no candle tells."""
        before = col.resting(self.book).copy()
        length = float(candle.close_ts - candle.open_ts)
        bar = Bar(candle.open, candle.high, candle.low, candle.close, candle.volume, float(candle.open_ts), length)
        self.account, n = on_candle(self.account, self.book, bar, self.rules, self._rows, 0)
        fills = [fill_of(self._rows[i], self.series, candle.open_ts) for i in range(n)]
        orders = changes(before, self.book, fills, self.series, candle.open_ts)
        self._known.update(number_of(order.id) for order in orders)
        for fill in fills:
            self._tell(fill)
        for order in orders:
            self._tell(OrderEvent(order))
        return Matched(fills, orders)

    def _tell(self, event: OrderEvent | Fill) -> None:
        for queue in self._listeners:
            queue.put_nowait(event)


def changes(before: Floats, book: Floats, fills: Sequence[Fill], series: BotMarket, ts: Micros) -> list[Order]:
    """The orders that are not as they were: filled, cancelled, new or amended, oldest first."""
    was = {int(row[col.ID]): row for row in before}
    now = {int(row[col.ID]): row for row in col.resting(book)}
    changed: dict[int, Order] = {}
    for number, row in was.items():
        if number not in now:
            changed[number] = order_of(row, series, OrderStatus.CANCELLED, ts)
    for number, row in now.items():
        if number not in was or not np.array_equal(was[number], row, equal_nan=True):
            changed[number] = order_of(row, series, OrderStatus.OPEN, ts)
    for fill in fills:
        number = number_of(fill.order_id)
        order = changed.get(number) or order_behind(fill)
        changed[number] = msgspec.structs.replace(order, status=OrderStatus.FILLED, filled_qty=fill.qty)
    return [changed[number] for number in sorted(changed)]
