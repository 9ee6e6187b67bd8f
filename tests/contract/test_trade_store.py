"""Every ledger: intent, orders, fills and marks are kept, and what is told twice counts once."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from onetape.domain.accounts import Account
from onetape.domain.bots import BotSpec
from onetape.domain.orders import Fill, Order, OrderKind, OrderStatus, Role, Side
from onetape.domain.signals import SignalRow
from onetape.ports import BotState, Only, TradeStore
from onetape.storage.bots import PgBotStore
from onetape.storage.pool import open_pool
from onetape.storage.queries import PgQueries
from onetape.storage.trades import PgTradeStore
from onetape.trading.memory import MemoryLedger

NAN = math.nan
TS = 1_600_000_000_000_000
ORDER = Order(
    id="b-1",
    bot="b",
    exchange="t",
    symbol="A-B",
    kind=OrderKind.MARKET,
    side=Side.BUY,
    role=Role.ENTRY,
    qty=1 / 3,
    ts=TS,
)
FILL = Fill(
    id="b-1-1",
    bot="b",
    order_id="b-1",
    exchange="t",
    symbol="A-B",
    ts=TS + 60_000_000,
    side=Side.BUY,
    qty=1 / 3,
    price=0.1 + 0.2,
    fee=1e-9,
    role=Role.ENTRY,
)
SIGNAL = SignalRow(1.0, 0.75, 0.02, NAN, NAN, NAN, "rule")


def state_of(cash: float, matched_ts: int = TS, book: list[list[float]] | None = None) -> BotState:
    return BotState(account=Account(cash=cash), book=book or [], matched_ts=matched_ts, decided_ts=TS, price=1 / 3)


class Seen:
    """What is stored, whichever store it is."""

    def __init__(self, memory: MemoryLedger | None, pool: Any) -> None:
        self._memory, self._queries = memory, None if pool is None else PgQueries(pool)

    async def fills(self) -> list[tuple[Any, ...]]:
        if self._memory:
            rows = list(self._memory.fills.values())
        else:
            rows, _ = await self._queries.fills(Only(bot="b"))  # type: ignore[union-attr]
        return [(f.id, f.ts, f.qty, f.price, f.fee) for f in rows]

    async def statuses(self) -> dict[str, OrderStatus]:
        if self._memory:
            rows = list(self._memory.orders.values())
        else:
            rows, _ = await self._queries.orders(Only(bot="b"))  # type: ignore[union-attr]
        return {order.id: order.status for order in rows}

    async def signals(self) -> list[tuple[float, float, str]]:
        if self._memory:
            return [(s.target, s.confidence, why) for s, why in self._memory.signals.values()]
        rows, _ = await self._queries.signals(Only(bot="b"))  # type: ignore[union-attr]
        return [(s.target, s.confidence, s.reason) for s in rows]


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "memory" else str(request.getfixturevalue("database_url"))


@pytest.fixture
async def kept(url: str) -> AsyncIterator[tuple[TradeStore, Seen]]:
    if not url:
        ledger = MemoryLedger()
        yield ledger, Seen(ledger, None)
        return
    pool = await open_pool(url)
    await PgBotStore(pool).put(BotSpec(name="b", exchange="t", symbol="A-B", timeframe="1m", strategy="s"))
    yield PgTradeStore(pool), Seen(None, pool)
    await pool.close()


async def test_nothing_stored_restores_nothing(kept: tuple[TradeStore, Seen]) -> None:
    assert await kept[0].restore("b") is None


async def test_a_plan_keeps_signal_order_and_state_to_the_last_digit(kept: tuple[TradeStore, Seen]) -> None:
    store, seen = kept
    row = [1.0, 2.0, NAN, 0.1 + 0.2]
    await store.plan("b", TS, SIGNAL, [ORDER], state_of(0.1 + 0.2, book=[row]), "why not")
    assert await seen.signals() == [(1.0, 0.75, "why not")]
    assert await seen.statuses() == {"b-1": OrderStatus.PLANNED}
    state = await store.restore("b")
    assert state is not None
    assert state.account.cash == 0.1 + 0.2
    assert math.isnan(state.account.said)
    assert state.price == 1 / 3
    assert state.book[0][3] == 0.1 + 0.2
    assert math.isnan(state.book[0][2])


async def test_the_same_signal_again_changes_nothing(kept: tuple[TradeStore, Seen]) -> None:
    store, seen = kept
    await store.plan("b", TS, SIGNAL, [ORDER], state_of(1.0))
    await store.plan("b", TS, SIGNAL, [ORDER], state_of(1.0))
    assert len(await seen.signals()) == 1
    assert len(await seen.statuses()) == 1


async def test_second_fill_with_same_id_changes_nothing(kept: tuple[TradeStore, Seen]) -> None:
    store, seen = kept
    await store.plan("b", TS, None, [ORDER], state_of(1.0))
    filled = msgspec.structs.replace(ORDER, status=OrderStatus.FILLED, filled_qty=1 / 3)
    assert await store.filled("b", [FILL], [filled], state_of(2.0)) == 1
    assert await store.filled("b", [FILL], [filled], state_of(2.0)) == 0
    assert await seen.fills() == [("b-1-1", TS + 60_000_000, 1 / 3, 0.1 + 0.2, 1e-9)]
    state = await store.restore("b")
    assert state is not None
    assert state.account.cash == 2.0


async def test_an_order_that_is_over_stays_over(kept: tuple[TradeStore, Seen]) -> None:
    store, seen = kept
    await store.plan("b", TS, None, [ORDER], state_of(1.0))
    await store.filled("b", [FILL], [msgspec.structs.replace(ORDER, status=OrderStatus.FILLED)], state_of(1.0))
    await store.moved(msgspec.structs.replace(ORDER, status=OrderStatus.OPEN))
    await store.plan("b", TS, None, [ORDER], state_of(1.0))
    assert await seen.statuses() == {"b-1": OrderStatus.FILLED}


async def test_a_sent_order_is_open(kept: tuple[TradeStore, Seen]) -> None:
    store, seen = kept
    await store.plan("b", TS, None, [ORDER], state_of(1.0))
    await store.moved(msgspec.structs.replace(ORDER, status=OrderStatus.OPEN))
    assert await seen.statuses() == {"b-1": OrderStatus.OPEN}


async def test_a_mark_moves_the_state_and_the_same_mark_again_is_fine(kept: tuple[TradeStore, Seen]) -> None:
    store, _ = kept
    await store.mark("b", TS, state_of(1.0))
    await store.mark("b", TS, state_of(5.0, TS + 1))
    state = await store.restore("b")
    assert state is not None
    assert (state.account.cash, state.matched_ts) == (5.0, TS + 1)
