"""One server for one data directory, shared by processes: the first one owns it, the others connect.

Knows only the operating system. The owner holds `owner.lock` in the server's folder and writes the address into `url`;
whoever finds the lock taken reads that address. A server ends with its owner; who starts next becomes the owner.
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

from onetape.supervisor import child


@dataclasses.dataclass(frozen=True, slots=True)
class Launched:
    """A server that was started: `ready` says whether it serves, `last_words` what it wrote when it ended instead."""

    process: subprocess.Popen[bytes]
    url: str
    ready: Callable[[], Awaitable[bool]]
    last_words: Callable[[], str]


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, and the signal that asks the server to end."""

    start: float
    stop: float
    end: signal.Signals


class OwnedServer:
    """`launch` starts the server and is called by the owner only; `answers` says whether one serves at an address."""

    def __init__(
        self,
        folder: Path,
        launch: Callable[[], Awaitable[Launched]],
        answers: Callable[[str], Awaitable[bool]],
        limits: Limits,
    ) -> None:
        self._folder, self._launch, self._answers, self._limits = folder, launch, answers, limits
        self._lock: int | None = None
        self._launched: Launched | None = None

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The server when it is ours."""
        return self._launched.process if self._launched else None

    async def start(self) -> str:
        """The address of the running server. Raises ChildError."""
        give_up = time.monotonic() + self._limits.start
        while time.monotonic() < give_up:
            self._lock = child.try_lock(self._folder / "owner.lock")
            if self._lock is not None:
                return await self._start_as_owner()
            with suppress(FileNotFoundError):
                url = (self._folder / "url").read_text(encoding="utf-8")
                if await self._answers(url):
                    return url
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
        return self._launched.url

    async def _wait_ready(self, launched: Launched) -> None:
        give_up = time.monotonic() + self._limits.start
        while time.monotonic() < give_up:
            if launched.process.poll() is not None:
                raise child.ChildError(f"it ended at once. Its last words: {launched.last_words()}")
            if await launched.ready():
                return
            await asyncio.sleep(0.01)
        raise child.ChildError(f"it was not ready after {self._limits.start:g} s")

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
