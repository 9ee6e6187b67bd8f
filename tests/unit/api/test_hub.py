"""The hub: newest value wins, events are kept in order, mailboxes are bounded, a page that opens sees what is known."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from onetape.api.hub import KEPT, Hub
from onetape.bots.desk import Desk
from onetape.domain import topics
from onetape.domain.bots import BotSpec, Wish
from onetape.domain.market import Candle, Corrected, Drained, Forming, Print, Prints, Quote

TS = 1_700_000_000_000_000
SYMBOL = "okx:BTC-USD"


def quote(last: float, recv_ts: int = TS) -> Quote:
    return Quote("okx", "BTC-USD", TS, last - 1, 1.0, last + 1, 1.0, last, recv_ts)


def candle(open_ts: int) -> Candle:
    return Candle("okx", "BTC-USD", "1m", open_ts, open_ts + 60_000_000, 1.0, 2.0, 0.5, 1.5, 3.0)


def trades(*numbers: int) -> Prints:
    found = (Print("okx", "BTC-USD", str(number), TS + number, 100.0, 1.0, 1) for number in numbers)
    return Prints("okx", "BTC-USD", tuple(found))


def test_of_values_only_the_newest_is_sent(hub: Hub) -> None:
    box = hub.open(SYMBOL, bots=False)
    box.take()
    for last in (1.0, 2.0, 3.0):
        hub.on_quote(quote(last, TS + int(last)))
    taken = box.take()
    assert taken["quote"].last == 3.0
    assert taken["received"] == TS + 3
    assert box.take() == {}


def test_events_are_sent_all_and_in_order(hub: Hub) -> None:
    box = hub.open(SYMBOL, bots=False)
    for i in range(3):
        hub.on_candle(candle(TS + i * 60_000_000))
    assert [each.timestamp for each in box.take()["candles"]] == [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:14:20Z",
        "2023-11-14T22:15:20Z",
    ]


def test_a_corrected_span_is_told_to_the_pages_of_its_symbol(hub: Hub) -> None:
    box, other = hub.open(SYMBOL, bots=False), hub.open("okx:ETH-USD", bots=False)
    other.take()
    hub.handlers[Corrected](Corrected("okx", "BTC-USD", "1m", TS, TS + 60_000_000))
    (told,) = box.take()["corrected"]
    assert (told.timeframe, told.start, told.end) == ("1m", "2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z")
    assert other.take() == {}


def test_after_a_drained_spool_every_page_reads_again(hub: Hub) -> None:
    boxes = [hub.open(SYMBOL, bots=False), hub.open("", bots=True)]
    hub.handlers[Drained](Drained("okx"))
    first = [box.take()["resync"] for box in boxes]
    hub.handlers[Drained](Drained("okx"))
    assert [box.take()["resync"] for box in boxes] == [number + 1 for number in first]


def test_a_page_that_does_not_read_costs_a_bounded_mailbox(hub: Hub) -> None:
    box = hub.open(SYMBOL, bots=False)
    for i in range(10 * KEPT):
        hub.on_prints(trades(i))
    prints = box.take()["prints"]
    assert [each.id for each in prints] == [str(i) for i in range(9 * KEPT, 10 * KEPT)]


def test_of_trades_that_come_together_the_newest_are_shown_oldest_first(hub: Hub) -> None:
    box = hub.open(SYMBOL, bots=False)
    hub.on_prints(trades(*range(3)))
    hub.on_prints(trades(*range(3, 10 * KEPT)))
    newest = [str(i) for i in range(9 * KEPT, 10 * KEPT)]
    assert [each.id for each in box.take()["prints"]] == newest
    assert [each.id for each in hub.open(SYMBOL, bots=False).take()["prints"]] == newest


def test_a_page_gets_its_own_symbol_only(hub: Hub) -> None:
    box, other = hub.open(SYMBOL, bots=False), hub.open("okx:ETH-USD", bots=False)
    other.take()
    hub.on_quote(quote(5.0))
    assert "quote" in box.take()
    assert other.take() == {}


def test_a_page_that_opens_later_sees_what_is_known(hub: Hub) -> None:
    hub.on_quote(quote(7.0))
    hub.on_forming(Forming("okx", "BTC-USD", "1m", TS, 1.0, 2.0, 0.5, 1.5, 3.0))
    hub.on_prints(trades(1))
    seen = hub.open(SYMBOL, bots=False).take()
    assert seen["quote"].last == 7.0
    assert seen["forming_1m"].close == 1.5
    assert [each.id for each in seen["prints"]] == ["1"]


async def test_the_first_news_goes_at_once_and_numbers_rise(hub: Hub) -> None:
    box = hub.open(SYMBOL, bots=False)
    updates = hub.updates(box)
    first = await asyncio.wait_for(anext(updates), 30)
    hub.on_quote(quote(1.0))
    second = await asyncio.wait_for(anext(updates), 30)
    assert (first["seq"], second["seq"], second["quote"].last) == (1, 2, 1.0)
    await updates.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("turns", range(5))
async def test_a_page_that_closes_as_news_arrives_ends_its_updates(hub: Hub, turns: int) -> None:
    """Whichever turn of the loop the two fall into, the cancellation is not lost."""
    box = hub.open(SYMBOL, bots=False)
    box.take()
    box.ready.clear()

    async def serve() -> None:
        async for _ in hub.updates(box, idle=0.05):
            heard.set()

    heard = asyncio.Event()
    serving = asyncio.create_task(serve())
    await asyncio.sleep(0.01)
    hub.on_quote(quote(1.0))
    for _ in range(turns):
        await asyncio.sleep(0)
    serving.cancel()
    done, _ = await asyncio.wait([serving], timeout=30)
    serving.cancel()
    assert done


async def test_a_bot_made_anywhere_appears_and_a_deleted_one_goes(hub: Hub, desk: Desk) -> None:
    box = hub.open("", bots=True)
    spec = BotSpec(name="b", exchange="okx", symbol="BTC-USD", timeframe="1m", strategy="sma_cross")
    running = asyncio.create_task(hub.run())

    async def news() -> dict[str, Any]:
        while "bots" not in box.values:
            box.ready.clear()
            await asyncio.wait_for(box.ready.wait(), 30)
        bots: dict[str, Any] = box.take()["bots"]
        return bots

    try:
        while not hub.synced:
            await asyncio.sleep(0)
        await desk.bots.put(spec)
        desk.bus.publish(topics.CONTROL, Wish("b"))
        assert (await news())["b"].status == "stopped"
        await desk.bots.delete("b")
        desk.bus.publish(topics.CONTROL, Wish("b"))
        assert (await news())["b"] is None
        assert hub.bots == {}
    finally:
        running.cancel()
