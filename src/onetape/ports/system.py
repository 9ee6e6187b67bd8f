"""What everything runs on: bus, budgets, clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec

from onetape.domain.units import Micros


class Resync(msgspec.Struct, frozen=True):
    """The bus was away: what came meanwhile is lost, the listener rebuilds from the facts."""


class Message(msgspec.Struct, frozen=True):
    topic: str
    body: Any  # a domain struct, decoded


class Bus(Protocol):
    """Hints. At most once; publishing never fails its caller."""

    def publish(self, topic: str, body: msgspec.Struct) -> None: ...

    def subscribe(self, *patterns: str) -> AsyncIterator[Message | Resync]:
        """Messages of the topics that match (glob), for ever; Resync first and after each absence."""
        ...

    async def settled(self) -> None:
        """Returns when nothing that was published waits any more: who publishes a lot keeps within the queue."""
        ...

    async def close(self) -> None: ...


class Budgets(Protocol):
    """How often venues may be asked, counted over all processes. Buckets by name, filled at `rate` tokens a second."""

    async def delay(self, name: str, capacity: float, rate: float, cost: float = 1.0) -> float:
        """0.0: `cost` tokens are taken, send the request. Otherwise nothing is taken: ask again after so many seconds.
        A `cost` above `capacity` is let through by a full bucket, which then owes it. Raises Transient: nobody can
        say."""
        ...

    async def give_back(self, name: str, cost: float) -> None:
        """What was taken for a request that is not sent after all. Raises Transient."""
        ...

    async def exceeded(self, name: str, closed: float, slow: float) -> None:
        """The venue said "too many": nothing for `closed` seconds, half the rate for `slow` seconds. Raises
        Transient."""
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> Micros: ...

    async def sleep_until(self, ts: Micros) -> None: ...
