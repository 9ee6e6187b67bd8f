"""Real child processes: started again when they die or fall silent, stopped in reverse order, none left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

from onetape.supervisor.processes import Command, Family, Process
from onetape.supervisor.services import Policy

BEATING = """
import asyncio
from onetape.supervisor.processes import beat_for_parent
asyncio.run(beat_for_parent())
"""
BLOCKED = """
import os, time
os.write(int(os.environ["ONETAPE_HEARTBEAT"]), b".")
time.sleep(60)
"""
STUBBORN = """
import asyncio, signal
from onetape.supervisor.processes import beat_for_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
asyncio.run(beat_for_parent())
"""
FAST = Policy(first_delay=0.01, longest_delay=0.05)


def command(name: str, code: str, silence: float = 10.0, after: str = "") -> Command:
    return Command(name, (sys.executable, "-c", code), silence=silence, policy=FAST, after=after)


class Watched:
    """A family that runs, and what it told."""

    def __init__(self, *commands: Command) -> None:
        self.told: list[tuple[str, str]] = []
        self._news = asyncio.Event()
        self.family = Family(commands, self._changed)
        self.task = asyncio.create_task(self.family.run())

    def _changed(self, process: Process) -> None:
        self.told.append((process.command.name, process.state))
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                self._news.clear()
                await self._news.wait()

    async def end(self, limit: float = 3.0) -> None:
        await self.family.stop(limit)
        await self.task

    def __getitem__(self, name: str) -> Process:
        return next(process for process in self.family.processes if process.command.name == name)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


async def test_a_child_that_waits_for_something_says_so_and_starts_when_it_has_happened() -> None:
    happened = asyncio.Event()
    waits = dataclasses.replace(command("two", BEATING), when=happened)
    watched = Watched(command("one", BEATING), waits)
    await watched.until(lambda: watched["one"].state == "running")
    assert watched["two"].state == "waiting"
    assert not watched["two"].pid
    happened.set()
    await watched.until(lambda: watched["two"].state == "running")
    assert watched["two"].restarts == 0
    await watched.end()


async def test_a_child_runs_from_its_first_beat_and_ends_with_the_family() -> None:
    watched = Watched(command("one", BEATING))
    await watched.until(lambda: watched["one"].state == "running")
    pid = watched["one"].pid
    await watched.end()
    assert watched.told == [("one", "starting"), ("one", "running"), ("one", "stopped")]
    assert not is_alive(pid)


async def test_a_killed_child_is_started_again_and_counted() -> None:
    watched = Watched(command("one", BEATING))
    await watched.until(lambda: watched["one"].state == "running")
    first = watched["one"].pid
    os.kill(first, signal.SIGKILL)
    await watched.until(lambda: watched["one"].state == "running" and watched["one"].pid != first)
    assert (watched["one"].restarts, watched["one"].error) == (1, "was ended by SIGKILL")
    await watched.end()


async def test_a_silent_child_is_killed_and_started_again() -> None:
    watched = Watched(command("mute", BLOCKED, silence=0.3))
    await watched.until(lambda: watched["mute"].restarts == 1)
    assert watched["mute"].error == "gave no sign of life for 0.3 s and was killed"
    await watched.end()


async def test_a_child_that_fails_at_once_says_how_it_ended() -> None:
    watched = Watched(command("broken", "raise SystemExit(3)"))
    await watched.until(lambda: watched["broken"].restarts >= 2)
    assert watched["broken"].error == "ended with exit code 3"
    await watched.end()


async def test_a_child_waits_for_the_one_it_needs() -> None:
    watched = Watched(command("second", BEATING, after="first"), command("first", BEATING))
    await watched.until(lambda: watched["second"].state == "running")
    assert watched.told.index(("first", "running")) < watched.told.index(("second", "starting"))
    await watched.end()


async def test_children_stop_in_reverse_order_and_a_stubborn_one_is_killed() -> None:
    watched = Watched(command("a", BEATING), command("b", STUBBORN))
    await watched.until(lambda: watched["a"].state == watched["b"].state == "running")
    pids = [process.pid for process in watched.family.processes]
    began = time.monotonic()
    await watched.end(limit=1.0)
    assert time.monotonic() - began < 5
    assert [name for name, state in watched.told if state == "stopped"] == ["b", "a"]
    assert not any(map(is_alive, pids))


def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = textwrap.dedent(f"""
        import asyncio, pathlib, sys
        from onetape.supervisor.processes import Command, Family
        def changed(process):
            if process.state == "running":
                pathlib.Path({str(note)!r}).write_text(str(process.pid))
        asyncio.run(Family([Command("one", (sys.executable, "-c", {BEATING!r}))], changed).run())
    """)
    parent = subprocess.Popen([sys.executable, "-c", code])
    give_up = time.monotonic() + 20
    while not (note.exists() and note.read_text()) and time.monotonic() < give_up:
        time.sleep(0.02)
    child = int(note.read_text())
    parent.kill()
    parent.wait()
    while is_alive(child) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert not is_alive(child)
