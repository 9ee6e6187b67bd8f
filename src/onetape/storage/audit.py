"""What the comparison of venue candles with built ones found, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from onetape.domain.units import Micros, Timeframe
from onetape.ports import AuditCount, Verdict
from onetape.storage import verdicts as packed
from onetape.storage.pool import reading, transaction
from onetape.storage.sql import load

_LOCK: Final = 7_313_005


class PgAuditStore:
    """Fulfils ports.AuditStore. `pool` comes from storage.pool.open_pool."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        """See the port. One transaction; writers take turns."""
        if not verdicts:
            return
        keys = packed.keys_of(verdicts)
        columns = [list(column) for column in zip(*keys, strict=True)]
        async with transaction(self._pool, durable=False) as connection:
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            rows = await connection.fetch(load("verdicts_get"), *columns)
            known = {tuple(row.values())[:4]: row["verdicts"] for row in rows}
            change = packed.judged(known, verdicts)
            await self._write(
                connection, change, {key for key, block in change.blocks.items() if known.get(key) != block}
            )

    async def _write(self, connection: Any, change: packed.Change, new: set[packed.Key]) -> None:
        await connection.executemany(load("verdicts_put"), [(*key, change.blocks[key]) for key in sorted(new)])
        await connection.executemany(load("audit_count"), [(*key, n) for key, n in sorted(change.counts.items()) if n])
        differing = [v for v in change.changed if v.verdict not in packed.QUIET]
        settled = [v for v in change.changed if v.verdict in packed.QUIET]
        await connection.executemany(
            load("audit_settled"), [(v.exchange, v.symbol, v.timeframe, v.open_ts) for v in settled]
        )
        await connection.executemany(
            load("audit_put"),
            [(v.exchange, v.symbol, v.timeframe, v.open_ts, v.verdict, v.venue, v.built) for v in differing],
        )

    async def unjudged(self, exchange: str, symbol: str, timeframe: Timeframe, end_ts: Micros) -> list[Micros]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                load("verdicts_last"), exchange, symbol, str(timeframe), packed.place(timeframe, end_ts)[0] - 1
            )
        if not rows:
            return []
        blocks = {row["block"]: row["verdicts"] for row in rows if row["verdicts"] is not None}
        return packed.unjudged(blocks, rows[0]["first"], timeframe, end_ts)

    async def counts(self, exchange: str | None = None, symbol: str | None = None) -> list[AuditCount]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("audit_counts"), exchange, symbol)
        return [AuditCount(**row) for row in rows]

    async def differences(self, exchange: str, symbol: str, timeframe: Timeframe, limit: int = 100) -> list[Verdict]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("audit_newest"), exchange, symbol, str(timeframe), limit)
        return [Verdict(**row) for row in rows]
