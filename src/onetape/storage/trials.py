"""The ledger of trials in PostgreSQL. Knows the pool and the SQL beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from onetape.backtest.luck.independence import SAMPLE
from onetape.backtest.luck.memory import nothing_sealed, sealed_already
from onetape.domain.trials import STARTED, DataKey, LedgerView, Opening, Seal, Settled, Trial, unpack_returns
from onetape.domain.units import Micros
from onetape.storage import sql
from onetape.storage.pool import reading, transaction


class PgTrialLedger:
    """Fulfils ports.TrialLedger."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def reserve(self, trials: Sequence[Trial]) -> None:
        """See the port."""
        rows = [
            (one.id, one.kind, one.family, one.fingerprint, *one.data, one.timeframe, one.who, one.started_ts)
            for one in trials
        ]
        async with transaction(self._pool) as connection:
            await connection.executemany(sql.load("trial_reserve"), rows)

    async def settle(self, settled: Sequence[Settled]) -> None:
        """See the port."""
        rows = [
            (one.id, one.state, one.ended_ts, one.sharpe, one.scores, one.first_day, one.returns) for one in settled
        ]
        async with transaction(self._pool) as connection:
            await connection.executemany(sql.load("trial_settle"), rows)

    async def view(self, data: DataKey) -> LedgerView:
        """See the port."""
        async with reading(self._pool) as connection:
            found = await connection.fetchrow(sql.load("trial_view"), *data)
            kept = await connection.fetch(sql.load("trial_returns"), *data, SAMPLE)
        return LedgerView(
            found["runs"],
            found["trials"],
            np.array(found["sharpes"] or (), np.float64),
            tuple((row["first_day"], unpack_returns(row["returns"])) for row in kept),
        )

    async def of_search(self, search_id: str, since_ts: Micros = 0) -> list[tuple[str, Settled | None]]:
        """See the port."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("trial_of_search"), search_id, since_ts or None)
        return [(row["trial_id"], None if row["state"] == STARTED else _settled(row)) for row in rows]

    async def seal(self, seal: Seal) -> None:
        """See the port."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(sql.load("seal_put"), *msgspec.structs.astuple(seal))
        if (there := Seal(**row)) != seal:
            raise sealed_already(there)

    async def sealed(self, exchange: str, symbol: str) -> Seal | None:
        """See the port."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(sql.load("seal_get"), exchange, symbol)
        return None if row is None else Seal(**row)

    async def lift(self, exchange: str, symbol: str, ts: Micros, who: str) -> None:
        """See the port."""
        async with transaction(self._pool) as connection:
            if await connection.fetchval(sql.load("seal_lift"), exchange, symbol, ts, who) is None:
                raise nothing_sealed(exchange, symbol)

    async def open(self, opening: Opening) -> Opening:
        """See the port."""
        async with transaction(self._pool) as connection:
            return Opening(**await connection.fetchrow(sql.load("opening_put"), *msgspec.structs.astuple(opening)))

    async def opened(self, trial_id: str, outcome: dict[str, object]) -> None:
        """See the port."""
        async with transaction(self._pool) as connection:
            await connection.execute(sql.load("opening_settle"), trial_id, outcome)


def _settled(row: Any) -> Settled:
    return Settled(
        id=row["trial_id"],
        state=row["state"],
        ended_ts=row["ended_at"],
        sharpe=row["sharpe"],
        scores=row["scores"],
        first_day=row["first_day"],
        returns=bytes(row["returns"]),
    )
