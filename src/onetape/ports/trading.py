"""Bots, orders and the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from onetape.domain.accounts import Account
from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.orders import Fill, Order, OrderEvent
from onetape.domain.signals import SignalRow
from onetape.domain.units import Micros

if TYPE_CHECKING:  # loading the gate would load the kernels
    from onetape.strategies.gate import GateReport


class Holdings(msgspec.Struct, frozen=True):
    """What a venue says an account has: balances by currency, signed positions by symbol, open orders."""

    balances: dict[str, float]
    positions: dict[str, float]
    orders: tuple[Order, ...]


class Broker(Protocol):
    """Where orders go."""

    async def submit(self, order: Order) -> None:
        """Returns when the venue has it. Refused: it surely has not. Transient: nobody knows. Same id, same order."""
        ...

    async def cancel(self, order: Order) -> None: ...

    def events(self) -> AsyncIterator[OrderEvent | Fill]: ...

    async def snapshot(self) -> Holdings: ...


class BotState(msgspec.Struct, frozen=True, kw_only=True):
    """All that a bot must remember to go on where it was: the fold of its tape up to `matched_ts`.

    `book` are the resting orders as rows of numbers (core.state). `matched_ts` and `decided_ts` are the close times of
    the last fill candle matched and of the last strategy candle decided on.
    """

    account: Account
    book: list[list[float]]
    matched_ts: Micros
    decided_ts: Micros
    price: float

    def shown(self, view: BotView) -> BotView:
        """The view of a bot with the numbers of this state."""
        account = self.account
        return msgspec.structs.replace(
            view,
            cash=account.cash,
            qty=account.qty,
            entry_price=account.entry_price,
            price=self.price,
            equity=account.equity(self.price),
            realised=account.realised,
            fees=account.fees,
            candle_ts=self.decided_ts,
        )


class TradeStore(Protocol):
    """The ledger. Each method is one durable transaction."""

    async def plan(
        self, bot: str, ts: Micros, signal: SignalRow | None, orders: Sequence[Order], state: BotState, reason: str = ""
    ) -> None:
        """Intent before act: the signal and its orders (planned, or cancelled ones with that status), and the state.

        `reason` says why the signal led to no order.
        """
        ...

    async def moved(self, order: Order) -> None: ...

    async def filled(self, bot: str, fills: Sequence[Fill], orders: Sequence[Order], state: BotState) -> int:
        """All that one candle (or one message of a venue) did: fills, orders as they now are, and the state, together.

        Gives how many fills were new; one already known is not counted again.
        """
        ...

    async def mark(self, bot: str, ts: Micros, state: BotState) -> None:
        """The equity at a close (bot_performance) and the state."""
        ...

    async def restore(self, bot: str) -> BotState | None: ...


class GateStore(Protocol):
    """What the gate found, by `Registry.proof_key`: one proof serves every process and every start."""

    async def load(self) -> dict[str, GateReport]: ...

    async def put(self, key: str, report: GateReport) -> None: ...


class BotStore(Protocol):
    """Bots and what people wish of them."""

    async def put(self, spec: BotSpec) -> None:
        """Creates the bot, or replaces its spec while it is stopped. Raises Conflict."""
        ...

    async def wish(self, name: str, status: BotStatus) -> None: ...

    async def report(self, name: str, status: BotStatus, reason: str = "") -> None: ...

    async def list(self) -> list[BotView]: ...

    async def get(self, name: str) -> BotView:
        """Raises NotFound."""
        ...

    async def delete(self, name: str) -> None:
        """A bot that is stopped, or wished to be; its ledger rows stay. Raises NotFound, Conflict."""
        ...
