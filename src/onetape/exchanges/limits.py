"""REST budgets: how often an endpoint may be asked. Knows no venue.

Venues state "N per 2 s" and do not say whether the window slides. A bucket of capacity c refilled at rate r lets
c + 2r through in 2 s, so capacity 0.2 N and rate 0.4 N/s never exceed N in any window.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_SLOW_SECONDS: Final = 60.0


class Budget:
    """A token bucket for `limit` requests in any `window` seconds."""

    def __init__(self, limit: float, window: float = 2.0, now: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._capacity = max(1.0, 0.2 * limit)
        self._rate = max(limit - self._capacity, 0.5 * limit) / window
        self._now = now
        self._tokens, self._ts = self._capacity, now()
        self._slow_until = self._closed_until = 0.0

    def delay(self) -> float:
        """Takes one request; the seconds to wait before it is sent."""
        now = self._now()
        rate = self._rate / 2 if now < self._slow_until else self._rate
        self._tokens = min(self._capacity, self._tokens + (now - self._ts) * rate) - 1.0
        self._ts = now
        return max(0.0, -self._tokens / rate, self._closed_until - now)

    async def take(self) -> None:
        if (delay := self.delay()) > 0:
            await asyncio.sleep(delay)

    def exceeded(self, wait: float = 2.0) -> None:
        """The venue said "too many": nothing for a whole window, then half speed for a minute."""
        now = self._now()
        self._closed_until = now + wait
        self._slow_until = now + wait + _SLOW_SECONDS
