"""Orders and fills, as the ledger and people see them. Inside the kernels an order is a row of numbers (core.state)."""

from __future__ import annotations

import enum

import msgspec

from onetape.domain.units import Micros, Money, Price, Qty, Rate


class Side(enum.IntEnum):
    BUY = 1
    SELL = -1


class OrderKind(enum.IntEnum):
    """How an order waits. The numbers are those of the kernels and of stored rows: never reuse one."""

    MARKET = 1
    LIMIT = 2
    STOP = 3  # takes the market when its trigger is touched
    STOP_LIMIT = 4  # becomes a limit when its trigger is touched
    TOUCH = 5  # takes the market when a price better than now is touched: a take-profit at the market


class Role(enum.IntEnum):
    """Why an order exists. The numbers are those of the kernels and of stored rows: never reuse one."""

    ENTRY = 1  # opens or enlarges, by signal
    EXIT = 2  # closes or reduces, by signal
    STOP_LOSS = 3
    TAKE_PROFIT = 4
    TRAILING = 5
    HALT = 6  # closes because a limit was reached or a person said so
    LIQUIDATION = 7  # the venue closes a position whose margin is used up


class OrderStatus(enum.StrEnum):
    PLANNED = "planned"
    SENT = "sent"
    OPEN = "open"
    PARTLY = "partly"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is our client id, unique for ever: `{bot}-{number}`; same id, same order. Price is the limit or trigger.

    `stop`, `take` and `trail` are the rates of the protective exits that an entry brings with it, None = none; on a
    trailing order `trail` is its own rate.
    """

    id: str
    bot: str
    exchange: str
    symbol: str
    kind: OrderKind
    side: Side
    role: Role
    qty: Qty
    price: Price = 0.0
    reduce_only: bool = False
    status: OrderStatus = OrderStatus.PLANNED
    filled_qty: Qty = 0.0
    reason: str = ""
    ts: Micros = 0
    stop: Rate | None = None
    take: Rate | None = None
    trail: Rate | None = None


class OrderEvent(msgspec.Struct, frozen=True, tag="order"):
    order: Order


class Fill(msgspec.Struct, frozen=True, kw_only=True, tag="fill"):
    """`id` is the venue's trade id: a fill already known is never counted again. Fee positive = paid."""

    id: str
    bot: str
    order_id: str
    exchange: str
    symbol: str
    ts: Micros
    side: Side
    qty: Qty
    price: Price
    fee: Money
    role: Role
    maker: bool = False
    slippage: Money = 0.0
    realised: Money = 0.0
