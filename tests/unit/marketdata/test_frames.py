"""Messages on their way into a table that is sometimes away."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from onetape.bus.memory import MemoryBus
from onetape.domain.errors import Transient
from onetape.domain.market import Drained, Gap, RawFrame
from onetape.marketdata import frames
from onetape.marketdata.frames import Frames, Item
from onetape.ports import Message
from onetape.storage.memory import MemoryCandleStore
from onetape.storage.spool import DiskSpool

GAP = Gap("okx", "BTC-USDT", "trades", 5, 9, "the line was cut")


class Table:
    """Raw messages by their key. `state`: here, away, hangs, or `lost`: it stores and the answer is lost."""

    def __init__(self) -> None:
        self.rows: dict[int, RawFrame] = {}
        self.state = "here"
        self.freed = asyncio.Event()

    async def append(self, given: Sequence[RawFrame]) -> int:
        if self.state == "away":
            raise Transient("the database is away.")
        if self.state == "hangs":
            await self.freed.wait()
        before = len(self.rows)
        self.rows |= {frame.seq: self.rows.get(frame.seq, frame) for frame in given}
        if self.state == "lost":
            raise Transient("the connection was lost.")
        return len(self.rows) - before

    async def last_ts(self, exchange: str, symbol: str, channel: str) -> int:
        return max((row.ts for row in self.rows.values()), default=0)

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        return list(self.rows.values())[-n:]

    async def read(self, *where: object) -> AsyncIterator[list[RawFrame]]:
        yield list(self.rows.values())


class Desk:
    def __init__(self, folder: Path, limit: int = 1_000_000) -> None:
        self.table, self.gaps, self.bus = Table(), MemoryCandleStore(), MemoryBus()
        self.spool = DiskSpool(folder, limit, part_bytes=4_000)
        self.told: list[int] = []
        self.frames = Frames(self.table, self.gaps, self.spool, self.bus, self._committed)
        self.next = 0

    def _committed(self, batch: list[Item]) -> None:
        for frame, _ in batch:
            assert frame.seq in self.table.rows
            self.told.append(frame.seq)

    async def put(self, n: int) -> None:
        for _ in range(n):
            await self.frames.queue.put((RawFrame("okx", "BTC-USDT", "trades", 1, 1, self.next, b"{}"), ()))
            self.next += 1

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.frames.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.spool.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "PATIENCE", 0.05)
    monkeypatch.setattr(frames, "_RETRY", 0.01)


async def test_what_is_committed_is_told_afterwards(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with desk.running():
        await desk.put(5)
        await until(lambda: desk.told == [0, 1, 2, 3, 4])
    assert desk.spool.state.items == 0


async def test_when_the_spool_is_drained_pages_are_told_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    listening = desk.bus.subscribe("drained:*")
    await anext(listening)
    async with desk.running():
        await desk.put(3)
        await until(lambda: len(desk.told) == 3)
        desk.table.state = "away"
        await desk.put(40)
        await until(lambda: desk.spool.state.items > 0)
        desk.table.state = "here"
        await until(lambda: not desk.frames.spooling)
        assert await asyncio.wait_for(anext(listening), 5) == Message("drained:", Drained(""))
        assert len(desk.table.rows) == 43
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(listening), 0.05)


@pytest.mark.parametrize("state", ["away", "hangs", "lost"])
async def test_while_the_table_is_away_all_waits_on_disk_and_follows_in_order(tmp_path: Path, state: str) -> None:
    desk = Desk(tmp_path)
    async with desk.running():
        await desk.put(3)
        await until(lambda: len(desk.told) == 3)
        desk.table.state = state
        await desk.put(40)
        await until(lambda: desk.spool.state.items > 0 and not desk.frames.queue.waiting)
        await desk.put(10)
        await until(lambda: desk.frames.queue.waiting == 0)
        desk.table.state = "here"
        desk.table.freed.set()
        await until(lambda: not desk.frames.spooling)
        await desk.put(2)
        await until(lambda: len(desk.told) == 5)
    assert list(desk.table.rows) == list(range(55))  # each once, in order
    assert desk.told == [0, 1, 2, 53, 54]


async def test_killed_with_messages_on_disk_the_next_one_stores_them_first(tmp_path: Path) -> None:
    first = Desk(tmp_path)
    first.table.state = "away"
    async with first.running():
        await first.put(20)
        await until(lambda: first.spool.state.items == 20)
    second = Desk(tmp_path)
    second.next = 20
    async with second.running():
        await second.put(1)
        await until(lambda: len(second.table.rows) == 21)
    assert list(second.table.rows) == list(range(21))


async def test_a_full_spool_stops_the_taking_and_drops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "QUEUE", 50)
    desk = Desk(tmp_path, limit=9_000)
    desk.table.state = "away"
    async with desk.running():
        putting = asyncio.create_task(desk.put(1_000))
        await until(lambda: desk.spool.state.full and desk.frames.queue.waiting == 50)
        assert not putting.done()
        desk.table.state = "here"
        await putting
        await until(lambda: len(desk.table.rows) == 1_000)
    assert list(desk.table.rows) == list(range(1_000))


async def test_the_spool_says_that_it_fills_before_it_is_full(tmp_path: Path) -> None:
    desk = Desk(tmp_path, limit=9_000)
    desk.table.state = "away"
    said: list[str] = []

    async def listen() -> None:
        async for message in desk.bus.subscribe("service:spool*"):
            said.extend([message.body.detail["state"]] if isinstance(message, Message) else [])

    listening = asyncio.create_task(listen())
    async with desk.running():
        while not said:
            await desk.put(1)
            await asyncio.sleep(0.005)
        assert said == ["half full"]
        assert not desk.spool.state.full
        putting = asyncio.create_task(desk.put(300))
        await until(lambda: said[-1] == "full")
        desk.table.state = "here"
        await putting
        await until(lambda: said[-1] == "filling")
    listening.cancel()


async def test_gaps_wait_on_disk_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    class Away(MemoryCandleStore):
        async def add_gaps(self, gaps: Sequence[Gap]) -> int:
            if desk.table.state == "away":
                raise Transient("the database is away.")
            return await super().add_gaps(gaps)

    desk.gaps = store = Away()
    desk.frames = Frames(desk.table, store, desk.spool, desk.bus, desk._committed)
    async with desk.running():
        desk.table.state = "away"
        await desk.frames.keep_gaps([GAP])
        assert desk.spool.state.items == 1
        desk.table.state = "here"
        await until(lambda: not desk.frames.spooling)
    assert await store.gaps("okx", "BTC-USDT", "trades") == [GAP]


async def test_a_disk_and_a_database_that_are_full_at_once_are_said_once_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages wait in memory; whatever has room first takes them."""
    sync, full = os.fsync, [True]

    def fsync(handle: int) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    desk = Desk(tmp_path)
    desk.table.state = "away"
    said: list[str] = []

    async def listen() -> None:
        async for message in desk.bus.subscribe("service:spool*"):
            said.extend([message.body.detail["state"]] if isinstance(message, Message) else [])

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    async with desk.running():
        await desk.put(3)
        await until(lambda: bool(said))
        await asyncio.sleep(0.3)  # some more tries
        assert said == ["full"]
        assert not desk.frames.spooling
        desk.table.state = "here"
        await until(lambda: len(desk.told) == 3)
        await until(lambda: said == ["full", "filling"])
        desk.table.state, full[0] = "away", False
        await desk.put(2)
        await until(lambda: desk.spool.state.items == 2)
    listening.cancel()


async def test_a_commit_that_fails_after_its_waiter_is_gone_is_no_error_of_nobody(tmp_path: Path) -> None:
    """The loop complains of exceptions that nobody has looked at: at the end of a program such a word frightens."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context["message"])))
    desk = Desk(tmp_path)
    desk.table.state = "hangs"
    await desk.put(1)
    draining = asyncio.create_task(desk.frames.queue.drain())
    for _ in range(5):
        await asyncio.sleep(0)
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)
    desk.table.state = "lost"
    desk.table.freed.set()
    await asyncio.sleep(0.02)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []
    desk.spool.close()
