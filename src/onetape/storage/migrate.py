"""From an empty database to the current tables: numbered SQL files, each applied once, in order.

A file `0002_name.sql` says in its first comments which servers it is for (`-- variant: common|native|timescale`) and
whether it may run in a transaction (`-- transaction: off`; such a file must be written so that it can run twice). The
variant is chosen once, when the database is made, and then read from its own record: a database never changes sides.
There is no way down: restore a backup.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
import time
from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, Final

import asyncpg

from onetape.clock import RealClock
from onetape.domain.errors import BadInput, Transient
from onetape.observe import log
from onetape.storage.partitions import make_ahead
from onetape.storage.pool import connect, translated

COMMON, NATIVE, TIMESCALE = "common", "native", "timescale"
LOCK_TIMEOUT: Final = 120.0
OLDEST: Final = 14  # major version of PostgreSQL
_LOCK: Final = 7_313_001
_FILE: Final = re.compile(r"(\d{4})_(\w+)\.sql")
_HEADER: Final = re.compile(r"^-- (variant|transaction): *(\w+)", re.MULTILINE)
_TOKEN: Final = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(\$\w*\$).*?\1|;|[^;'"$/-]+|.""", re.DOTALL
)
_RECORD: Final = """
CREATE TABLE IF NOT EXISTS schema_migration (
  version    integer PRIMARY KEY,
  name       text NOT NULL,
  sha256     text NOT NULL,
  variant    text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  took       double precision NOT NULL
)"""


@dataclasses.dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    variant: str
    in_transaction: bool
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_migrations(folder: Traversable | None = None) -> list[Migration]:
    """All files of the folder (of this package by default), by version."""
    found = []
    for file in (folder or resources.files(__package__).joinpath("migrations")).iterdir():
        if not (name := _FILE.fullmatch(file.name)):
            continue
        text = file.read_text(encoding="utf-8")
        header = dict(_HEADER.findall(text))
        found.append(
            Migration(int(name[1]), name[2], header.get("variant", COMMON), header.get("transaction") != "off", text)
        )
    return sorted(found, key=lambda m: (m.version, m.variant))


def statements(text: str) -> list[str]:
    """The single statements of an SQL text; semicolons in strings, comments and bodies of functions do not count."""
    parts = [""]
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            parts.append("")
        elif not token[0].startswith(("--", "/*")):
            parts[-1] += token[0]
    return [part.strip() for part in parts if part.strip()]


async def migrate(url: str, *, folder: Traversable | None = None, timescale: bool = True) -> int:
    """Brings the database to the current version and gives that version. Running it again changes nothing.

    `timescale=False` makes native partitions even where the extension is there. Several processes may call it at once:
    one works, the others wait. Raises BadInput when an applied file was edited or the database is newer than the files.
    """
    migrations = read_migrations(folder)
    connection = await connect(url)
    try:
        with translated():
            await _check_server(connection)
            await _lock(connection)
            version = await _apply_missing(connection, migrations, timescale)
            if folder is None:
                await make_ahead(connection, RealClock().now())
            return version
    finally:
        await connection.close(timeout=5)


async def up_to_date(connection: Any) -> bool:
    """Whether all tables are there that this program needs."""
    try:
        applied = await connection.fetch("SELECT version, variant FROM schema_migration")
    except asyncpg.UndefinedTableError:
        return False
    variants = {row["variant"] for row in applied} | {COMMON}
    wanted = {m.version for m in read_migrations() if m.variant in variants}
    return len(variants) > 1 and wanted <= {row["version"] for row in applied}


async def _check_server(connection: Any) -> None:
    number = int(await connection.fetchval("SHOW server_version_num"))
    if number < OLDEST * 10_000:
        raise BadInput(
            "ONETAPE_DATABASE_URL",
            f"PostgreSQL {number // 10_000}",
            f"older than PostgreSQL {OLDEST}, the oldest that onetape works with",
            "Upgrade the server, or leave the variable empty: onetape then starts one of its own.",
        )


async def _lock(connection: Any) -> None:
    """Asks again and again instead of waiting inside the server: a waiter's snapshot would block CREATE INDEX
    CONCURRENTLY, which waits for every open snapshot, and both would wait for ever."""
    give_up = time.monotonic() + LOCK_TIMEOUT
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        if time.monotonic() > give_up:
            raise Transient("Another process has been changing the tables for two minutes.")
        await asyncio.sleep(0.05)


async def _apply_missing(connection: Any, migrations: list[Migration], timescale: bool) -> int:
    await connection.execute(_RECORD)
    applied = {row["version"]: row for row in await connection.fetch("SELECT * FROM schema_migration")}
    known = max((m.version for m in migrations), default=0)
    if (newest := max(applied, default=0)) > known:
        raise BadInput(
            "the database",
            f"schema version {newest}",
            f"newer than this program, which knows version {known}",
            "Start the onetape that made it, or a newer one; or use another database or --data-dir.",
        )
    variant = await _variant(connection, applied.values(), timescale)
    for migration in migrations:
        if migration.variant not in (COMMON, variant):
            continue
        if before := applied.get(migration.version):
            _check_unchanged(migration, before)
        else:
            await _apply(connection, migration)
    return known


async def _variant(connection: Any, applied: Iterable[Any], timescale: bool) -> str:
    """What this database is: as recorded, else TimescaleDB where the server has it loaded and it is wanted."""
    recorded = {row["variant"] for row in applied} - {COMMON}
    if recorded:
        return str(recorded.pop())
    loaded = await connection.fetchval(
        """
        SELECT current_setting('shared_preload_libraries') ~ 'timescaledb'
           AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
        """
    )
    return TIMESCALE if timescale and loaded else NATIVE


def _check_unchanged(migration: Migration, before: Any) -> None:
    if before["sha256"] == migration.sha256:
        return
    raise BadInput(
        f"migration {migration.version:04}_{migration.name}",
        before["sha256"][:12],
        f"not the file that was applied to this database (now {migration.sha256[:12]}): an applied file was edited",
        "Put the file back and write the change as a new one; or use an empty database.",
    )


async def _apply(connection: Any, migration: Migration) -> None:
    began = time.monotonic()
    if migration.in_transaction:
        async with connection.transaction():
            await connection.execute(migration.text)
            await _record(connection, migration, time.monotonic() - began)
    else:
        for statement in statements(migration.text):
            await connection.execute(statement)
        await _record(connection, migration, time.monotonic() - began)
    log.info("migration_applied", version=migration.version, name=migration.name, variant=migration.variant)


async def _record(connection: Any, migration: Migration, took: float) -> None:
    await connection.execute(
        "INSERT INTO schema_migration (version, name, sha256, variant, took) VALUES ($1, $2, $3, $4, $5)",
        migration.version,
        migration.name,
        migration.sha256,
        migration.variant,
        took,
    )
