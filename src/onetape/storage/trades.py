"""The ledger in PostgreSQL: intents, orders, fills, marks, and the state of each bot in the same transaction.

Knows asyncpg's pool and the SQL beside it. Commits here are always durable (`synchronous_commit` stays on).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from onetape.domain.accounts import Account
from onetape.domain.orders import Fill, Order
from onetape.domain.signals import SignalRow
from onetape.domain.units import Micros
from onetape.ports import BotState
from onetape.storage import sql
from onetape.storage.pool import reading, transaction

_SIGNAL_TYPES = {1: "buy", -1: "sell", 0: "flat"}


class PgTradeStore:
    """Fulfils ports.TradeStore."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def plan(
        self, bot: str, ts: Micros, signal: SignalRow | None, orders: Sequence[Order], state: BotState, reason: str = ""
    ) -> None:
        async with transaction(self._pool) as connection:
            if signal is not None:
                await connection.execute(sql.load("signal_put"), bot, ts, *_signal_values(signal, state.price), reason)
            await _put_orders(connection, orders)
            await _put_state(connection, bot, state)

    async def moved(self, order: Order) -> None:
        async with transaction(self._pool) as connection:
            await _put_orders(connection, [order])

    async def filled(self, bot: str, fills: Sequence[Fill], orders: Sequence[Order], state: BotState) -> int:
        async with transaction(self._pool) as connection:
            await _put_orders(connection, orders)
            new = 0
            for fill in fills:
                new += await connection.fetchval(sql.load("fill_put"), *_fill_values(fill)) is not None
            await _put_state(connection, bot, state)
            return new

    async def mark(self, bot: str, ts: Micros, state: BotState) -> None:
        account = state.account
        equity = account.equity(state.price)
        async with transaction(self._pool) as connection:
            await connection.execute(
                sql.load("performance_put"), bot, ts, equity, account.cash, account.qty, state.price
            )
            await _put_state(connection, bot, state)

    async def restore(self, bot: str) -> BotState | None:
        async with reading(self._pool) as connection:
            return read_state(await connection.fetchval(sql.load("bot_state_get"), bot))


def _signal_values(signal: SignalRow, price: float) -> tuple[Any, ...]:
    direction = int(math.copysign(1, signal.target)) if signal.target else 0
    rates = {name: getattr(signal, name) for name in ("stop", "take", "trail", "limit")}
    known = {name: value for name, value in rates.items() if not math.isnan(value)}
    return _SIGNAL_TYPES[direction], price, signal.confidence, signal.target, signal.tag, known


def _fill_values(fill: Fill) -> tuple[Any, ...]:
    return (
        fill.id, fill.bot, fill.order_id, fill.exchange, fill.symbol, fill.ts, int(fill.side), fill.qty, fill.price,
        fill.fee, int(fill.role), fill.maker, fill.slippage, fill.realised,
    )  # fmt: skip


async def _put_orders(connection: Any, orders: Sequence[Order]) -> None:
    for order in orders:
        await connection.execute(
            sql.load("order_put"), order.id, order.bot, order.exchange, order.symbol, int(order.kind), int(order.side),
            int(order.role), order.qty, order.price, order.reduce_only, str(order.status), order.filled_qty,
            order.reason, order.ts,
        )  # fmt: skip


async def _put_state(connection: Any, bot: str, state: BotState) -> None:
    await connection.execute(sql.load("bot_state_put"), bot, state, max(state.matched_ts, state.decided_ts))


def read_state(stored: Any) -> BotState | None:
    """From its JSON document, in which null stands for NaN."""
    if stored is None:
        return None
    account = Account(*(_number(value) for value in stored["account"]))
    book = [[_number(value) for value in row] for row in stored["book"]]
    return BotState(
        account=account,
        book=book,
        matched_ts=stored["matched_ts"],
        decided_ts=stored["decided_ts"],
        price=float(stored["price"]),
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
