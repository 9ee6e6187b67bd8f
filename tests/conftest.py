"""What every test may use.

Tests that use a database have one of their own, made from a migrated template: on an embedded PostgreSQL, or where
TEST_TIMESCALE_URL is set on that TimescaleDB server, with hypertables. So the same tests prove both variants.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

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


TIMESCALE: Final = os.environ.get("TEST_TIMESCALE_URL", "")
_SKIPPED: Final = {
    "native": TIMESCALE and "about native partitions, and TEST_TIMESCALE_URL is set",
    "timescale": not TIMESCALE and "needs TEST_TIMESCALE_URL, a TimescaleDB server",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, reason in _SKIPPED.items():
            if reason and item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=str(reason)))


def pytest_report_header() -> str:
    return f"storage: {'TimescaleDB, named by TEST_TIMESCALE_URL' if TIMESCALE else 'embedded PostgreSQL'}"


async def _command(url: str, *texts: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for text in texts:
            await connection.execute(text)
    finally:
        await connection.close()


class _Server(NamedTuple):
    """Where databases are made, and the migrated one that they are copies of."""

    root: str
    template: str

    def url(self, name: str) -> str:
        return urlsplit(self.root)._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="session")
def _postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    """One server per test process, or TimescaleDB for all of them."""
    if TIMESCALE:
        server = _Server(TIMESCALE, f"onetape_test_{os.getpid()}")
        _run(_command(server.root, f"CREATE DATABASE {server.template}"))
        _run(migrate(server.url(server.template)))
        # Background workers of the extension stay out of a template; they would keep it from being copied.
        _run(_command(server.root, f"ALTER DATABASE {server.template} IS_TEMPLATE true ALLOW_CONNECTIONS false"))
        _run(_command(server.root, _ALONE.format(server.template)))
        yield server
        _run(_command(server.root, f"ALTER DATABASE {server.template} IS_TEMPLATE false"))
        _run(_command(server.root, f"DROP DATABASE {server.template} WITH (FORCE)"))
        return
    embedded = EmbeddedPostgres(tmp_path_factory.mktemp("pg"), _FAST)
    url = _run(embedded.start())
    _run(migrate(url))
    yield _Server(url.replace("/onetape?", "/postgres?"), "onetape")
    _run(embedded.stop())


_ALONE: Final = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{}'"
_databases = itertools.count(1)


@pytest.fixture
def empty_database_url(_postgres: _Server) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    yield from _fresh(_postgres, "template0")


@pytest.fixture
def database_url(_postgres: _Server) -> Iterator[str]:
    """The URL of a fresh, migrated database that only this test uses."""
    yield from _fresh(_postgres, _postgres.template)


def _fresh(server: _Server, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_databases)}"
    _run(_command(server.root, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield server.url(name)
    _run(_command(server.root, f"DROP DATABASE {name} WITH (FORCE)"))


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
