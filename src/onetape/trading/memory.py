"""A ledger and candles in memory: for replays, and the twins that the tests hold against the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onetape.domain.frame import CandleFrame, concat
from onetape.domain.market import Candle
from onetape.domain.orders import Fill, Order, OrderStatus
from onetape.domain.signals import SignalRow
from onetape.domain.units import Micros, Timeframe
from onetape.ports import BotState

OVER: Final = (OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.REFUSED, OrderStatus.EXPIRED)


class MemoryLedger:
    """Fulfils ports.TradeStore."""

    def __init__(self) -> None:
        self.signals: dict[tuple[str, Micros], tuple[SignalRow, str]] = {}
        self.orders: dict[str, Order] = {}
        self.fills: dict[tuple[str, str], Fill] = {}
        self.marks: dict[tuple[str, Micros], BotState] = {}
        self.states: dict[str, BotState] = {}

    async def plan(
        self, bot: str, ts: Micros, signal: SignalRow | None, orders: Sequence[Order], state: BotState, reason: str = ""
    ) -> None:
        if signal is not None and (bot, ts) not in self.signals:
            self.signals[bot, ts] = (signal, reason)
        self._put(orders)
        self.states[bot] = state

    def _put(self, orders: Sequence[Order]) -> None:
        """An order that is over stays over."""
        for order in orders:
            if order.id not in self.orders or self.orders[order.id].status not in OVER:
                self.orders[order.id] = order

    async def moved(self, order: Order) -> None:
        self._put([order])

    async def filled(self, bot: str, fills: Sequence[Fill], orders: Sequence[Order], state: BotState) -> int:
        new = {(fill.id, fill.order_id): fill for fill in fills if (fill.id, fill.order_id) not in self.fills}
        self.fills.update(new)
        self._put(orders)
        self.states[bot] = state
        return len(new)

    async def mark(self, bot: str, ts: Micros, state: BotState) -> None:
        self.marks[bot, ts] = state
        self.states[bot] = state

    async def restore(self, bot: str) -> BotState | None:
        return self.states.get(bot)


class MemoryCandles:
    """The reading half of ports.CandleStore over frames, for replays; `add` shows one more candle."""

    def __init__(self, *frames: CandleFrame) -> None:
        self._frames = {(f.exchange, f.symbol, f.timeframe): f for f in frames}

    def add(self, candle: Candle) -> None:
        frame = CandleFrame.from_candles([candle])
        key = (frame.exchange, frame.symbol, frame.timeframe)
        self._frames[key] = concat([self._frames[key], frame]) if key in self._frames else frame

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame:
        empty = CandleFrame.empty(exchange, symbol, timeframe)
        return self._frames.get((exchange, symbol, timeframe), empty).between(start_ts, end_ts)

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame:
        return (await self.load(exchange, symbol, timeframe, None, before_ts)).tail(n)
