"""Time: real, or simulated for replays and tests; and how long to wait before something is tried again. Knows nobody;
times are UTC microseconds since 1970."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Iterator


def backoff_delays(first: float, limit: float, *, at_once: bool = True) -> Iterator[float]:
    """Seconds to wait before each next try, for ever: 0 (`at_once`), then `first` doubling up to `limit`; each with up
    to 50 % jitter, so that many who lost the same server do not come back in one moment."""
    if at_once:
        yield 0.0
    delay = min(first, limit)
    while True:
        yield delay * (1 + random.random() / 2)
        delay = min(limit, delay * 2)


class RealClock:
    def now(self) -> int:
        return time.time_ns() // 1_000

    async def sleep_until(self, ts: int) -> None:
        await asyncio.sleep(max(0, ts - self.now()) / 1e6)


class SimulatedClock:
    """Stands still until `advance`; sleepers wake in the order of their times."""

    def __init__(self, start_ts: int) -> None:
        self._now = start_ts
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def now(self) -> int:
        return self._now

    async def sleep_until(self, ts: int) -> None:
        if ts <= self._now:
            return
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (ts, next(self._count), waiting))
        await waiting

    def advance(self, ts: int) -> None:
        """Move to `ts`, never backwards."""
        self._now = max(self._now, ts)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            waiting = heapq.heappop(self._sleepers)[2]
            if not waiting.done():
                waiting.set_result(None)
