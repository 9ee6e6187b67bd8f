"""The collector fed through the library: the same candles without a hole, whatever happens to the connection, and
messages that make them again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import numpy as np

from onetape.bus.memory import MemoryBus
from onetape.clock import RealClock
from onetape.domain.market import Candle
from onetape.domain.units import Timeframe
from onetape.exchanges.ccxt.decoding import decoder
from onetape.marketdata.collector import Collector, wants_for
from onetape.ports import Message
from onetape.storage.candles import PgCandleStore
from onetape.storage.raw import PgRawStore
from tests.contract.feeds import SYMBOL, okx_wire, tape, through_ccxt

M1 = Timeframe.parse("1m")


async def test_candles_are_collected_whole_through_a_cut_and_their_messages_make_them_again(pool: Any) -> None:
    venue = okx_wire()
    await venue.start()
    feed, candles, raw, bus = through_ccxt(venue), PgCandleStore(pool), PgRawStore(pool), MemoryBus()
    collector = Collector(feed, candles, raw, bus, RealClock(), wants_for([SYMBOL], []), depth=lambda _: 300)
    running = asyncio.create_task(collector.run())
    told: list[Candle] = []
    async with asyncio.timeout(30), aclosing(bus.subscribe("candle:okx:*:1m")) as messages:  # type: ignore[type-var]
        async for message in messages:
            if isinstance(message, Message):
                told.append(message.body)
                if len(told) == 4:
                    venue.drop_connections()
                if len(told) >= 10:
                    break
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await feed.close()
    await venue.stop()
    stored = await candles.load("okx", SYMBOL, M1, None, None)
    expected = tape().between(int(stored.ts[0]), int(stored.ts[-1]) + 1)
    assert stored.gaps() == []
    for name in ("ts", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(stored, name), getattr(expected, name)), name
    decode = decoder("okx")
    made = 0
    async for page in raw.read("okx", SYMBOL, ("candles:1m",), int(stored.ts[0]), int(stored.close_ts[-1])):
        for event in (e for frame in page for e in decode(frame) if isinstance(e, Candle)):
            row = np.searchsorted(stored.ts, event.open_ts)
            assert (stored.close[row], stored.volume[row]) == (event.close, event.volume)
            made += 1
    assert made > 0
