"""Who works on the trials: threads of this process. The kernels and numpy let go of the interpreter while they work, so
that all cores are busy, and the candles are there once."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol

from onetape.backtest.search.ground import Ground
from onetape.backtest.search.walks import Asked
from onetape.domain.searches import Scored


class Done(NamedTuple):
    """Trials that are scored; `seconds` is how long a worker worked on them."""

    scored: list[Scored]
    seconds: float


class Workers(Protocol):
    """`count` trials are worked on at once. A future that fails with WorkerLost may be submitted again."""

    count: int

    def submit(self, batch: Sequence[Asked]) -> Future[Done]: ...

    def close(self) -> None: ...


class Threads:
    """Fulfils Workers."""

    def __init__(self, ground: Ground, count: int) -> None:
        self.count, self._ground = count, ground
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="trial")

    def submit(self, batch: Sequence[Asked]) -> Future[Done]:
        return self._pool.submit(worked, self._ground, batch)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


def worked(ground: Ground, batch: Sequence[Asked]) -> Done:
    begun = time.thread_time()
    scored = [ground.score(asked) for asked in batch]
    return Done(scored, time.thread_time() - begun)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
