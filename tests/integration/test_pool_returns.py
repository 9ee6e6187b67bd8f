"""A connection that goes back to the pool leaves nothing to the next user, without being asked for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from onetape.storage.pool import open_pool, reading, transaction


async def failing(pool: Any) -> None:
    async with transaction(pool, durable=False) as connection:
        await connection.execute("CREATE TABLE half (x int)")
        raise ZeroDivisionError


async def test_failed_and_cancelled_transactions_are_gone_for_the_next_user(database_url: str) -> None:
    pool = await open_pool(database_url, max_size=1)  # the next user has the same connection
    with pytest.raises(ZeroDivisionError):
        await failing(pool)
    async with reading(pool) as connection:
        assert await connection.fetchval("SELECT to_regclass('half')") is None
        assert await connection.fetchval("SHOW synchronous_commit") == "on"

    async def long() -> None:
        async with transaction(pool) as connection:
            await connection.execute("CREATE TABLE half (x int)")
            await connection.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(long())
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with reading(pool) as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT to_regclass('half')") is None
    await pool.close()


async def test_transaction_left_open_by_hand_is_rolled_back(database_url: str) -> None:
    pool = await open_pool(database_url, max_size=1)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # asyncpg says it, too
    async with reading(pool) as connection:
        await connection.execute("BEGIN; CREATE TABLE half (x int)")
    async with reading(pool) as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT to_regclass('half')") is None
    await pool.close()
