"""The parent process: owns the data directory, the embedded servers and the signals, and keeps the roles running.

Publishes the state of every service over the bus. Everything that a person sees on the terminal goes through `Say`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from onetape.app.listen import listen
from onetape.app.roles import PATIENT
from onetape.app.wiring import Platform, open_platform
from onetape.bus.redis import check as check_bus
from onetape.clock import RealClock, backoff_delays
from onetape.domain import topics
from onetape.domain.errors import BadInput, Taken, Transient
from onetape.domain.services import ServiceState
from onetape.observe import log
from onetape.settings import Settings
from onetape.storage.migrate import migrate
from onetape.supervisor import child
from onetape.supervisor.owned import OwnedServer
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


def role_command(role: str, platform: Platform, after: str = "", when: asyncio.Event | None = None) -> Command:
    args = (sys.executable, "-m", "onetape.app.roles", role)
    return Command(role, args, platform.outside, after=after, when=when)


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
        async with open_platform(settings, patient=prepare is None) as platform, _kept_servers(platform, say):
            tables = asyncio.Event()
            preparing = asyncio.ensure_future(_commands(platform, wanted, prepare, say, tables))
            await asyncio.wait((preparing, asked.task), return_when=asyncio.FIRST_COMPLETED)
            prepared = preparing.done()
            if prepared:
                making = asyncio.ensure_future(make_tables(platform.database_url, wanted, tables, say))
                await _keep(platform, preparing.result(), asked, making, wanted, say)
        say("Stopped.")
        if not prepared:  # a thread may still be compiling kernels, and nothing can stop it
            sys.stdout.flush()
            os._exit(0)


async def _commands(
    platform: Platform, wanted: Wanted, prepare: Prepare | None, say: Say, tables: asyncio.Event
) -> list[Command]:
    extra = await prepare(platform, say) if prepare else ()
    first = extra[0].name if extra else ""  # the market must be there before somebody records it
    after = {"collector": first}
    return [
        *extra,
        *(
            role_command(role, platform, after.get(role, ""), None if role in PATIENT else tables)
            for role in ORDER
            if role in wanted.roles
        ),
    ]


async def make_tables(url: str, wanted: Wanted, made: asyncio.Event, say: Say) -> None:
    """Brings the tables up to date as soon as the server answers; until then what is recorded waits on disk. Raises
    BadInput when that server or its tables cannot be used."""
    told = False
    for delay in backoff_delays(0.2, 5.0):
        await asyncio.sleep(delay)
        try:
            await migrate(url)
            break
        except Transient as error:
            if not told:
                recorded = "collector" in wanted.roles
                meanwhile = "The market is recorded to disk meanwhile; the rest starts" if recorded else "This starts"
                say(f"{error} {meanwhile} when it answers.")
                log.warning("tables_delayed", problem=str(error))
            told = True
    if told:
        say("PostgreSQL answers; its tables are up to date.")
    made.set()


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


@contextlib.asynccontextmanager
async def _kept_servers(platform: Platform, say: Say) -> AsyncIterator[None]:
    """Meanwhile an embedded server that dies is started again."""

    def changed(server: OwnedServer) -> None:
        _publish(platform, server.name, server)
        if server.state == "restarting":
            _restarted(server.name, server.error, say)

    kept = [asyncio.ensure_future(server.keep(changed)) for server in platform.servers]
    try:
        yield
    finally:
        for task in kept:
            task.cancel()
        await asyncio.gather(*kept, return_exceptions=True)


def _restarted(name: str, error: str, say: Say) -> None:
    say(f"{name} {error}; it is started again.")
    log.warning("service_restarted", name=name, error=error)


async def _keep(
    platform: Platform,
    commands: list[Command],
    asked: _Asked,
    making: asyncio.Future[None],
    wanted: Wanted,
    say: Say,
) -> None:
    first_web = asyncio.Event()

    def changed(process: Process) -> None:
        _publish(platform, process.command.name, process)
        if process.command.name == "web" and process.state == "running":
            first_web.set()
        if process.state == "restarting":
            _restarted(process.command.name, process.error, say)

    family = asked.family = Family(commands, changed)
    running = [
        asyncio.ensure_future(family.run()),
        asyncio.ensure_future(_tell(platform, family)),
        asyncio.ensure_future(_greet(platform.settings, first_web, wanted, say)),
        making,
    ]
    over = (asked.task, running[0])
    try:
        await asyncio.wait((*over, making), return_when=asyncio.FIRST_COMPLETED)
        if making.done():
            making.result()  # raises what cannot be mended by waiting
            await asyncio.wait(over, return_when=asyncio.FIRST_COMPLETED)
        if asked.task.done():
            say("Stopping.")
    finally:
        await family.stop(STOP_LIMIT)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _publish(platform: Platform, name: str, now: Process | OwnedServer) -> None:
    state = ServiceState(
        name=name,
        state=now.state,
        restarts=now.restarts,
        error=now.error,
        pid=now.pid,
        ts=RealClock().now(),
    )
    platform.bus.publish(topics.service(state.name), state)


async def _tell(platform: Platform, family: Family) -> None:
    while True:
        for process in family.processes:
            _publish(platform, process.command.name, process)
        for server in platform.servers:
            if server.pid:
                _publish(platform, server.name, server)
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
