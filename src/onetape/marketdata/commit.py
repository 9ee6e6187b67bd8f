"""Group commit: items gather while the batch before them is committed. A batch that fails is tried again whole."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from onetape.clock import backoff_delays
from onetape.domain.errors import Transient
from onetape.observe import log

T = TypeVar("T")
_BATCH: Final = 5_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0  # seconds before a batch that failed is tried again


class GroupCommit(Generic[T]):
    """One task (`run`) commits what others `put`, in order. Bounded: the producer waits for room, nothing is dropped.

    `linger` seconds are waited after the first item, for others to join it; those that came while the batch before was
    committed have waited that long already. Items stay in the queue until they are committed, so a cancelled `run`
    loses none: `drain` waits for the commit that is under way, and commits the rest.
    """

    def __init__(
        self, name: str, commit: Callable[[list[T]], Awaitable[None]], *, linger: float = 0.0, limit: int = 100_000
    ) -> None:
        self._name, self._commit, self._linger, self._limit = name, commit, linger, limit
        self._items: list[T] = []
        self._flushing: asyncio.Task[None] | None = None  # goes on when `run` is cancelled: it may be committed already
        self._arrived, self._idle, self._room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._idle.set()

    async def put(self, item: T) -> None:
        while len(self._items) >= self._limit:
            self._room.clear()
            await self._room.wait()
        self._items.append(item)
        self._idle.clear()
        self._arrived.set()

    async def settled(self) -> None:
        """Returns when everything put so far is committed."""
        await self._idle.wait()

    @property
    def waiting(self) -> int:
        return len(self._items)

    async def run(self) -> None:
        wait = self._linger
        while True:
            if not self._arrived.is_set():
                await self._arrived.wait()
                wait = self._linger
            if wait > 0:
                await asyncio.sleep(wait)
            begun = time.monotonic()
            self._flushing = asyncio.create_task(self._flush())
            await asyncio.shield(self._flushing)
            wait = self._linger - (time.monotonic() - begun)

    async def drain(self) -> None:
        """Commits what is left, for the end of a service."""
        if self._flushing is not None and not self._flushing.done():
            await self._flushing
        while self._items:
            await self._flush()

    async def _flush(self) -> None:
        batch = self._items[:_BATCH]
        await self._until_committed(batch)
        del self._items[: len(batch)]
        self._room.set()
        if not self._items:
            self._arrived.clear()
            self._idle.set()

    async def _until_committed(self, batch: list[T]) -> None:
        say = log.warning
        for delay in backoff_delays(_FIRST_PAUSE, _LONGEST_PAUSE, at_once=False):
            try:
                await self._commit(batch)
                break
            except Transient as error:
                say("commit_delayed", what=self._name, items=len(batch), problem=str(error))
                say = log.debug  # once is enough
                await asyncio.sleep(delay)
