"""Messages on their way into the table: committed in small batches, and through a spool on disk while the database is
away.

A batch is committed whole or tried again whole. When that takes too long it goes into the spool, and so does all that
comes after it, so that the order stays; what waits there is committed, oldest first, when the database answers again.
When the spool is full the batch waits in memory, nobody takes from the sockets any more, and the venue's own limits
apply: the absence becomes a gap, and nothing is dropped unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from onetape.domain import topics
from onetape.domain.errors import Transient
from onetape.domain.market import Candle, Drained, Gap, Print, RawFrame
from onetape.marketdata.commit import GroupCommit
from onetape.marketdata.stored import store_candles, store_gaps
from onetape.observe import log
from onetape.ports import Bus, CandleStore, RawStore, Spool, Spooled, SpoolState

Item = tuple[RawFrame, tuple[Print, ...]]
Committed = Callable[[list[Item]], None]
T = TypeVar("T")
LINGER: Final = 0.002
PATIENCE: Final = 2.0  # seconds that a commit may take before its batch goes to the spool
QUEUE: Final = 100_000
_FEW: Final = 5_000  # so little left in the spool is committed while new batches wait for it
_RETRY: Final = 0.25
_ALARM: Final = 0.5  # of the spool's limit
_ROOMY: Final = 0.9  # the same, below which a spool that was full is so no more
_FULL: Final = 2
_BATCH: Final = 5_000


class Frames:
    """`run` until cancelled, then `drain`. `committed` is called with every batch after its commit; what went through
    the spool was seen by nobody and is not announced later: who wants it reads the table."""

    def __init__(
        self, raw: RawStore, candles: CandleStore, spool: Spool | None, bus: Bus, committed: Committed, name: str = ""
    ) -> None:
        self._raw, self._candles, self._spool, self._bus = raw, candles, spool, bus
        self._committed, self._name = committed, name
        self.queue: GroupCommit[Item] = GroupCommit("frames", self._commit, linger=LINGER, limit=QUEUE)
        self._turn = asyncio.Lock()
        self._spooled = asyncio.Event()  # set while anything waits on disk
        self._nothing = asyncio.Event()  # the opposite
        self._nothing.set()
        self._stuck: asyncio.Future[Any] | None = None
        self._before: Callable[[], Awaitable[None]] | None = None
        self._alarm = 0  # 0 quiet, 1 half full, 2 full
        if spool is not None and spool.state.items:
            self._wait_on_disk()

    @property
    def spooling(self) -> bool:
        return self._spooled.is_set()

    async def emptied(self) -> None:
        """Returns when nothing waits on disk."""
        await self._nothing.wait()

    def _wait_on_disk(self) -> None:
        self._spooled.set()
        self._nothing.clear()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.queue.run())
            if self._spool is not None:
                tasks.create_task(self._empty(self._spool))

    def begin_with(self, before: Callable[[], Awaitable[None]]) -> None:
        """No message is stored before `before` has succeeded, which may raise Transient."""
        self._before = before

    async def keep_gaps(self, gaps: Sequence[Gap]) -> list[Gap]:
        """Gives those that are stored and real; the others are on disk, or filled by now. Raises Transient."""
        return await self._keep(gaps, lambda: store_gaps(self._candles, gaps)) or []

    async def keep_candles(self, candles: Sequence[Candle]) -> bool:
        """Whether they are stored; else they are on disk. For those that nobody else has. Raises Transient."""

        async def store() -> bool:
            await store_candles(self._candles, candles)
            return True

        return await self._keep(candles, store) or False

    async def _keep(self, items: Sequence[Spooled], store: Callable[[], Awaitable[T]]) -> T | None:
        """What `store` gives, or None when they are on disk."""
        if not self.spooling:
            try:
                return await self._patiently(store())
            except Transient:
                if self._spool is None:
                    raise
        async with self._turn:
            await self._onto_disk(items)
        return None

    async def _onto_disk(self, items: Sequence[Spooled]) -> None:
        assert self._spool is not None
        written = await self._spool.write(items)
        if written:
            self._wait_on_disk()
        self._watch(self._spool)
        if not written:
            raise Transient(f"the spool takes nothing: {self._spool.state.problem}.")

    async def _append(self, frames: Sequence[RawFrame]) -> None:
        if self._before is not None:
            await self._before()
            self._before = None
        await self._raw.append(frames)

    async def _commit(self, batch: list[Item]) -> None:
        async with self._turn:
            if not self._spooled.is_set():
                try:
                    await self._patiently(self._append([frame for frame, _ in batch]))
                except Transient as error:
                    if self._spool is None:
                        raise
                    log.warning("database_away", says=f"Messages wait on disk until it is back: {error}")
                else:
                    self._quiet()
                    return self._committed(batch)
            await self._onto_disk([frame for frame, _ in batch])
        return None

    async def _patiently(self, work: Awaitable[T]) -> T:
        """Raises Transient when it takes too long. It is not cancelled: whether it was in time would be unknown, and a
        server that hangs would not even answer that. The next try waits for its end."""
        if self._stuck is not None:
            done, _ = await asyncio.wait((self._stuck,), timeout=PATIENCE)
            if not done:
                asyncio.ensure_future(work).cancel()
                raise Transient("PostgreSQL hangs.")
            self._stuck = None
        task = asyncio.ensure_future(work)
        task.add_done_callback(_looked_at)
        try:
            done, _ = await asyncio.wait((task,), timeout=PATIENCE)
        except asyncio.CancelledError:
            self._stuck = task
            raise
        if not done:
            self._stuck = task
            raise Transient(f"PostgreSQL did not answer for {PATIENCE:g} seconds.")
        return task.result()

    async def _empty(self, spool: Spool) -> None:
        """Commits what waits on disk, for ever."""
        while True:
            await self._spooled.wait()
            try:
                await self._oldest(spool)
                if spool.state.items <= _FEW:
                    async with self._turn:  # new batches wait, or this would never end on a busy market
                        while await self._oldest(spool):
                            pass
                        self._spooled.clear()
                        self._nothing.set()
                    log.warning("database_back", says="All messages that waited on disk are stored.")
                    self._bus.publish(topics.drained(self._name), Drained(self._name))
            except Transient as error:
                log.debug("spool_waits", problem=str(error))
                await asyncio.sleep(_RETRY)
            self._watch(spool)

    async def _oldest(self, spool: Spool) -> bool:
        """Commits the oldest part, if there is any."""
        items = await spool.oldest()
        if not items and not spool.state.bytes:
            return False
        frames = [item for item in items if isinstance(item, RawFrame)]
        gaps = [item for item in items if isinstance(item, Gap)]
        candles = [item for item in items if isinstance(item, Candle)]
        for i in range(0, len(frames), _BATCH):
            await self._patiently(self._append(frames[i : i + _BATCH]))
        if gaps:
            await self._patiently(store_gaps(self._candles, gaps))
        if candles:
            await self._patiently(store_candles(self._candles, candles))
        await spool.done()
        return True

    def _watch(self, spool: Spool) -> None:
        """Says once when it is half full, once when it is full, and when it is well again. Full it stays until there is
        some room: a small batch may still fit where a large one did not."""
        state = spool.state
        full = state.full or (self._alarm == _FULL and state.bytes >= _ROOMY * state.limit)
        self._alert(state, _FULL if full else 1 if state.bytes >= _ALARM * state.limit else 0)

    def _quiet(self) -> None:
        """The database takes messages and none waits on disk, whatever the disk said last."""
        if self._alarm and self._spool is not None:
            self._alert(self._spool.state, 0)

    def _alert(self, state: SpoolState, alarm: int) -> None:
        if alarm == self._alarm:
            return
        self._alarm = alarm
        share = state.bytes / state.limit
        says = (
            "The spool empties: messages are taken again.",
            f"The spool on disk is {100 * share:.0f} % full. Bring PostgreSQL back, make room on the disk, or raise "
            "spool_mb in markets.json.",
            f"The spool on disk is full ({state.problem}): no message is taken until PostgreSQL is back or there is "
            "room, and gaps are recorded.",
        )[alarm]
        (log.error if alarm else log.warning)("spool", says=says, bytes=state.bytes, limit=state.limit)
        detail = {"state": ("filling", "half full", "full")[alarm], "says": says, "share": share, "items": state.items}
        self._bus.publish(topics.service(f"spool.{self._name}"), topics.Note("spool", detail))


def _looked_at(ended: asyncio.Future[Any]) -> None:
    """Its failure is known: nobody may be left who waits for it."""
    if not ended.cancelled():
        ended.exception()
