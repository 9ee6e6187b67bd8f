"""The bus over a real Valkey that goes away and comes back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from onetape.bus import redis as bus_redis
from onetape.bus.embedded import EmbeddedValkey
from onetape.bus.redis import RedisBus
from onetape.domain.errors import BadInput
from onetape.domain.market import Quote
from onetape.domain.topics import Note
from onetape.ports import Message, Resync


async def test_a_listener_is_told_after_each_absence_and_hears_again(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    bus = RedisBus(await server.start())
    messages = bus.subscribe("control")
    assert await anext(messages) == Resync()
    await server.stop()
    bus.publish("control", Note("lost"))  # nobody hears it, and nobody fails
    await server.start()
    assert await asyncio.wait_for(anext(messages), 10) == Resync()
    give_up = time.monotonic() + 10
    heard: Message | Resync = Resync()
    while heard != Message("control", Note("back")):
        assert time.monotonic() < give_up
        bus.publish("control", Note("back"))  # the publisher may need a moment to notice that the server is there
        heard = await asyncio.wait_for(anext(messages), 10)
    await messages.aclose()
    await bus.close()
    await server.stop()


async def test_without_a_server_publishing_neither_fails_nor_waits_nor_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus_redis, "LONGEST_QUEUE", 100)
    bus = RedisBus(f"unix://{tmp_path}/nobody.sock")
    for i in range(1_000):
        bus.publish("control", Note("x"))
        bus.publish("quote:okx:X-Y", Quote("okx", "X-Y", i, 1.0, 1.0, 1.0, 1.0, 1.0))
    assert len(bus._waiting) == 100
    assert bus.dropped >= 900  # of 1,000 notes at most 100 wait; quotes may have been pushed out between them
    await bus.close()


async def test_what_waits_is_sent_before_closing(redis_url: str) -> None:
    listener, bus = RedisBus(redis_url), RedisBus(redis_url)
    messages = listener.subscribe("*")
    assert await anext(messages) == Resync()
    bus.publish("control", Note("last"))
    await bus.close()
    assert await asyncio.wait_for(anext(messages), 5) == Message("control", Note("last"))
    await messages.aclose()
    await listener.close()


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="ONETAPE_REDIS_URL"):
        RedisBus("http://localhost:1")
