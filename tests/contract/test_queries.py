"""Reads for people on a real PostgreSQL: pages join without overlap, filters hold, the curve is thinned to its ends."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from onetape.domain.accounts import Account
from onetape.domain.bots import BotSpec
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.market import NONE_THERE, Candle, Gap
from onetape.domain.orders import Fill, Order, OrderKind, Role, Side
from onetape.domain.signals import SignalRow
from onetape.domain.units import MINUTE
from onetape.ports import BotState, GapView, Only, OnlyGaps, OnlySeries, Verdict
from onetape.storage.audit import PgAuditStore
from onetape.storage.bots import PgBotStore
from onetape.storage.candles import PgCandleStore
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


async def gaps(pool: Any) -> None:
    """Six minutes of holes in candles, the first one filled, the second the venue's own; and one in the trades."""
    store = PgCandleStore(pool)
    holes = [Gap("okx", "A-B", "candles:1m", TS + i * MINUTE, TS + (i + 1) * MINUTE, f"cause {i}") for i in range(6)]
    await store.add_gaps([*holes, Gap("okx", "C-D", "trades", TS, TS + MINUTE, "line cut")])
    await store.close_gaps(holes[:1], "imported")
    await store.close_gaps(holes[1:2], NONE_THERE)


async def test_gaps_come_latest_first_with_how_they_were_closed(pool: Any) -> None:
    await gaps(pool)
    queries, seen, before = PgQueries(pool), [], ""
    while True:
        rows, before = await queries.gaps(OnlyGaps(limit=3, before=before))
        seen += rows
        if not before:
            break
    assert len({row.id for row in seen}) == 7
    assert [row.start_ts for row in seen] == sorted((row.start_ts for row in seen), reverse=True)
    by_cause = {row.cause: row for row in seen}
    assert (by_cause["cause 0"].closed_how, by_cause["cause 5"].closed_how) == ("imported", "")
    assert by_cause["cause 0"].closed_ts > TS
    assert (by_cause["cause 5"].closed_ts, by_cause["cause 5"].noted_ts > TS) == (0, True)
    count = {key: len((await queries.gaps(only))[0]) for key, only in {
        "open": OnlyGaps(open=True), "closed": OnlyGaps(open=False), "trades": OnlyGaps(channel="trades"),
        "A-B": OnlyGaps(symbol="A-B", exchange="okx"), "none": OnlyGaps(exchange="kraken"),
    }.items()}  # fmt: skip
    assert count == {"open": 5, "closed": 2, "trades": 1, "A-B": 6, "none": 0}
    with pytest.raises(BadInput, match="not a cursor"):
        await queries.gaps(OnlyGaps(before="x"))


async def test_holes_of_candles_are_those_that_are_open_and_those_that_the_venue_has(pool: Any) -> None:
    await gaps(pool)
    queries = PgQueries(pool)
    assert [(row.cause, row.closed_how) for row in await queries.holes()] == [
        ("cause 1", NONE_THERE), ("cause 2", ""), ("cause 3", ""), ("cause 4", ""), ("cause 5", ""),
    ]  # fmt: skip
    span = (TS + 3 * MINUTE, TS + 5 * MINUTE)
    assert [row.cause for row in await queries.holes(*span)] == ["cause 3", "cause 4"]


def minutes(*holes: GapView) -> list[tuple[int, int, str]]:
    return [((hole.start_ts - TS) // MINUTE, (hole.end_ts - TS) // MINUTE, hole.cause) for hole in holes]


async def test_holes_that_are_nearer_than_a_cell_of_their_series_come_as_one(pool: Any) -> None:
    """Of 101 minutes every second one is without a trade, and once nine could not be fetched."""
    flat = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * 51)
    frame = CandleFrame.of("okx", "A-B", "1m", {"ts": [TS + i * MINUTE for i in range(0, 102, 2)], **flat})
    store, queries = PgCandleStore(pool), PgQueries(pool)
    await store.append(frame)
    series = ("okx", "A-B", "candles:1m")
    none = [Gap(*series, TS + i * MINUTE, TS + (i + 1) * MINUTE, "no trade") for i in range(1, 100, 2)]
    await store.close_gaps(none, NONE_THERE)
    await store.add_gaps([Gap(*series, TS + 41 * MINUTE, TS + 50 * MINUTE, "line cut")])
    assert len(await queries.holes()) == 54
    assert minutes(*await queries.holes(cells=50)) == [(1, 100, "no trade"), (42, 49, "line cut")]
    assert minutes(*await queries.holes(TS + 50 * MINUTE, None, 25)) == [(51, 100, "no trade")]  # a cell of 2 minutes
    assert len(await queries.holes(cells=200)) == 54  # a cell of half a minute


async def test_differences_and_corrections_come_newest_first_in_pages(pool: Any) -> None:
    numbers = [1.0, 2.0, 1.0, 2.0, 3.0, 6.0]
    judged = [
        Verdict("t", name, "1m", TS + i * MINUTE, "price", numbers, []) for i in range(3) for name in ("A-B", "C-D")
    ]
    await PgAuditStore(pool).judged(judged)
    queries = PgQueries(pool)
    seen, before = [], ""
    for size in (4, 2):
        page, before = await queries.differences(OnlySeries(limit=4, before=before))
        assert len(page) == size
        seen += page
    assert (before, seen) == ("", sorted(judged, key=lambda v: (v.open_ts, v.symbol), reverse=True))
    only, _ = await queries.differences(OnlySeries(symbol="C-D", timeframe="1m", limit=1))
    assert only == [judged[-1]]
    with pytest.raises(BadInput, match="not a cursor"):
        await queries.differences(OnlySeries(before="1.t"))

    store = PgCandleStore(pool)
    for close in (2.0, 2.5, 3.0):  # final, and changed twice
        rows = [Candle("t", "A-B", "1m", TS + i * MINUTE, TS + (i + 1) * MINUTE, 1, 3, 1, close, 3) for i in range(2)]
        await store.append(CandleFrame.from_candles(rows))
    found, before = await queries.corrections(OnlySeries(limit=3))
    rest, end = await queries.corrections(OnlySeries(limit=3, before=before))
    changes = [(one.open_ts - TS, one.before[3], one.after[3]) for one in [*found, *rest]]
    assert {change[1:] for change in changes[:2]} == {(2.5, 3.0)}
    assert {change[1:] for change in changes[2:]} == {(2.0, 2.5)}
    assert (len(changes), end) == (4, "")
    assert await queries.corrections(OnlySeries(symbol="C-D")) == ([], "")
