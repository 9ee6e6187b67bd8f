"""What is traded is kept up to date, from the stream and from REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from onetape.bus.memory import MemoryBus
from onetape.clock import SimulatedClock
from onetape.domain.errors import Refused, Transient
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import InstrumentChange, Streams
from onetape.marketdata.instruments import Instruments
from onetape.ports import Message

SPOT = Instrument(exchange="okx", symbol="BTC-USDT", tick=0.1, lot=0.001)
SWAP = Instrument(exchange="okx", symbol="BTC-USDT-SWAP", kind=Kind.SWAP, tick=0.1, lot=0.01, contract_size=0.01)


class Feed:
    exchange = "okx"

    def __init__(self) -> None:
        self.listed = [SPOT, SWAP]
        self.asked = 0
        self.error: Exception | None = None

    async def instruments(self) -> list[Instrument]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return list(self.listed)

    async def now(self) -> int:
        return 7_000

    def streams(self) -> Streams:
        return Streams("okx", 0, (), clock_offset_ms=2.0)


class Store:
    def __init__(self) -> None:
        self.rows: dict[str, Instrument] = {}
        self.history: list[InstrumentChange] = []
        self.away = False

    async def known(self, exchange: str) -> list[Instrument]:
        assert exchange == "okx"
        return list(self.rows.values())

    async def change(self, changes: Sequence[InstrumentChange]) -> None:
        if self.away:
            raise Transient("PostgreSQL did not answer.")
        self.rows |= {change.symbol: change.instrument for change in changes}
        self.history += [change for change in changes if change.before]

    async def changes(self, exchange: str, symbol: str | None = None) -> list[InstrumentChange]:
        assert exchange == "okx"
        return [change for change in self.history if symbol in (None, change.symbol)]


class Desk:
    def __init__(self) -> None:
        self.feed, self.store, self.bus = Feed(), Store(), MemoryBus()
        self.told: list[InstrumentChange] = []

    @asynccontextmanager
    async def running(self, refresh_seconds: float = 3_600.0) -> AsyncIterator[Instruments]:
        feed: Any = self.feed
        instruments = Instruments(feed, self.store, self.bus, SimulatedClock(1_000), refresh_seconds, 0.01)
        tasks = [asyncio.create_task(instruments.run()), asyncio.create_task(self._listen())]
        try:
            await until(lambda: len(self.store.rows) == 2)
            yield instruments
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        async for message in self.bus.subscribe("instrument:*:*"):
            if isinstance(message, Message) and isinstance(message.body, InstrumentChange):
                self.told.append(message.body)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.001)


async def test_the_first_sight_of_an_exchange_is_stored_and_is_no_change() -> None:
    desk = Desk()
    async with desk.running():
        await until(lambda: desk.store.rows)
    assert desk.store.rows == {"BTC-USDT": SPOT, "BTC-USDT-SWAP": SWAP}
    assert (desk.store.history, desk.told) == ([], [])


async def test_a_new_tick_from_the_stream_is_stored_with_its_time_and_then_announced() -> None:
    desk, finer = Desk(), msgspec.structs.replace(SPOT, tick=0.01)
    async with desk.running() as instruments:
        instruments.said(InstrumentChange("okx", "BTC-USDT", 50_000, finer, None, 50_000))
        instruments.said(InstrumentChange("okx", "BTC-USDT", 51_000, finer, None, 51_000))
        await until(lambda: desk.told)
        await asyncio.sleep(0.01)
    (change,) = desk.store.history
    assert (change.ts, change.recv_ts) == (52_000, 50_000)  # the venue's clock is 2 ms ahead
    assert (change.before, change.instrument, change.changed) == (SPOT, finer, ("tick",))
    assert desk.told == [change]
    assert desk.feed.asked == 1


async def test_the_hourly_look_finds_a_contract_size_and_what_is_listed_no_more() -> None:
    desk, larger = Desk(), msgspec.structs.replace(SWAP, contract_size=0.1)
    async with desk.running(refresh_seconds=0.01):
        desk.feed.listed = [larger]
        await until(lambda: len(desk.told) == 2)
    assert [(c.symbol, c.changed, c.ts) for c in desk.store.history] == [
        ("BTC-USDT-SWAP", ("contract_size",), 7_000),
        ("BTC-USDT", ("state",), 7_000),
    ]
    assert desk.store.rows["BTC-USDT"].state == "delisted"


async def test_an_empty_list_delists_nothing() -> None:
    desk = Desk()
    async with desk.running(refresh_seconds=0.01):
        desk.feed.listed = []
        await until(lambda: desk.feed.asked > 3)
    assert desk.store.history == []


@pytest.mark.parametrize("error", [Transient("okx does not answer."), Refused("okx says no.")])
async def test_a_venue_that_does_not_list_is_asked_again_and_keeps_no_change_waiting(error: Exception) -> None:
    desk, halted = Desk(), msgspec.structs.replace(SPOT, state="suspend")
    async with desk.running(refresh_seconds=0.01) as instruments:
        desk.feed.error = error
        instruments.said(InstrumentChange("okx", "BTC-USDT", 1, halted, None, 1))
        await until(lambda: desk.told)
        asked, desk.feed.error = desk.feed.asked, None
        desk.feed.listed = [halted, SWAP]
        await until(lambda: desk.feed.asked > asked + 1)
    assert [change.instrument for change in desk.store.history] == [halted]


async def test_a_change_while_the_database_is_away_is_stored_when_it_is_back_and_not_announced_before() -> None:
    desk, finer = Desk(), msgspec.structs.replace(SPOT, tick=0.01)
    async with desk.running() as instruments:
        desk.store.away = True
        instruments.said(InstrumentChange("okx", "BTC-USDT", 5, finer, None, 5))
        await asyncio.sleep(0.03)
        assert desk.told == []
        desk.store.away = False
        await until(lambda: desk.told)
    assert [change.instrument for change in desk.store.history] == [finer]
