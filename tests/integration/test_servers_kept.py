"""An embedded server that is killed (-9) is started again by its owner, at the same address, with all its commits."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis.asyncio as redis

from onetape.bus.embedded import EmbeddedValkey
from onetape.storage.embedded import EmbeddedPostgres
from onetape.supervisor.child import is_running_in

MAKE: dict[str, Callable[[Path], Any]] = {"postgres": EmbeddedPostgres, "valkey": EmbeddedValkey}
SOON = 20.0  # seconds; on an idle machine it takes one

kinds = pytest.mark.parametrize("kind", ["postgres", "valkey"])


async def put(kind: str, url: str) -> int:
    """One more committed row; gives how many there are."""
    if kind == "valkey":
        async with redis.from_url(url, retry=None) as client:
            return int(await client.incr("kept"))
    connection = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        await connection.execute("INSERT INTO kept VALUES (1)")
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    finally:
        await connection.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():
            await asyncio.sleep(0.01)


@kinds
async def test_a_killed_server_is_back_at_its_address_with_what_was_committed(kind: str, tmp_path: Path) -> None:
    embedded = MAKE[kind](tmp_path)
    url = await embedded.start()
    server, told = embedded.server, []
    keeping = asyncio.create_task(server.keep(lambda one: told.append((one.state, one.restarts, one.error))))
    assert await put(kind, url) == 1
    await asyncio.sleep(1.1)  # Valkey syncs its file once a second
    for deaths in (1, 2):
        first = server.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: server.restarts == deaths and server.state == "running")  # noqa: B023
        assert server.pid != first
    assert await put(kind, url) == 2
    ended = "was ended by SIGKILL"
    assert told == [("restarting", 0, ended), ("running", 1, ended), ("restarting", 1, ended), ("running", 2, ended)]
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await embedded.stop()
    assert not server.pid


async def test_postgres_is_back_at_once_though_a_query_of_the_dead_server_still_runs(tmp_path: Path) -> None:
    embedded = EmbeddedPostgres(tmp_path)
    url = await embedded.start()
    server = embedded.server
    keeping = asyncio.create_task(server.keep(lambda one: None))
    connection = await asyncpg.connect(url)
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    sums = "SELECT count(*) FROM generate_series(1, 3000) a, generate_series(1, 3000000) b"
    busy = asyncio.create_task(connection.execute(sums))
    await asyncio.sleep(0.5)
    assert is_running_in(backend, tmp_path / "postgres" / "data")
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: server.restarts == 1 and server.state == "running")
    assert not is_running_in(backend, tmp_path / "postgres" / "data")
    assert await put("postgres", url) == 1
    await asyncio.gather(busy, return_exceptions=True)
    connection.terminate()
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await embedded.stop()


@kinds
async def test_a_start_that_fails_is_tried_again_and_says_why(kind: str, tmp_path: Path) -> None:
    embedded = MAKE[kind](tmp_path)
    url = await embedded.start()
    server, launch, told = embedded.server, embedded.server._launch, []

    async def broken() -> Any:
        raise OSError("No space left on device")

    server._launch = broken
    keeping = asyncio.create_task(server.keep(lambda one: told.append(one.error)))
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: len(told) > 2)
    failed = "could not be started (No space left on device)"
    assert told[:3] == ["was ended by SIGKILL", failed, failed]
    server._launch = launch
    await until(lambda: server.state == "running")
    assert await put(kind, url) == 1
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await embedded.stop()


@kinds
async def test_a_server_of_another_process_is_not_kept(kind: str, tmp_path: Path) -> None:
    owner, guest = MAKE[kind](tmp_path), MAKE[kind](tmp_path)
    assert await owner.start() == await guest.start()
    async with asyncio.timeout(SOON):
        await guest.server.keep(lambda one: pytest.fail("it is not ours"))
    assert not guest.server.pid
    await owner.stop()
