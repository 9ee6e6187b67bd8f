"""From an empty database to the current tables, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
from importlib import resources
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetape.domain.errors import BadInput
from onetape.domain.units import DAY, MINUTE, parse_time, rfc3339
from onetape.storage.migrate import migrate, read_migrations, statements
from onetape.storage.partitions import ensure_partitions
from onetape.storage.pool import connect
from onetape.storage.rollups import TARGETS

FILES = sorted({m.version for m in read_migrations()})
NEWEST = FILES[-1]
MIGRATIONS = Path(str(resources.files("onetape.storage"))) / "migrations"


@pytest.fixture
async def empty_url(database_url: str) -> str:
    connection = await asyncpg.connect(database_url)
    await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await connection.close()
    return database_url


async def fetch(url: str, query: str, *args: Any) -> list[Any]:
    connection = await connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query, *args)]
    finally:
        await connection.close()


async def test_an_empty_database_becomes_current_and_stays_so(empty_url: str) -> None:
    assert await migrate(empty_url) == NEWEST
    before = await fetch(empty_url, "SELECT version, sha256, applied_at FROM schema_migration ORDER BY version")
    assert await migrate(empty_url) == NEWEST
    assert await fetch(empty_url, "SELECT version, sha256, applied_at FROM schema_migration ORDER BY version") == before
    assert [version for version, _, _ in before] == FILES


async def test_every_table_of_the_design_is_there(database_url: str) -> None:
    wanted = ["raw_market_data", "processed_market_data", "instruments", "gaps", "strategies", "bots", "signals"]
    wanted += ["orders", "trades", "bot_performance", "runs", "events"]
    rows = await fetch(
        database_url, "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL", wanted
    )
    assert rows == []


async def test_four_processes_at_once_apply_each_file_once(empty_url: str) -> None:
    assert await asyncio.gather(*(migrate(empty_url) for _ in range(4))) == [NEWEST] * 4
    assert await fetch(empty_url, "SELECT count(*) FROM schema_migration") == [(len(FILES),)]


async def test_a_newer_database_is_refused_with_a_remedy(database_url: str) -> None:
    await fetch(
        database_url,
        "INSERT INTO schema_migration (version, name, sha256, variant, took) VALUES (900, 'later', '', 'common', 0)",
    )
    with pytest.raises(BadInput, match=r"schema version 900.*newer than this program.*Start the onetape that made it"):
        await migrate(database_url)


async def test_a_server_that_is_too_old_is_refused(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onetape.storage.migrate.OLDEST", 99)
    with pytest.raises(BadInput, match="older than PostgreSQL 99"):
        await migrate(database_url)


async def test_an_edited_file_is_refused_by_name(empty_url: str, tmp_path: Path) -> None:
    file = tmp_path / "0001_first.sql"
    file.write_text("CREATE TABLE a (x int);")
    assert await migrate(empty_url, folder=tmp_path) == 1
    file.write_text("CREATE TABLE a (x bigint);")
    with pytest.raises(BadInput, match=r"0001_first.*an applied file was edited"):
        await migrate(empty_url, folder=tmp_path)


async def test_a_file_that_fails_leaves_nothing_of_itself(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE a (x int);")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE b (x int); CREATE TABLE a (x int);")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(empty_url, folder=tmp_path)
    assert await fetch(empty_url, "SELECT to_regclass('a') IS NULL, to_regclass('b') IS NULL") == [(False, True)]
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE b (x int);")
    assert await migrate(empty_url, folder=tmp_path) == 2


async def test_a_file_outside_transactions_is_run_statement_by_statement(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_first.sql").write_text("CREATE TABLE a (x int);")
    (tmp_path / "0002_index.sql").write_text(
        "-- transaction: off\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (x);\nINSERT INTO a VALUES (1);"
    )
    assert await asyncio.gather(*(migrate(empty_url, folder=tmp_path) for _ in range(3))) == [2, 2, 2]
    assert await fetch(
        empty_url, "SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"
    ) == [("i", True)]
    assert await fetch(empty_url, "SELECT x FROM a") == [(1,)]


async def test_only_files_of_the_chosen_variant_are_applied(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_both.sql").write_text("-- variant: common\nCREATE TABLE a (x int);")
    (tmp_path / "0002_native.sql").write_text("-- variant: native\nCREATE TABLE n (x int);")
    (tmp_path / "0002_timescale.sql").write_text("-- variant: timescale\nCREATE TABLE t (x int);")
    await migrate(empty_url, folder=tmp_path, timescale=False)
    assert await fetch(empty_url, "SELECT to_regclass('n') IS NULL, to_regclass('t') IS NULL") == [(False, True)]


def test_semicolons_in_strings_comments_and_bodies_do_not_end_a_statement() -> None:
    text = "SELECT ';' -- ;\n; /* ; */ SELECT $f$ a; b $f$, \"x;y\";\n;SELECT 'it''s;'"
    assert statements(text) == ["SELECT ';'", 'SELECT $f$ a; b $f$, "x;y"', "SELECT 'it''s;'"]


async def made_before_version_9(url: str, folder: Path, rows: list[tuple[int, int, str | None]]) -> None:
    """A database of that version whose gaps have these minutes, in order of their ids, and how they were closed."""
    for file in MIGRATIONS.glob("*.sql"):
        if int(file.name[:4]) < 9:
            (folder / file.name).write_text(file.read_text())
    await migrate(url, folder=folder)
    connection = await connect(url)
    await connection.executemany(
        """INSERT INTO gaps (exchange, symbol, channel, start_ts, end_ts, cause, closed_how, closed_at)
        VALUES ('okx', 'BTC-USDT', 'trades', $1, $2, 'lost', $3, CASE WHEN $3::text IS NOT NULL THEN now() END)""",
        [(start * MINUTE, end * MINUTE, how) for start, end, how in rows],
    )
    await connection.close()


SPLIT = "split into shorter gaps"
TRADES = "backfilled from trades"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            [(0, 120, SPLIT), (0, 60, TRADES), (60, 120, None)],
            [(0, 60, TRADES), (60, 120, None)],
            id="a hole that was split is its parts",
        ),
        pytest.param(
            [(0, 9, None), (3, 6, TRADES)], [(0, 3, None), (3, 6, TRADES), (6, 9, None)], id="closed in the middle"
        ),
        pytest.param([(0, 6, None), (3, 9, None)], [(0, 6, None), (6, 9, None)], id="both open"),
        pytest.param([(3, 6, None), (0, 9, TRADES)], [(0, 9, TRADES)], id="all of it closed by a longer one"),
        pytest.param(
            [(5, 10, TRADES), (0, 10, None), (0, 5, None)],
            [(0, 5, None), (5, 10, TRADES)],
            id="what is left of one row is the span of another that goes",
        ),
        pytest.param([(0, 6, TRADES), (3, 9, "none there")], [(0, 6, TRADES), (6, 9, "none there")], id="both closed"),
        pytest.param([(0, 3, None), (3, 6, TRADES)], [(0, 3, None), (3, 6, TRADES)], id="they only touch"),
    ],
)
async def test_old_holes_that_overlap_are_cut_apart_and_none_is_lost(
    empty_url: str,
    tmp_path: Path,
    before: list[tuple[int, int, str | None]],
    after: list[tuple[int, int, str | None]],
) -> None:
    await made_before_version_9(empty_url, tmp_path, before)
    assert await migrate(empty_url) == NEWEST
    rows = await fetch(empty_url, "SELECT start_ts, end_ts, closed_how FROM gaps ORDER BY start_ts")
    assert [(start // MINUTE, end // MINUTE, how) for start, end, how in rows] == after


@given(
    holes=st.lists(
        st.tuples(st.integers(0, 20), st.integers(1, 9), st.sampled_from([None, TRADES, "none there"])), max_size=12
    )
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_old_holes_there_were_they_cover_the_same_time_and_closed_stays_closed(
    holes: list[tuple[int, int, str | None]], database_url: str
) -> None:
    unique = {(start, start + length): how for start, length, how in holes}
    text = next(each.text for each in read_migrations() if each.version == 9)

    async def cut() -> list[Any]:
        connection = await connect(database_url)
        await connection.execute("ALTER TABLE gaps DROP COLUMN since_ts, DROP COLUMN seconds_left; TRUNCATE gaps")
        await connection.executemany(
            """INSERT INTO gaps (exchange, symbol, channel, start_ts, end_ts, cause, closed_how)
            VALUES ('okx', 'BTC-USDT', 'trades', $1, $2, 'lost', $3)""",
            [(start * MINUTE, end * MINUTE, how) for (start, end), how in unique.items()],
        )
        async with connection.transaction():
            await connection.execute(text)
        rows = await connection.fetch("SELECT start_ts, end_ts, closed_how FROM gaps ORDER BY start_ts, end_ts")
        await connection.close()
        return [tuple(row) for row in rows]

    rows = asyncio.run(cut())
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(rows))
    minutes = {m: how is None for start, end, how in rows for m in range(start // MINUTE, end // MINUTE)}
    closed = {m for (start, end), how in unique.items() if how for m in range(start, end)}
    assert minutes == {m: m not in closed for start, end in unique for m in range(start, end)}


@pytest.mark.native
async def test_missing_partitions_are_made_once_and_hold_their_rows(database_url: str) -> None:
    connection = await connect(database_url)
    first, last = parse_time("2012-03-01"), parse_time("2015-01-01")
    assert await ensure_partitions(connection, "processed_market_data", first, last) == 4  # 2012, 13, 14, 15
    assert await ensure_partitions(connection, "processed_market_data", first, last) == 0
    await connection.execute(
        """INSERT INTO processed_market_data (exchange, symbol, timeframe, "timestamp", open, high, low, close, volume)
        VALUES ('x', 'y', '1m', $1, 1, 1, 1, 1, 1)""",
        last,
    )
    rows = await connection.fetch("SELECT tableoid::regclass::text AS part, id FROM processed_market_data")
    assert [row["part"] for row in rows] == ["processed_market_data_20150101"]
    with pytest.raises(asyncpg.CheckViolationError, match="no partition"):
        await connection.execute(
            """INSERT INTO raw_market_data (exchange, symbol, channel, "timestamp", seq, recv_ts, data)
            VALUES ('x', 'y', 'c', '2001-01-01', 1, now(), '{}')"""
        )
    await connection.close()


@pytest.mark.native
async def test_several_processes_make_the_same_partitions_without_harm(database_url: str) -> None:
    start = parse_time("2020-06-01")
    connections = [await connect(database_url) for _ in range(3)]
    made = await asyncio.gather(
        *(ensure_partitions(c, "raw_market_data", start, start + 28 * DAY) for c in connections)
    )
    assert sum(made) == 5  # Mondays 1, 8, 15, 22, 29 June
    for connection in connections:
        await connection.close()


async def test_times_and_exact_numbers_cross_the_border_unchanged(database_url: str) -> None:
    ts = parse_time("2026-11-23T05:00:00.123457Z")
    row = await fetch(
        database_url,
        "SELECT $1::timestamptz, $2::numeric, $3::jsonb, $1::timestamptz::text",
        ts,
        0.1 + 0.2,
        {"a": [1, None]},
    )
    assert row == [(ts, 0.1 + 0.2, {"a": [1, None]}, "2026-11-23 05:00:00.123457+00")]
    assert rfc3339(ts) == "2026-11-23T05:00:00.123457Z"


@pytest.mark.timescale
async def test_on_timescaledb_the_series_are_hypertables(empty_url: str) -> None:
    assert await migrate(empty_url) == NEWEST
    assert await migrate(empty_url) == NEWEST
    tables = await fetch(empty_url, "SELECT hypertable_name::text FROM timescaledb_information.hypertables ORDER BY 1")
    assert tables == [("processed_market_data",), ("raw_market_data",)]
    names = await fetch(empty_url, "SELECT view_name::text FROM timescaledb_information.continuous_aggregates")
    assert {name for (name,) in names} == {f"cagg_{each}" for each in TARGETS}


async def test_longer_candles_have_the_same_names_everywhere(database_url: str) -> None:
    for each in TARGETS:
        assert await fetch(database_url, f"SELECT * FROM candles_{each}") == []
