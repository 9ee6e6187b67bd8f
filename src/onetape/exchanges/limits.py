"""REST budgets: how often an endpoint may be asked. Knows no venue.

Venues state "N per 2 s" and do not say whether the window slides. A bucket of capacity c refilled at rate r lets
c + 2r through in 2 s, so capacity 0.2 N and rate 0.4 N/s never exceed N in any window.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from onetape.domain.errors import Transient
from onetape.observe import log
from onetape.ports import Budgets

_SLOW_SECONDS: Final = 60.0
_NO_TIME: Final = 1e-6  # seconds: less is rounding


class Pace(NamedTuple):
    """`limit` requests in any `window` seconds, as a bucket: its capacity, and tokens a second."""

    limit: float
    window: float = 2.0

    @property
    def capacity(self) -> float:
        return max(1.0, 0.2 * self.limit)

    @property
    def rate(self) -> float:
        return max(self.limit - self.capacity, 0.5 * self.limit) / self.window


class Budget:
    """A token bucket of this process."""

    def __init__(self, limit: float, window: float = 2.0, now: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        pace = Pace(limit, window)
        self._capacity, self._rate = pace.capacity, pace.rate
        self._now = now
        self._tokens, self._ts = self._capacity, now()
        self._slow_until = self._closed_until = 0.0
        self._turn = asyncio.Lock()

    def delay(self, cost: float = 1.0) -> float:
        """0.0: `cost` requests are taken, send them. Otherwise nothing is taken: ask again after so many seconds."""
        now = self._now()
        rate = self._rate / 2 if now < self._slow_until else self._rate
        self._tokens = min(self._capacity, self._tokens + (now - self._ts) * rate)
        self._ts = now
        wait = max((min(cost, self._capacity) - self._tokens) / rate, self._closed_until - now)
        if wait > _NO_TIME:
            return wait
        self._tokens -= cost
        return 0.0

    async def take(self, cost: float = 1.0) -> None:
        """Returns when `cost` requests may be sent, in the order of asking. Cancelled, it has taken nothing."""
        async with self._turn:
            while (delay := self.delay(cost)) > 0:  # noqa: ASYNC110 - time fills the bucket, no event
                await asyncio.sleep(delay)

    def exceeded(self, wait: float = 2.0) -> None:
        """The venue said "too many": nothing for a whole window, then half speed for a minute."""
        now = self._now()
        self._closed_until = now + wait
        self._slow_until = now + wait + _SLOW_SECONDS


class SharedBudget:
    """One endpoint's budget, counted over all processes. While the others cannot be asked, this process takes half of
    it for itself, because the others do the same."""

    def __init__(self, name: str, pace: Pace, budgets: Budgets | None) -> None:
        self._name, self._pace, self._budgets = name, pace, budgets
        share = 1.0 if budgets is None else 0.5
        self._own = Budget(pace.limit * share, pace.window)
        self._alone = False
        self._turn = asyncio.Lock()

    async def take(self, cost: float = 1.0) -> None:
        """Returns when a request may be sent that counts as `cost`, in this process in the order of asking. Cancelled
        at any moment, it has taken nothing for good."""
        async with self._turn:
            while (delay := await self._delay(cost)) > 0:  # noqa: ASYNC110 - as above
                await asyncio.sleep(delay)

    async def _delay(self, cost: float) -> float:
        if self._budgets is None:
            return self._own.delay(cost)
        try:
            delay = await self._asked(self._budgets, cost)
        except Transient as error:
            self._told(alone=True, problem=str(error))
            return self._own.delay(cost)
        self._told(alone=False)
        return delay

    async def _asked(self, budgets: Budgets, cost: float) -> float:
        """Who is cancelled while the answer is on its way waits for it, and gives back what was taken."""
        asking = asyncio.ensure_future(budgets.delay(self._name, self._pace.capacity, self._pace.rate, cost))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            with suppress(Transient):
                if await asking == 0.0:
                    await budgets.give_back(self._name, cost)
            raise

    async def exceeded(self, wait: float = 2.0) -> None:
        """The venue said "too many": nobody asks for a whole window, then all together at half speed for a minute."""
        self._own.exceeded(wait)
        if self._budgets is not None:
            try:
                await self._budgets.exceeded(self._name, wait, wait + _SLOW_SECONDS)
            except Transient as error:
                self._told(alone=True, problem=str(error))

    def _told(self, alone: bool, problem: str = "") -> None:
        if alone and not self._alone:
            log.warning("budget_not_shared", name=self._name, problem=problem)
        self._alone = alone
