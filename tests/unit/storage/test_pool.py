"""What PostgreSQL's errors become, and what of an address is shown."""

from __future__ import annotations

import asyncpg
import pytest

from onetape.domain.errors import BadInput, Transient
from onetape.storage.pool import open_pool, translated


@pytest.mark.parametrize(
    "problem",
    [
        ConnectionRefusedError("refused"),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.DeadlockDetectedError("deadlock"),
        asyncpg.AdminShutdownError("terminating"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.TooManyConnectionsError("too many clients"),
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.OutOfMemoryError("out of memory"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        asyncpg.PostgresIOError("could not write block"),
        asyncpg.InterfaceError("connection is closed"),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_what_may_pass_is_transient(problem: Exception) -> None:
    with pytest.raises(Transient, match="PostgreSQL did not answer"), translated():
        raise problem


@pytest.mark.parametrize(
    "problem",
    [asyncpg.UniqueViolationError("twice"), asyncpg.InterfaceError("another operation is in progress"), KeyError("x")],
    ids=lambda problem: type(problem).__name__,
)
def test_a_bug_stays_what_it_is(problem: Exception) -> None:
    with pytest.raises(type(problem)), translated():
        raise problem


@pytest.mark.parametrize("url", ["mysql://me:secret@host/db", "me:secret@host", "postgresql://me:secret@host:x/db"])
async def test_an_address_that_cannot_be_used_is_shown_without_its_password(url: str) -> None:
    with pytest.raises(BadInput, match="ONETAPE_DATABASE_URL") as caught:
        await open_pool(url)
    assert "secret" not in str(caught.value)
    assert "postgresql://user:password@host" in caught.value.remedy


async def test_a_server_that_is_not_there_is_transient() -> None:
    with pytest.raises(Transient):
        await open_pool("postgresql://me:secret@127.0.0.1:1/db")
