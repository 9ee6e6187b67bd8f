"""What every bus must do: the one in memory and the one over Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from onetape.bus.memory import MemoryBus
from onetape.bus.redis import RedisBus
from onetape.domain import topics
from onetape.domain.market import Candle, Corrected, Drained, Quote
from onetape.domain.orders import Fill, Role, Side
from onetape.domain.topics import Note
from onetape.ports import Bus, Message, Resync

CANDLE = Candle("okx", "BTC-USDT", "1m", 60_000_000, 120_000_000, 1.5, 2.5, 0.5, 2.0, 10.0)
TOPIC = topics.candle("okx", "BTC-USDT", "1m")


@pytest.fixture(params=["memory", "redis"])
def address(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue("redis_url") if request.param == "redis" else ""


@pytest.fixture
async def bus(address: str) -> AsyncIterator[Bus]:
    made: Bus = RedisBus(address) if address else MemoryBus()
    yield made
    await made.close()


async def soon(messages: AsyncIterator[Message | Resync]) -> Message | Resync:
    return await asyncio.wait_for(anext(messages), 5)


async def listen(bus: Bus, *patterns: str) -> AsyncIterator[Message | Resync]:
    messages = bus.subscribe(*patterns)
    assert await soon(messages) == Resync()
    return messages


async def test_a_listener_is_told_to_resync_first_and_then_gets_what_was_published(bus: Bus) -> None:
    messages = await listen(bus, TOPIC)
    bus.publish(TOPIC, CANDLE)
    assert await soon(messages) == Message(TOPIC, CANDLE)
    await messages.aclose()


async def test_who_follows_candles_as_a_bot_does_hears_of_no_correction(bus: Bus) -> None:
    bot, page = await listen(bus, TOPIC), await listen(bus, "*")
    told = Corrected("okx", "BTC-USDT", "1m", 60_000_000, 120_000_000)
    bus.publish(topics.corrected("okx", "BTC-USDT", "1m"), told)
    bus.publish(topics.drained("okx"), Drained("okx"))
    bus.publish(TOPIC, CANDLE)
    assert await soon(bot) == Message(TOPIC, CANDLE)
    assert [message.body for message in [await soon(page) for _ in range(3)] if isinstance(message, Message)] == [
        told,
        Drained("okx"),
        CANDLE,
    ]
    await bot.aclose()
    await page.aclose()


async def test_messages_of_one_topic_keep_their_order(bus: Bus) -> None:
    messages = await listen(bus, topics.fill("*"))
    fills = [
        Fill(
            id=str(i), bot="b", order_id="b-1", exchange="okx", symbol="X-Y", ts=i, side=Side.SELL, qty=1.0, price=2.0,
            fee=0.1, role=Role.EXIT,
        )
        for i in range(200)
    ]  # fmt: skip
    for fill in fills:
        bus.publish(topics.fill("b"), fill)
    assert [(await soon(messages)).body for _ in fills] == fills
    await messages.aclose()


async def test_patterns_choose_the_topics(bus: Bus) -> None:
    messages = await listen(bus, topics.candle("okx", "*", "1m"), topics.CONTROL)
    bus.publish(topics.candle("okx", "ETH-USDT", "5m"), CANDLE)
    bus.publish(topics.candle("kraken", "ETH-USDT", "1m"), CANDLE)
    bus.publish(topics.candle("okx", "ETH-USDT", "1m"), CANDLE)
    bus.publish(topics.CONTROL, Note("start", {"bot": "b"}))
    assert (await soon(messages)).topic == "candle:okx:ETH-USDT:1m"
    assert await soon(messages) == Message("control", Note("start", {"bot": "b"}))
    await messages.aclose()


async def test_a_message_that_matches_two_patterns_comes_once(bus: Bus) -> None:
    messages = await listen(bus, "candle:*", TOPIC)
    bus.publish(TOPIC, CANDLE)
    bus.publish("candle:end", CANDLE)
    assert [(await soon(messages)).topic, (await soon(messages)).topic] == [TOPIC, "candle:end"]
    await messages.aclose()


async def test_every_listener_gets_every_message(bus: Bus) -> None:
    first, second = await listen(bus, "*"), await listen(bus, "candle:*")
    bus.publish(TOPIC, CANDLE)
    assert await soon(first) == await soon(second) == Message(TOPIC, CANDLE)
    await first.aclose()
    await second.aclose()


async def test_the_newest_quote_always_arrives(bus: Bus) -> None:
    messages = await listen(bus, "quote:*")
    for i in range(1_000):
        bus.publish("quote:okx:X-Y", Quote("okx", "X-Y", i, 1.0, 1.0, 2.0, 1.0, 1.5))
    while (await soon(messages)).body.ts != 999:
        pass
    await messages.aclose()


async def test_closing_ends_the_subscriptions(bus: Bus) -> None:
    messages = await listen(bus, "*")
    rest = asyncio.ensure_future(anext(messages, None))
    await asyncio.sleep(0)
    await bus.close()
    assert await asyncio.wait_for(rest, 30) is None


async def test_an_unknown_struct_is_a_bug_of_the_caller(bus: Bus) -> None:
    with pytest.raises(TypeError, match="Resync is not known to the bus"):
        bus.publish("x", Resync())
