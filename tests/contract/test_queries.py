"""Reads for people on a real PostgreSQL: pages join without overlap, filters hold, the curve is thinned to its ends."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from onetape.domain.accounts import Account
from onetape.domain.bots import BotSpec
from onetape.domain.errors import BadInput
from onetape.domain.orders import Fill, Order, OrderKind, Role, Side
from onetape.domain.signals import SignalRow
from onetape.domain.units import MINUTE
from onetape.ports import BotState, Only
from onetape.storage.bots import PgBotStore
from onetape.storage.queries import PgQueries
from onetape.storage.trades import PgTradeStore

TS = 1_600_000_020_000_000
NAN = math.nan


async def ledger(pool: Any, bot: str, closes: int) -> None:
    """A bot that signals, orders and is filled at every close."""
    await PgBotStore(pool).put(BotSpec(name=bot, exchange="t", symbol="A-B", timeframe="1m", strategy="sma_cross"))
    store = PgTradeStore(pool)
    for i in range(closes):
        ts = TS + i * MINUTE
        state = BotState(account=Account(cash=100.0 + i), book=[], matched_ts=ts, decided_ts=ts, price=1.0)
        order = Order(
            id=f"{bot}-{i}", bot=bot, exchange="t", symbol="A-B", kind=OrderKind.MARKET, side=Side.BUY, role=Role.ENTRY,
            qty=1.0, ts=ts,
        )  # fmt: skip
        fill = Fill(
            id=f"{bot}-{i}-1", bot=bot, order_id=order.id, exchange="t", symbol="A-B", ts=ts, side=Side.BUY, qty=1.0,
            price=0.1, fee=0.001, role=Role.ENTRY,
        )  # fmt: skip
        await store.plan(bot, ts, SignalRow(1.0, 0.5, NAN, NAN, NAN, NAN, "rule"), [order], state)
        await store.filled(bot, [fill], [msgspec.structs.replace(order, filled_qty=1.0)], state)
        await store.mark(bot, ts, state)


@pytest.mark.parametrize("kind", ["signals", "orders", "fills"])
async def test_pages_join_newest_first_without_overlap(pool: Any, kind: str) -> None:
    await ledger(pool, "a", 5)
    await ledger(pool, "b", 2)
    ask = getattr(PgQueries(pool), kind)
    seen, before = [], ""
    while True:
        rows, before = await ask(Only(limit=3, before=before))
        seen += rows
        if not before:
            break
    assert len(seen) == 7
    assert len({(row.bot, row.ts) for row in seen}) == 7
    assert [row.ts for row in seen] == sorted((row.ts for row in seen), reverse=True)
    only, following = await ask(Only(bot="b"))
    assert ({row.bot for row in only}, len(only), following) == ({"b"}, 2, "")
    assert (await ask(Only(symbol="NO-SUCH")))[0] == []


async def test_a_wrong_cursor_and_a_wrong_limit_are_refused(pool: Any) -> None:
    queries = PgQueries(pool)
    for only, field in ((Only(before="junk"), "before"), (Only(limit=0), "limit"), (Only(limit=5000), "limit")):
        with pytest.raises(BadInput) as caught:
            await queries.signals(only)
        assert caught.value.field == field


async def test_the_curve_is_thinned_and_keeps_its_end(pool: Any) -> None:
    await ledger(pool, "a", 20)
    whole = await PgQueries(pool).equity("a")
    assert [point.equity for point in whole] == [100.0 + i for i in range(20)]
    assert whole[0].ts == TS
    thin = await PgQueries(pool).equity("a", points=5)
    assert len(thin) <= 5
    assert thin[-1] == whole[-1]
    assert await PgQueries(pool).equity("nobody") == []
