"""Every broker: an order is there or certainly not, the same id is the same order, and events tell what happened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Rules, Sizing, Terms
from onetape.domain.errors import Refused
from onetape.domain.market import Candle
from onetape.domain.orders import Fill, Order, OrderEvent, OrderKind, OrderStatus, Role, Side
from onetape.ports import Broker
from onetape.trading.rows import BotMarket
from onetape.trading.sim_broker import SimBroker

RULES = Rules(Costs(0.0, 0.0, 0.0), Sizing(), RiskLimits(), Exits(), Terms(tick=0.5, lot=0.001))
MINUTE = 60_000_000
Trade = Callable[[float, float, float, float], None]  # the market trades: open, high, low, close of a minute


class Bench:
    """A broker, the market it stands on, and what it told."""

    def __init__(self) -> None:
        self.sim = SimBroker(BotMarket("b", "t", "A-B"), RULES, Account(cash=10_000.0, peak=10_000.0))
        self.broker: Broker = self.sim
        self.told: list[Any] = []
        self._ts = 0
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self.broker.events():
            self.told.append(event)

    async def market(self, open_: float, high: float, low: float, close: float) -> None:
        self.sim.match(Candle("t", "A-B", "1m", self._ts, self._ts + MINUTE, open_, high, low, close, 1.0))
        self._ts += MINUTE
        await self.settled()

    async def settled(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    async def close(self) -> None:
        self._listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listener

    @property
    def fills(self) -> list[Fill]:
        return [event for event in self.told if isinstance(event, Fill)]

    @property
    def statuses(self) -> list[tuple[str, OrderStatus]]:
        return [(event.order.id, event.order.status) for event in self.told if isinstance(event, OrderEvent)]


@pytest.fixture
async def bench() -> Any:
    found = Bench()
    await found.settled()
    yield found
    await found.close()


def order(number: int, kind: OrderKind, side: Side, qty: float, price: float = 0.0, **more: Any) -> Order:
    role = more.pop("role", Role.ENTRY)
    return Order(
        id=f"b-{number}",
        bot="b",
        exchange="t",
        symbol="A-B",
        kind=kind,
        side=side,
        role=role,
        qty=qty,
        price=price,
        **more,
    )


async def test_a_market_order_fills_and_changes_the_balances(bench: Bench) -> None:
    await bench.broker.submit(order(1, OrderKind.MARKET, Side.BUY, 2.0))
    await bench.market(100.0, 101.0, 99.0, 100.5)
    assert [(fill.order_id, fill.qty, fill.price) for fill in bench.fills] == [("b-1", 2.0, 100.0)]
    assert bench.statuses == [("b-1", OrderStatus.OPEN), ("b-1", OrderStatus.FILLED)]
    held = await bench.broker.snapshot()
    assert held.positions == {"A-B": 2.0}
    assert held.balances["B"] == 10_000.0 - 200.0
    assert held.orders == ()


async def test_the_same_id_is_the_same_order(bench: Bench) -> None:
    for _ in range(2):
        await bench.broker.submit(order(1, OrderKind.MARKET, Side.BUY, 2.0))
    assert len((await bench.broker.snapshot()).orders) == 1
    await bench.market(100.0, 101.0, 99.0, 100.5)
    await bench.broker.submit(order(1, OrderKind.MARKET, Side.BUY, 2.0))
    await bench.market(100.0, 101.0, 99.0, 100.5)
    assert len(bench.fills) == 1


async def test_a_limit_rests_until_the_market_trades_through_it(bench: Bench) -> None:
    await bench.broker.submit(order(1, OrderKind.LIMIT, Side.BUY, 1.0, 95.0))
    await bench.market(100.0, 101.0, 96.0, 100.0)
    assert [resting.id for resting in (await bench.broker.snapshot()).orders] == ["b-1"]
    await bench.market(100.0, 100.0, 94.0, 96.0)
    assert [(fill.price, fill.maker) for fill in bench.fills] == [(95.0, True)]


async def test_a_cancelled_order_never_fills_and_cancelling_again_is_fine(bench: Bench) -> None:
    resting = order(1, OrderKind.LIMIT, Side.BUY, 1.0, 95.0)
    await bench.broker.submit(resting)
    await bench.broker.cancel(resting)
    await bench.broker.cancel(resting)
    await bench.market(100.0, 100.0, 90.0, 96.0)
    assert bench.fills == []
    assert bench.statuses == [("b-1", OrderStatus.OPEN), ("b-1", OrderStatus.CANCELLED)]


async def test_an_entry_brings_its_exits_and_the_stop_cancels_the_take(bench: Bench) -> None:
    # entry at 100: stop 2 % below at 98, take 3 % above at 103; the next minute touches the stop
    await bench.broker.submit(order(1, OrderKind.MARKET, Side.BUY, 1.0, stop=0.02, take=0.03))
    await bench.market(100.0, 101.0, 99.0, 100.0)
    resting = {(o.role, o.price) for o in (await bench.broker.snapshot()).orders}
    assert resting == {(Role.STOP_LOSS, 98.0), (Role.TAKE_PROFIT, 103.0)}
    await bench.market(100.0, 101.0, 97.0, 97.5)
    assert [(fill.role, fill.price, fill.realised) for fill in bench.fills[1:]] == [(Role.STOP_LOSS, 98.0, -2.0)]
    assert (await bench.broker.snapshot()).orders == ()
    assert dict(bench.statuses)["b-3"] is OrderStatus.CANCELLED


async def test_nonsense_is_refused_and_leaves_no_trace(bench: Bench) -> None:
    for wrong in (
        order(1, OrderKind.MARKET, Side.BUY, 0.0),
        msgspec.structs.replace(order(1, OrderKind.MARKET, Side.BUY, 1.0), symbol="C-D"),
    ):
        with pytest.raises(Refused):
            await bench.broker.submit(wrong)
    assert (await bench.broker.snapshot()).orders == ()


async def test_the_seventeenth_resting_order_is_refused(bench: Bench) -> None:
    for number in range(1, 17):
        await bench.broker.submit(order(number, OrderKind.LIMIT, Side.BUY, 0.001, 50.0))
    with pytest.raises(Refused, match="16"):
        await bench.broker.submit(order(17, OrderKind.LIMIT, Side.BUY, 0.001, 50.0))
    assert len((await bench.broker.snapshot()).orders) == 16
