"""Every store of bots: specs, wishes, reports, and what may not be changed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from onetape.bots.memory import MemoryBotStore
from onetape.domain.accounts import Account
from onetape.domain.bots import BotSpec, BotStatus, LimitsSpec
from onetape.domain.errors import Conflict, NotFound
from onetape.domain.orders import Order, OrderKind, Role, Side
from onetape.ports import BotState, BotStore, TradeStore
from onetape.storage.bots import PgBotStore
from onetape.storage.pool import open_pool
from onetape.storage.trades import PgTradeStore
from onetape.trading.memory import MemoryLedger

SPEC = BotSpec(
    name="trend",
    exchange="okx",
    symbol="BTC-USDT",
    timeframe="1h",
    strategy="ema_cross",
    parameters={"fast": 5},
    limits=LimitsSpec(stop=0.02),
)
STATE = BotState(account=Account(cash=10_500.0, fees=3.0), book=[], matched_ts=7, decided_ts=6, price=2.0)
ORDER = Order(
    id="trend-1",
    bot="trend",
    exchange="okx",
    symbol="BTC-USDT",
    kind=OrderKind.MARKET,
    side=Side.BUY,
    role=Role.ENTRY,
    qty=1.0,
    ts=1,
)


@pytest.fixture(params=["memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "memory" else str(request.getfixturevalue("database_url"))


@pytest.fixture
async def stores(url: str) -> AsyncIterator[tuple[BotStore, TradeStore]]:
    if not url:
        ledger = MemoryLedger()
        yield MemoryBotStore(ledger), ledger
        return
    pool = await open_pool(url)
    yield PgBotStore(pool), PgTradeStore(pool)
    await pool.close()


async def test_a_new_bot_is_stopped_and_owns_its_capital(stores: tuple[BotStore, TradeStore]) -> None:
    bots, _ = stores
    await bots.put(SPEC)
    view = await bots.get("trend")
    assert view.spec == SPEC
    assert (view.status, view.wanted, view.equity) == (BotStatus.STOPPED, BotStatus.STOPPED, 10_000.0)
    assert [found.spec.name for found in await bots.list()] == ["trend"]


async def test_wish_and_report_are_two_things(stores: tuple[BotStore, TradeStore]) -> None:
    bots, _ = stores
    await bots.put(SPEC)
    await bots.wish("trend", BotStatus.RUNNING)
    assert (await bots.get("trend")).status is BotStatus.STOPPED
    await bots.report("trend", BotStatus.HALTED, "too deep")
    view = await bots.get("trend")
    assert (view.status, view.wanted, view.reason) == (BotStatus.HALTED, BotStatus.RUNNING, "too deep")


async def test_the_view_shows_what_the_ledger_says(stores: tuple[BotStore, TradeStore]) -> None:
    bots, ledger = stores
    await bots.put(SPEC)
    await ledger.mark("trend", 6, STATE)
    view = await bots.get("trend")
    assert (view.cash, view.fees, view.price, view.candle_ts) == (10_500.0, 3.0, 2.0, 6)


async def test_an_unknown_bot_is_not_found(stores: tuple[BotStore, TradeStore]) -> None:
    bots, _ = stores
    for work in (bots.get("nobody"), bots.wish("nobody", BotStatus.RUNNING), bots.delete("nobody")):
        with pytest.raises(NotFound, match="nobody"):
            await work
    await bots.report("nobody", BotStatus.RUNNING)  # it may have been deleted meanwhile


async def test_a_running_bot_keeps_its_spec(stores: tuple[BotStore, TradeStore]) -> None:
    bots, _ = stores
    await bots.put(SPEC)
    await bots.wish("trend", BotStatus.RUNNING)
    with pytest.raises(Conflict, match="trend"):
        await bots.put(msgspec.structs.replace(SPEC, timeframe="4h"))
    assert (await bots.get("trend")).spec == SPEC


async def test_a_stopped_bot_takes_new_parameters_but_keeps_its_account(stores: tuple[BotStore, TradeStore]) -> None:
    bots, ledger = stores
    await bots.put(SPEC)
    await ledger.mark("trend", 6, STATE)
    changed = msgspec.structs.replace(SPEC, parameters={"fast": 9})
    await bots.put(changed)
    view = await bots.get("trend")
    assert (view.spec, view.cash) == (changed, 10_500.0)
    with pytest.raises(Conflict, match=r"\$\.symbol"):
        await bots.put(msgspec.structs.replace(SPEC, symbol="ETH-USDT"))


async def test_a_bot_that_is_wanted_running_cannot_be_deleted(stores: tuple[BotStore, TradeStore]) -> None:
    bots, _ = stores
    await bots.put(SPEC)
    await bots.wish("trend", BotStatus.RUNNING)
    with pytest.raises(Conflict, match="trend"):
        await bots.delete("trend")
    await bots.wish("trend", BotStatus.STOPPED)
    await bots.delete("trend")
    assert await bots.list() == []


async def test_the_name_of_a_deleted_bot_is_free_unless_orders_stand_under_it(
    stores: tuple[BotStore, TradeStore],
) -> None:
    bots, ledger = stores
    await bots.put(SPEC)
    await ledger.mark("trend", 6, STATE)
    await bots.delete("trend")
    await bots.put(SPEC)
    assert (await bots.get("trend")).cash == 10_000.0
    assert await ledger.restore("trend") is None
    await ledger.plan("trend", 6, None, [ORDER], STATE)
    await bots.delete("trend")
    with pytest.raises(Conflict, match="orders are kept"):
        await bots.put(SPEC)
