"""The processes that are killed: the collector alone, or the platform as `onetape up` runs it; and its servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Protocol

from onetape.bus.embedded import EmbeddedValkey
from onetape.storage.embedded import EmbeddedPostgres

ROLES = ("collector", "trader", "web")
_STOP_S = 20.0


class Program(Protocol):
    """What records. `killed` counts by role; `ended_alone` has the exit codes that nobody asked for."""

    killed: dict[str, int]
    ended_alone: list[int]

    def start(self) -> None: ...

    def look(self) -> None:
        """Note an end that nobody asked for."""

    def kill(self, role: str) -> None: ...

    def stop(self) -> None: ...

    def trouble(self) -> str:
        """What is wrong with the program as a whole now, or nothing."""
        ...


def _ended(process: subprocess.Popen[bytes] | None) -> None:
    if process and process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


class Collector:
    """The process of the role `collector`, as the supervisor starts it."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[bytes] | None = None
        self.killed = {"collector": 0}
        self.ended_alone: list[int] = []

    def start(self) -> None:
        args = [sys.executable, "-m", "onetape.app.roles", "collector"]
        self._process = subprocess.Popen(args, env=self._env, stdin=subprocess.DEVNULL)

    def look(self) -> None:
        """And start it again as the supervisor would."""
        if self._process and (code := self._process.poll()) is not None:
            self.ended_alone.append(code)
            self.start()

    def kill(self, role: str) -> None:
        assert (role, self._process is None) == ("collector", False)
        self.look()
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        self.killed[role] += 1
        self.start()

    def stop(self) -> None:
        _ended(self._process)

    def trouble(self) -> str:
        return ""


class Platform:
    """`onetape up`: the supervisor starts collector, trader and web, and starts again what is killed."""

    def __init__(self, env: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._env = {**os.environ, **env}
        self._process: subprocess.Popen[bytes] | None = None
        self.killed = dict.fromkeys(ROLES, 0)
        self.ended_alone: list[int] = []

    def start(self) -> None:
        program = Path(sys.executable).with_name("onetape")
        args = [str(program), "up", "--no-browser", "--port", str(self.port)]
        self._process = subprocess.Popen(
            args, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def look(self) -> None:
        if self._process and (code := self._process.poll()) is not None:
            self.ended_alone.append(code)
            self.start()

    def kill(self, role: str) -> None:
        """Of the role's process, as the machine's memory killer would. One that is just being started again is not
        there to be killed."""
        if (pid := self._pids().get(role)) is not None:
            os.kill(pid, signal.SIGKILL)
            self.killed[role] += 1

    def stop(self) -> None:
        _ended(self._process)

    def _pids(self) -> dict[str, int]:
        """Of the children by role."""
        assert self._process is not None
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(parent) == self._process.pid and b"onetape.app.roles" in words:
                found[words[words.index(b"onetape.app.roles") + 1].decode()] = int(entry.name)
        return found

    def trouble(self) -> str:
        if missing := [role for role in ROLES if role not in self._pids()]:
            return f"{', '.join(missing)} not running"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/health", timeout=5) as answer:
                json.load(answer)
        except (OSError, ValueError, urllib.error.URLError) as error:
            return f"the web process does not answer ({error})"
        return ""

    def answers(self, patience_s: float) -> None:
        """Waits until everything runs. Raises TimeoutError."""
        give_up = time.monotonic() + patience_s
        while trouble := self.trouble():
            if time.monotonic() > give_up:
                raise TimeoutError(trouble)
            time.sleep(0.2)


class Server:
    """PostgreSQL or Valkey: killed like by a power cut of the process, and started again."""

    def __init__(self, embedded: EmbeddedPostgres | EmbeddedValkey) -> None:
        self._embedded = embedded
        self.url = ""
        self.deaths = 0

    async def start(self) -> None:
        self.url = await self._embedded.start()

    async def kill(self) -> None:
        process = self._embedded.server.process
        assert process is not None
        process.kill()
        await asyncio.to_thread(process.wait, 10)
        await self._embedded.stop()
        self.deaths += 1

    async def stop(self) -> None:
        await self._embedded.stop()
