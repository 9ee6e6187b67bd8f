"""Connections to PostgreSQL, and how its types look from here.

Every connection of the pool speaks the domain's types: `timestamptz` is an int of UTC microseconds, `numeric` a float
(written as its shortest exact decimal text, so that it comes back bit for bit), `json` and `jsonb` are what msgspec
makes of them (a struct may be given as it is; NaN becomes null). Connection losses and deadlocks are raised as
Transient.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import asyncpg
import msgspec

from onetape.domain.addresses import without_password
from onetape.domain.errors import BadInput, Transient
from onetape.domain.units import Micros

EPOCH_2000: Final[Micros] = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01
CONNECT_TIMEOUT: Final = 10.0
COMMAND_TIMEOUT: Final = 60.0
ACQUIRE_TIMEOUT: Final = 15.0

_LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,  # disk full, no memory, too many connections
    asyncpg.ReadOnlySQLTransactionError,  # a standby that is not yet the primary
    asyncpg.PostgresSystemError,  # the server's own disk failed it
    asyncpg.OperatorInterventionError,  # shutting down, starting up, crashed, timed out
)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _numeric(value: float) -> str:
    return repr(value)


async def speak_domain(connection: Any) -> None:
    """Teaches one connection the types of the domain."""
    kinds: dict[str, tuple[Any, Any, str]] = {
        "jsonb": (_text, msgspec.json.decode, "text"),
        "json": (_text, msgspec.json.decode, "text"),
        "numeric": (_numeric, float, "text"),
        "timestamptz": (lambda ts: (ts - EPOCH_2000,), lambda row: row[0] + EPOCH_2000, "tuple"),
    }
    for name, (encoder, decoder, form) in kinds.items():
        await connection.set_type_codec(name, schema="pg_catalog", encoder=encoder, decoder=decoder, format=form)


@contextmanager
def translated() -> Iterator[None]:
    """Raises Transient for what may pass: connection lost, server stopping, deadlock, nothing free, a full disk."""
    try:
        yield
    except _LOST as problem:
        raise Transient(f"PostgreSQL did not answer: {str(problem) or type(problem).__name__}") from problem
    except asyncpg.InterfaceError as problem:
        if "clos" not in str(problem):  # "connection is closed", "pool is closing"; anything else is a bug of ours
            raise
        raise Transient(f"PostgreSQL did not answer: {problem}") from problem
    except asyncpg.InternalClientError as problem:
        if "cannot switch to state" not in str(problem):  # a server that dies in the middle of a statement leaves this
            raise
        raise Transient(f"PostgreSQL went away in the middle of a statement: {problem}") from problem


async def connect(url: str) -> Any:
    """One connection outside a pool, for migrations and tools. Raises BadInput or Transient."""
    with _readable(url), _named(url), translated():
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, command_timeout=None)
    await speak_domain(connection)
    return connection


async def open_pool(
    url: str, *, min_size: int = 1, max_size: int = 10, usable: Callable[[Any], Awaitable[bool]] | None = None
) -> Any:
    """A pool for one process. Raises BadInput for an URL that cannot be used, Transient when the server is away; with
    `min_size` 0 the server is first asked when somebody wants a connection. Until `usable` has said yes of one
    connection, the server counts as away."""
    checked = usable is None

    async def prepare(connection: Any) -> None:
        nonlocal checked
        if not checked and usable is not None:
            checked = await usable(connection)
            if not checked:
                raise Transient("PostgreSQL is there, but its tables are not up to date yet.")
        await speak_domain(connection)

    with _readable(url), _named(url), translated():
        return await asyncpg.create_pool(
            url,
            min_size=min_size,
            max_size=max_size,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            init=prepare,
            reset=_left_clean,
            server_settings={"application_name": "onetape"},
        )


async def _left_clean(connection: Any) -> None:
    """A connection goes back to the pool without one more way to the server. An open transaction is rolled back by the
    pool itself, and nothing here outlives a transaction: settings are LOCAL, locks `xact`, staging tables end with it.
    """


@contextmanager
def _named(url: str) -> Iterator[None]:
    """Says which server it was that did not answer."""
    try:
        yield
    except Transient as problem:
        remedy = "Is it running, and is ONETAPE_DATABASE_URL right?"
        raise Transient(f"{problem}. The server is {without_password(url)}. {remedy}") from problem


@contextmanager
def _readable(url: str) -> Iterator[None]:
    remedy = "Write postgresql://user:password@host:5432/database."
    if not url.startswith(("postgresql://", "postgres://")):
        raise BadInput("ONETAPE_DATABASE_URL", without_password(url), "not the address of a PostgreSQL server", remedy)
    try:
        yield
    except (ValueError, asyncpg.ClientConfigurationError) as problem:
        raise BadInput("ONETAPE_DATABASE_URL", without_password(url), f"not usable ({problem})", remedy) from problem
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as problem:
        raise BadInput(
            "ONETAPE_DATABASE_URL", without_password(url), f"refused by the server ({problem})", remedy
        ) from problem


@asynccontextmanager
async def reading(pool: Any) -> AsyncIterator[Any]:
    """A connection for reads; each statement stands alone."""
    with translated():
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT) as connection:
            yield connection


@asynccontextmanager
async def transaction(pool: Any, *, durable: bool = True) -> AsyncIterator[Any]:
    """A connection inside a transaction, committed at the end of the block and rolled back by an exception.

    `durable=False` is for market data only: a crash of the server may lose the last half second of it, never more and
    never other rows, and it can be fetched again.
    """
    with translated():
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT) as connection, connection.transaction():
            if not durable:
                await connection.execute("SET LOCAL synchronous_commit = off")
            yield connection
