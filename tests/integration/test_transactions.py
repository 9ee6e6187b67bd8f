"""Transactions of the pool, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from onetape.domain.errors import BadInput, Transient
from onetape.storage.pool import reading, transaction


async def kinds(pool: Any) -> list[str]:
    async with reading(pool) as connection:
        return [row["kind"] for row in await connection.fetch("SELECT kind FROM events ORDER BY id")]


async def write(connection: Any, kind: str) -> None:
    await connection.execute("INSERT INTO events (actor, kind) VALUES ('test', $1)", kind)


async def test_an_exception_rolls_back_and_comes_through(pool: Any) -> None:
    async def half() -> None:
        async with transaction(pool) as connection:
            await write(connection, "half")
            raise BadInput("x", 1, "no good")

    with pytest.raises(BadInput, match="no good"):
        await half()
    assert await kinds(pool) == []


@pytest.mark.parametrize("durable", [True, False])
async def test_only_market_data_may_wait_for_the_disk(pool: Any, durable: bool) -> None:
    async with transaction(pool, durable=durable) as connection:
        await write(connection, "whole")
        assert await connection.fetchval("SHOW synchronous_commit") == ("on" if durable else "off")
    async with reading(pool) as connection:
        assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await kinds(pool) == ["whole"]


async def test_the_victim_of_a_deadlock_gets_a_transient_error(pool: Any) -> None:
    async with transaction(pool) as connection:
        await write(connection, "a")
        await write(connection, "b")
    ready = asyncio.Barrier(2)

    async def change(first: str, second: str) -> None:
        async with transaction(pool) as connection:
            await connection.execute("SET LOCAL deadlock_timeout = '10ms'")
            await connection.execute("UPDATE events SET subject = $1 WHERE kind = $2", first, first)
            await ready.wait()
            await connection.execute("UPDATE events SET subject = $1 WHERE kind = $2", first, second)

    ends = await asyncio.gather(change("a", "b"), change("b", "a"), return_exceptions=True)
    assert [type(end) for end in ends if end] == [Transient]
    assert any("deadlock" in str(end) for end in ends)
