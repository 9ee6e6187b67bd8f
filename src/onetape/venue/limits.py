"""How much a client may ask: a sliding log of requests per key. Knows only the clock it is given."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from typing import NamedTuple


class Allowance(NamedTuple):
    """`calls` requests in any window of `seconds`."""

    calls: int
    seconds: float


class SlidingLog:
    """The strict reading of "N per 2 s": no window of that length ever holds more than N."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, key: str, allowance: Allowance) -> bool:
        """Counts one request, unless there were too many."""
        moment = self._now()
        seen = self._seen[key]
        while seen and seen[0] <= moment - allowance.seconds:
            seen.popleft()
        if len(seen) >= allowance.calls:
            return False
        seen.append(moment)
        return True
