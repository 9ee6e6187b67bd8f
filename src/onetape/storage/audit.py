"""What the comparison of venue candles with built ones found, in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from onetape.domain.units import Timeframe
from onetape.ports import AuditCount, Verdict
from onetape.storage.pool import reading, transaction
from onetape.storage.sql import load

_QUIET: Final = frozenset(("equal", "not judged"))  # counted only


class PgAuditStore:
    """Fulfils ports.AuditStore. `pool` comes from storage.pool.open_pool."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        """See the port. One transaction."""
        counts = Counter((v.exchange, v.symbol, v.timeframe, v.verdict) for v in verdicts)
        rows = [(*key, n) for key, n in sorted(counts.items())]
        differing = [v for v in verdicts if v.verdict not in _QUIET]
        async with transaction(self._pool, durable=False) as connection:
            await connection.executemany(load("audit_count"), rows)
            await connection.executemany(
                load("audit_put"),
                [(v.exchange, v.symbol, v.timeframe, v.open_ts, v.verdict, v.venue, v.built) for v in differing],
            )

    async def counts(self, exchange: str | None = None, symbol: str | None = None) -> list[AuditCount]:
        async with reading(self._pool) as connection:
            return [AuditCount(**row) for row in await connection.fetch(load("audit_counts"), exchange, symbol)]

    async def differences(self, exchange: str, symbol: str, timeframe: Timeframe, limit: int = 100) -> list[Verdict]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(load("audit_newest"), exchange, symbol, str(timeframe), limit)
        return [Verdict(**row) for row in rows]
