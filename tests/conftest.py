"""What every test may use."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis
import structlog

from onetape.bus.embedded import EmbeddedValkey
from onetape.storage.embedded import EmbeddedPostgres
from onetape.storage.migrate import migrate
from onetape.storage.pool import open_pool

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def _logs_as_at_the_start() -> Iterator[None]:
    """A command under test sends the log to its own standard error, which is closed afterwards."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real market data beside the repository; the test is skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder of real market data (../shared/data) is not here")
    return folder


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine in a loop of its own, so that a fixture of the whole session needs no test's loop."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


# Nothing here must survive a crash, so nothing waits for the disk.
_FAST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "200"}


@pytest.fixture(scope="session")
def _postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One embedded PostgreSQL per test process, its database migrated: the template of every test's own."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("pg"), _FAST)
    url = _run(server.start())
    _run(migrate(url))
    yield url
    _run(server.stop())


_databases = itertools.count(1)


@pytest.fixture
def empty_database_url(_postgres: str) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database without any table."""
    yield from _fresh(_postgres, "template0")


@pytest.fixture
def database_url(_postgres: str) -> Iterator[str]:
    """The URL of a fresh, migrated PostgreSQL database that only this test uses."""
    yield from _fresh(_postgres, "onetape")


def _fresh(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_databases)}"
    root = server.replace("/onetape?", "/postgres?")

    async def command(text: str) -> None:
        connection = await asyncpg.connect(root)
        await connection.execute(text)
        await connection.close()

    _run(command(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield server.replace("/onetape?", f"/{name}?")
    _run(command(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Any]:
    """A pool on the test's own database."""
    opened = await open_pool(database_url)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def _valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = EmbeddedValkey(tmp_path_factory.mktemp("vk"))
    yield _run(server.start())
    _run(server.stop())


@pytest.fixture
def redis_url(_valkey: str) -> str:
    """The URL of an empty Valkey of this test process."""
    with redis.Redis.from_url(_valkey) as client:
        client.flushall()
    return _valkey
