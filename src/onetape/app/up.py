"""The parent process: owns the data directory, the embedded servers and the signals, and keeps the roles running.

Publishes the state of every service over the bus. Everything that a person sees on the terminal goes through `Say`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from onetape.app.listen import listen
from onetape.app.wiring import Platform, open_platform
from onetape.bus.redis import check as check_bus
from onetape.clock import RealClock
from onetape.domain import topics
from onetape.domain.errors import BadInput, Taken
from onetape.domain.services import ServiceState
from onetape.observe import log
from onetape.settings import Settings
from onetape.supervisor import child
from onetape.supervisor.processes import Command, Family, Process

ORDER: Final = ("collector", "trader", "web")  # started in this order, stopped in reverse
TOLD_EVERY: Final = 2.0  # seconds between two heartbeats over the bus
STOP_LIMIT: Final = 3.5  # seconds for all children together

Say = Callable[[str], None]
Prepare = Callable[[Platform, Say], Awaitable[Sequence[Command]]]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    roles: tuple[str, ...] = ORDER
    browser: bool = True


def role_command(role: str, platform: Platform, after: str = "") -> Command:
    return Command(role, (sys.executable, "-m", "onetape.app.roles", role), platform.outside, after=after)


@contextlib.contextmanager
def owned(data_dir: Path, roles: Sequence[str]) -> Iterator[None]:
    """The locks of the roles on a data directory. Raises Taken when another onetape holds one."""
    locks: list[int] = []
    try:
        for role in roles:
            found = child.try_lock(data_dir / "run" / f"{role}.lock")
            if found is None:
                raise Taken(
                    "--data-dir",
                    str(data_dir),
                    "in use: another onetape runs on it",
                    "Stop it, or name another folder.",
                )
            locks.append(found)
        yield
    finally:
        for lock in locks:
            os.close(lock)


def check_port(settings: Settings) -> None:
    """Raises BadInput when nobody could listen there."""
    if not 0 < settings.port < 65_536:
        raise BadInput("--port", settings.port, "not a port", "Use 1 to 65535.")
    listen(settings.host, settings.port).close()


async def up(settings: Settings, wanted: Wanted, prepare: Prepare | None, say: Say) -> None:
    """Until Ctrl-C or SIGTERM. `prepare` works on the open platform first and adds children of its own."""
    with owned(settings.data_dir, wanted.roles):
        if "web" in wanted.roles:
            check_port(settings)
        if settings.redis_url:
            await check_bus(settings.redis_url)
        asked = _Asked()
        async with open_platform(settings) as platform:
            preparing = asyncio.ensure_future(_commands(platform, wanted, prepare, say))
            await asyncio.wait((preparing, asked.task), return_when=asyncio.FIRST_COMPLETED)
            prepared = preparing.done()
            if prepared:
                await _keep(platform, preparing.result(), asked, wanted, say)
        say("Stopped.")
        if not prepared:  # a thread may still be compiling kernels, and nothing can stop it
            sys.stdout.flush()
            os._exit(0)


async def _commands(platform: Platform, wanted: Wanted, prepare: Prepare | None, say: Say) -> list[Command]:
    extra = await prepare(platform, say) if prepare else ()
    first = extra[0].name if extra else ""  # the market must be there before somebody records it
    after = {"collector": first}
    return [*extra, *(role_command(role, platform, after.get(role, "")) for role in ORDER if role in wanted.roles)]


class _Asked:
    """The wish to stop: the first SIGINT or SIGTERM asks, the second kills the children."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.family: Family | None = None
        self.task = asyncio.ensure_future(self._event.wait())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._event.is_set() and self.family is not None:
            self.family.kill()
        self._event.set()


async def _keep(platform: Platform, commands: list[Command], asked: _Asked, wanted: Wanted, say: Say) -> None:
    first_web = asyncio.Event()

    def changed(process: Process) -> None:
        _publish(platform, process)
        if process.command.name == "web" and process.state == "running":
            first_web.set()
        if process.state == "restarting":
            say(f"{process.command.name} {process.error}; it is started again.")
            log.info("service_restarted", name=process.command.name, error=process.error)

    family = asked.family = Family(commands, changed)
    running = [
        asyncio.ensure_future(family.run()),
        asyncio.ensure_future(_tell(platform, family)),
        asyncio.ensure_future(_greet(platform.settings, first_web, wanted, say)),
    ]
    try:
        await asyncio.wait((asked.task, running[0]), return_when=asyncio.FIRST_COMPLETED)
        if asked.task.done():
            say("Stopping.")
    finally:
        await family.stop(STOP_LIMIT)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _publish(platform: Platform, process: Process) -> None:
    state = ServiceState(
        name=process.command.name,
        state=process.state,
        restarts=process.restarts,
        error=process.error,
        pid=process.pid,
        ts=RealClock().now(),
    )
    platform.bus.publish(topics.service(state.name), state)


async def _tell(platform: Platform, family: Family) -> None:
    while True:
        for process in family.processes:
            _publish(platform, process)
        await asyncio.sleep(TOLD_EVERY)


async def _greet(settings: Settings, open_: asyncio.Event, wanted: Wanted, say: Say) -> None:
    await open_.wait()
    host = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else settings.host
    address = f"http://{host}:{settings.port}"
    say(f"onetape is ready: {address}   (Ctrl-C stops it)")
    if wanted.browser and has_display():
        await asyncio.to_thread(_open_browser, address)


def has_display() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_browser(address: str) -> None:
    import webbrowser

    webbrowser.open(address)
