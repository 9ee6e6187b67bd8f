"""Searches for parameters in PostgreSQL. Knows the pool and the SQL beside it."""

from __future__ import annotations

from typing import Any

from onetape.backtest.search.store import unknown
from onetape.domain.searches import Search, search_of
from onetape.storage import sql
from onetape.storage.pool import reading, transaction


class PgSearchStore:
    """Fulfils ports.SearchStore."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def begin(self, search: Search) -> None:
        """See the port."""
        async with transaction(self._pool) as connection:
            await connection.execute(sql.load("search_put"), search.id, search)

    async def get(self, search_id: str) -> Search:
        """See the port."""
        return search_of((await self._row(search_id))["search"])

    async def finish(self, search_id: str, found: dict[str, Any]) -> None:
        """See the port."""
        async with transaction(self._pool) as connection:
            await connection.execute(sql.load("search_finish"), search_id, found)

    async def found(self, search_id: str) -> dict[str, Any] | None:
        """See the port."""
        found: dict[str, Any] | None = (await self._row(search_id))["found"]
        return found

    async def _row(self, search_id: str) -> Any:
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(sql.load("search_get"), search_id)
        if row is None:
            raise unknown(search_id)
        return row
