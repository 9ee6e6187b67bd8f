"""Services inside a process: each is a task that is started again when it fails or falls silent. Knows nobody.

The only place that catches every exception. Too many deaths in a window raise `Escalate`, and the one above decides:
the process ends and its supervisor starts it anew, or a bot is halted.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final


class Escalate(Exception):
    """A service died too often. The text is its last error."""

    def __init__(self, name: str, error: str) -> None:
        self.name, self.error = name, error
        super().__init__(f"{name} died too often: {error}")


@dataclasses.dataclass(frozen=True, slots=True)
class Policy:
    """How a failed service is started again. All in seconds but `deaths`."""

    first_delay: float = 0.2
    longest_delay: float = 30.0
    quiet: float = 60.0  # after so long without a death the delay starts anew
    deaths: int = 8  # so many within `window` are too many
    window: float = 120.0


class Beat:
    """A service's sign of life: it calls `alive()` now and then; 0 for `stale` means that nobody watches."""

    def __init__(self, stale: float = 0.0) -> None:
        self.stale = stale
        self.last = time.monotonic()

    def alive(self) -> None:
        self.last = time.monotonic()

    async def silent(self) -> None:
        """Returns when the service has been silent for too long."""
        self.alive()
        while (left := self.last + self.stale - time.monotonic()) > 0:  # noqa: ASYNC110 - the beat is only a time
            await asyncio.sleep(left)


@dataclasses.dataclass(slots=True)
class Service:
    """`run` is called anew for each life. It may return: then the service is over. `passes` are exceptions that are
    nobody's bug and go to the caller at once (a halted bot); `patient` are those that may pass, however often."""

    name: str
    run: Callable[[Beat], Awaitable[None]]
    policy: Policy = Policy()
    stale: float = 0.0
    passes: tuple[type[Exception], ...] = ()
    patient: tuple[type[Exception], ...] = ()
    restarts: int = 0
    error: str = ""


Told = Callable[[Service, BaseException, float], None]  # which, why it died, seconds until it is started again
SILENT: Final = "gave no sign of life"


async def keep(service: Service, told: Told) -> None:
    """Runs a service until it returns. Raises Escalate, or one of `service.passes`."""
    deaths: deque[float] = deque(maxlen=service.policy.deaths)
    delay = service.policy.first_delay
    while True:
        started = time.monotonic()
        try:
            await _one_life(service)
        except service.passes:
            raise
        except Exception as error:
            service.error = f"{type(error).__name__}: {error}"
            now = time.monotonic()
            if now - started > service.policy.quiet:
                delay = service.policy.first_delay
            if not _only(error, service.patient):
                deaths.append(now)
            if len(deaths) == service.policy.deaths and now - deaths[0] < service.policy.window:
                raise Escalate(service.name, service.error) from error
            pause = delay * random.uniform(0.8, 1.2)
            told(service, error, pause)
            await asyncio.sleep(pause)
            delay = min(2 * delay, service.policy.longest_delay)
            service.restarts += 1
        else:
            return


def _only(error: BaseException, kinds: tuple[type[Exception], ...]) -> bool:
    """Whether it is one of these, or a group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(_only(each, kinds) for each in error.exceptions)
    return isinstance(error, kinds)


async def _one_life(service: Service) -> None:
    """One run of the service, cancelled when its beat stops. Raises what it raises, or TimeoutError."""
    beat = Beat(service.stale)
    if not service.stale:
        await service.run(beat)
        return
    work = asyncio.ensure_future(service.run(beat))
    watch = asyncio.ensure_future(beat.silent())
    try:
        await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise TimeoutError(f"{SILENT} for {service.stale:g} s")
        await work
    finally:
        for task in (work, watch):
            task.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def keep_all(services: list[Service], told: Told) -> None:
    """All services side by side; ends when all are over, or with the first one that escalates."""
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(keep(service, told), name=service.name)
