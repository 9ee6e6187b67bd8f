"""Strategies in PostgreSQL: what there is, and what the gate found. Knows the pool and the SQL beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from onetape.storage import sql
from onetape.storage.pool import reading, transaction
from onetape.strategies.gate import GateReport
from onetape.strategies.registry import Registry


class PgStrategyStore:
    """Fulfils ports.GateStore."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def register(self, registry: Registry) -> None:
        """Writes down what there is; results of the gate for other code are forgotten."""
        rows = [
            (
                tag,
                registry.entry(tag).says,
                registry.build(tag).parameters(),
                registry.schema(tag),
                registry.source_hash(tag),
            )
            for tag in registry.list()
        ]
        async with transaction(self._pool) as connection:
            await connection.executemany(sql.load("strategy_put"), rows)

    async def load(self) -> dict[str, GateReport]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("strategy_gates"))
        return {row["key"]: msgspec.convert(row["value"], GateReport) for row in rows}

    async def put(self, key: str, report: GateReport) -> None:
        async with transaction(self._pool) as connection:
            await connection.execute(sql.load("strategy_gate"), report.strategy, key, report)
