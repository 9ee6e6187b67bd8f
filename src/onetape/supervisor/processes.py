"""The parent of the platform's processes: starts each with a pipe for its heartbeat, kills a silent one, starts a dead
one again, and stops all in reverse order. Knows only the operating system.

A child's event loop writes a byte now and then into the pipe whose number is in ONETAPE_HEARTBEAT; a blocked loop is
silent. Children die with their parent (PR_SET_PDEATHSIG), so that nothing is left behind by a `kill -9`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from onetape.supervisor.child import dies_with_parent
from onetape.supervisor.services import Policy

HEARTBEAT: Final = "ONETAPE_HEARTBEAT"
BEAT_EVERY: Final = 0.5  # seconds between two bytes
RESTART: Final = Policy(first_delay=0.3, longest_delay=15.0)
State = Literal["waiting", "starting", "running", "restarting", "stopped"]


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A child: its name, program with arguments, and what is added to the environment."""

    name: str
    args: Sequence[str]
    env: Mapping[str, str] = dataclasses.field(default_factory=dict)
    first_silence: float = 240.0  # until the first beat: imports, and kernels that are compiled once
    silence: float = 10.0
    policy: Policy = RESTART
    after: str = ""  # the child that must be running first
    when: asyncio.Event | None = None  # and what must have happened


@dataclasses.dataclass(slots=True)
class Process:
    """A child as it is now."""

    command: Command
    state: State = "starting"
    restarts: int = 0
    error: str = ""
    pid: int = 0


Changed = Callable[[Process], None]


class Family:
    """Start it with `run`, end it with `stop`; `changed` is told whenever a process changes its state."""

    def __init__(self, commands: Sequence[Command], changed: Changed) -> None:
        self.processes = [Process(command) for command in commands]
        self._changed = changed
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._stopping = asyncio.Event()
        self._up = {command.name: asyncio.Event() for command in commands}

    async def run(self) -> None:
        """For ever, until `stop`: one watcher for each child, started one after the other."""
        async with asyncio.TaskGroup() as group:
            for process in self.processes:
                group.create_task(self._keep(process))

    async def stop(self, limit: float = 3.0) -> None:
        """SIGTERM to each child in reverse order, SIGKILL to those that do not end within `limit` seconds in all."""
        self._stopping.set()
        give_up = time.monotonic() + limit
        for process in reversed(self.processes):
            child = self._children.get(process.command.name)
            if child is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            await _ended(child, min(limit / 2, max(0.1, give_up - time.monotonic())))
            self._say(process, "stopped", process.error)

    def kill(self) -> None:
        """At once."""
        for child in self._children.values():
            child.kill()

    async def _keep(self, process: Process) -> None:
        if first := self._up.get(process.command.after):
            await first.wait()
        if (when := process.command.when) is not None and not when.is_set():
            self._say(process, "waiting", "")
            await when.wait()
        delay = process.command.policy.first_delay
        while not self._stopping.is_set():
            started = time.monotonic()
            error = await self._one_life(process)
            if self._stopping.is_set():
                return
            if time.monotonic() - started > process.command.policy.quiet:
                delay = process.command.policy.first_delay
            process.restarts += 1
            self._say(process, "restarting", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            delay = min(2 * delay, process.command.policy.longest_delay)

    async def _one_life(self, process: Process) -> str:
        """How it ended, as words for people."""
        command = process.command
        reader, writer = os.pipe()
        try:
            child = subprocess.Popen(  # noqa: ASYNC220 - takes a millisecond or two
                command.args,
                env={**os.environ, **command.env, HEARTBEAT: str(writer)},
                pass_fds=(writer,),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGKILL),  # noqa: PLW1509 - one system call, which takes no lock
            )
        finally:
            os.close(writer)
        self._children[command.name] = child
        process.pid = child.pid
        self._say(process, "starting", process.error)
        try:
            return await self._listen(process, child, reader)
        finally:
            os.close(reader)
            await _ended(child, 0.0 if child.poll() is None and not self._stopping.is_set() else 5.0)

    async def _listen(self, process: Process, child: subprocess.Popen[bytes], reader: int) -> str:
        os.set_blocking(reader, False)
        loop, beat = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(reader, beat.set)
        limit = process.command.first_silence
        try:
            while True:
                try:
                    async with asyncio.timeout(limit):
                        await beat.wait()
                except TimeoutError:
                    return f"gave no sign of life for {limit:g} s and was killed"
                beat.clear()
                try:
                    data = os.read(reader, 4096)
                except BlockingIOError:  # the event was set twice for one byte
                    continue
                if not data:
                    await _ended(child, 2.0)
                    return how_it_ended(child.returncode)
                limit = process.command.silence
                if process.state != "running":
                    self._say(process, "running", process.error)
        finally:
            loop.remove_reader(reader)

    def _say(self, process: Process, state: State, error: str) -> None:
        process.state, process.error = state, error
        if state == "running":
            self._up[process.command.name].set()
        self._changed(process)


async def _ended(child: subprocess.Popen[bytes], limit: float) -> None:
    """Waits for the end of a child, and kills it when it takes longer than `limit` seconds."""
    give_up = time.monotonic() + limit
    while child.poll() is None and time.monotonic() < give_up:  # noqa: ASYNC110 - an end is no event here
        await asyncio.sleep(0.02)
    if child.poll() is None:
        child.kill()
        child.wait()


def how_it_ended(code: int | None) -> str:
    """An exit code as words for people."""
    if code is not None and code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


async def beat_for_parent() -> None:
    """In a child: a byte into the parent's pipe every BEAT_EVERY seconds; ends when nobody listens."""
    number = os.environ.get(HEARTBEAT)
    if number is None:
        return
    with contextlib.suppress(BrokenPipeError):
        while True:
            with contextlib.suppress(BlockingIOError):
                os.write(int(number), b".")
            await asyncio.sleep(BEAT_EVERY)
