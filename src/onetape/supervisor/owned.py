"""One server for one data directory, shared by processes: the first one owns it, the others connect.

Knows only the operating system. The owner holds `owner.lock` in the server's folder and writes the address into `url`;
whoever finds the lock taken reads that address. A server ends with its owner; who starts next becomes the owner. While
the owner lives it may `keep` its server: one that dies is started again, at the same address.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from onetape.supervisor import child
from onetape.supervisor.processes import RESTART, State, how_it_ended
from onetape.supervisor.services import Beat, Service, keep

WATCHED_EVERY: Final = 0.05  # seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """A server that was started: `ready` says whether it serves (or raises Recovering), `last_words` what it wrote when
    it ended instead."""

    process: subprocess.Popen[bytes]
    url: str
    ready: Callable[[], Awaitable[bool]]
    last_words: Callable[[], str]


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and the signal that asks the server to end. `start` is without a word of it: a recovery takes its
    time."""

    start: float
    stop: float
    end: signal.Signals


class OwnedServer:
    """`launch` starts the server and is called by the owner only; `answers` says whether one serves at an address."""

    def __init__(
        self,
        name: str,
        folder: Path,
        launch: Callable[[], Awaitable[Launched]],
        answers: Callable[[str], Awaitable[bool]],
        limits: Limits,
    ) -> None:
        self.name, self.restarts, self.error = name, 0, ""
        self.state: State = "starting"
        self._folder, self._launch, self._answers, self._limits = folder, launch, answers, limits
        self._lock: int | None = None
        self._launched: Launched | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The server when it is ours."""
        return self._launched.process if self._launched else None

    @property
    def pid(self) -> int:
        """0 when it is not ours."""
        return self._launched.process.pid if self._launched else 0

    async def start(self) -> str:
        """The address of the running server. Raises ChildError."""
        give_up = time.monotonic() + self._limits.start
        while time.monotonic() < give_up:
            self._lock = child.try_lock(self._folder / "owner.lock")
            if self._lock is not None:
                return await self._start_as_owner()
            with suppress(FileNotFoundError):
                url = (self._folder / "url").read_text(encoding="utf-8")
                try:
                    if await self._answers(url):
                        return url
                except child.Recovering:
                    give_up = time.monotonic() + self._limits.start
            await asyncio.sleep(0.05)
        raise child.ChildError(f"another process owns {self._folder}, but its server does not answer")

    async def _start_as_owner(self) -> str:
        try:
            (self._folder / "url").unlink(missing_ok=True)
            self._launched = await self._launch()
            await self._wait_ready(self._launched)
        except BaseException:
            await self.stop()
            raise
        child.write_private(self._folder / "url", self._launched.url)
        self.state = "running"
        return self._launched.url

    async def _wait_ready(self, launched: Launched) -> None:
        give_up = time.monotonic() + self._limits.start
        while time.monotonic() < give_up:
            if launched.process.poll() is not None:
                raise child.ChildError(f"it ended at once. Its last words: {launched.last_words()}")
            try:
                if await launched.ready():
                    return
            except child.Recovering:
                give_up = time.monotonic() + self._limits.start
            await asyncio.sleep(0.01)
        raise child.ChildError(f"it was not ready after {self._limits.start:g} s")

    async def keep(self, changed: Callable[[OwnedServer], None]) -> None:
        """Starts our server again whenever it dies: at once, then with growing pauses; for ever, until it is cancelled.
        Call it after `start`. Returns at once when the server is another process's. `changed` is told of each change.
        """
        if self._launched is None:
            return

        def died(_service: Service, error: BaseException, _pause: float) -> None:
            self.error = f"could not be started ({error})" if self.state == "restarting" else str(error)
            self.state = "restarting"
            changed(self)

        async def live(_beat: Beat) -> None:
            await self._one_life(changed)

        await keep(Service(self.name, live, RESTART, patient=(Exception,)), died)

    async def _one_life(self, changed: Callable[[OwnedServer], None]) -> None:
        """Never returns: raises ChildError with how it ended, or what prevented its start."""
        if self._launched is None:
            raise RuntimeError("a server that was stopped is not kept")
        if self.state != "running":
            if self._launched.process.poll() is not None:
                self.restarts += 1
                self._launched = await self._launch()
            await self._wait_ready(self._launched)
            self.state = "running"
            changed(self)
        raise child.ChildError(how_it_ended(await child.ended(self._launched.process, WATCHED_EVERY)))

    async def stop(self) -> None:
        """Stops the server when it is ours, else does nothing."""
        launched, self._launched = self._launched, None
        lock, self._lock = self._lock, None
        try:
            if launched:
                (self._folder / "url").unlink(missing_ok=True)
                await child.stop(launched.process, self._limits.end, self._limits.stop)
        finally:
            if lock is not None:
                os.close(lock)
