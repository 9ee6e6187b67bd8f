"""Between rows of numbers, as the kernels keep resting orders and fills, and the structs that the ledger keeps."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from onetape.core import state as col
from onetape.domain.frame import Floats
from onetape.domain.orders import Fill, Order, OrderKind, OrderStatus, Role, Side
from onetape.domain.units import Micros

_KIND_OF_ROLE: Final = {
    Role.STOP_LOSS: OrderKind.STOP,
    Role.TRAILING: OrderKind.STOP,
    Role.TAKE_PROFIT: OrderKind.LIMIT,
}


class BotMarket(NamedTuple):
    """Whose orders they are, and of what."""

    bot: str
    exchange: str
    symbol: str


def number_of(order_id: str) -> int:
    """The 17 of `trend-17`."""
    return int(order_id.rpartition("-")[2])


def _rate(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def order_of(row: Floats, series: BotMarket, status: OrderStatus, ts: Micros) -> Order:
    """The order in a row of a book."""
    return Order(
        id=f"{series.bot}-{int(row[col.ID])}",
        bot=series.bot,
        exchange=series.exchange,
        symbol=series.symbol,
        kind=OrderKind(int(row[col.KIND])),
        side=Side(int(row[col.SIDE])),
        role=Role(int(row[col.ROLE])),
        qty=float(row[col.QTY]),
        price=float(row[col.PRICE]),
        reduce_only=bool(row[col.REDUCE]),
        status=status,
        ts=ts,
        stop=_rate(row[col.STOP]),
        take=_rate(row[col.TAKE]),
        trail=_rate(row[col.TRAIL]),
    )


def row_of(order: Order) -> Floats:
    """The row of a book for an order."""
    row = col.blank_row()
    row[col.ID] = number_of(order.id)
    row[col.KIND], row[col.ROLE], row[col.SIDE] = order.kind, order.role, order.side
    row[col.QTY], row[col.PRICE], row[col.REDUCE] = order.qty, order.price, order.reduce_only
    for column, rate in ((col.STOP, order.stop), (col.TAKE, order.take), (col.TRAIL, order.trail)):
        row[column] = math.nan if rate is None else rate
    return row


def fill_of(row: Floats, series: BotMarket, ts: Micros) -> Fill:
    """The fill in a row of the kernels' report: its id is the order's and which of the order's fills it is."""
    order_id = f"{series.bot}-{int(row[col.F_ID])}"
    return Fill(
        id=f"{order_id}-{int(row[col.F_PART])}",
        bot=series.bot,
        order_id=order_id,
        exchange=series.exchange,
        symbol=series.symbol,
        ts=ts,
        side=Side(int(row[col.F_SIDE])),
        qty=float(row[col.F_QTY]),
        price=float(row[col.F_PRICE]),
        fee=float(row[col.F_FEE]),
        role=Role(int(row[col.F_ROLE])),
        maker=bool(row[col.F_MAKER]),
        slippage=float(row[col.F_SLIP]),
        realised=float(row[col.F_REALISED]),
    )


def order_behind(fill: Fill) -> Order:
    """The order of a fill that was placed and filled within one candle, so that it never stood in a book between two.

    Its trigger is the fill's price without slippage.
    """
    return Order(
        id=fill.order_id,
        bot=fill.bot,
        exchange=fill.exchange,
        symbol=fill.symbol,
        kind=_KIND_OF_ROLE.get(fill.role, OrderKind.MARKET),
        side=fill.side,
        role=fill.role,
        qty=fill.qty,
        price=fill.price - fill.side * fill.slippage / fill.qty,
        reduce_only=fill.role != Role.ENTRY,
        status=OrderStatus.OPEN,
        ts=fill.ts,
    )
