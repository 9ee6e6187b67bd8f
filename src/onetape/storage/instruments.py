"""What is traded, and how that changed, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import InstrumentChange
from onetape.storage.pool import reading, transaction
from onetape.storage.sql import load


class PgInstrumentStore:
    """Fulfils ports.InstrumentStore. `pool` comes from storage.pool.open_pool."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def known(self, exchange: str) -> list[Instrument]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("instruments"))
        return [instrument_of(row) for row in rows if row["exchange"] == exchange]

    async def change(self, changes: Sequence[InstrumentChange]) -> None:
        """One transaction: what is known and how it came to that never disagree. A first sight is no change of
        anything and leaves no row."""
        rows = [(c.exchange, c.symbol, c.ts, c.recv_ts, c.before, c.instrument) for c in changes if c.before]
        async with transaction(self._pool) as connection:
            await connection.executemany(load("instruments_put"), [row_of(c.instrument) for c in changes])
            await connection.executemany(load("instrument_change_put"), rows)

    async def changes(self, exchange: str, symbol: str | None = None) -> list[InstrumentChange]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("instrument_changes"), exchange, symbol)
        return [msgspec.convert(dict(row), InstrumentChange) for row in rows]


def instrument_of(row: Any) -> Instrument:
    return Instrument(**{**row, "kind": Kind(row["kind"])})


def row_of(instrument: Instrument) -> tuple[Any, ...]:
    return tuple(getattr(instrument, name) for name in Instrument.__struct_fields__)
