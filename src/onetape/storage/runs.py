"""Backtests in PostgreSQL: what was asked, of which code and data, and what came out. Knows the pool and the SQL beside
it. Long columns are packed arrays (numpy's zip format) in one value each."""

from __future__ import annotations

import io
import math
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from onetape.backtest.report import kept
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.report import Report
from onetape.domain.results import BacktestSpec, Result, Trade
from onetape.ports import EVERY_RUN, OnlyRuns, RunView, StoredRun
from onetape.storage import sql
from onetape.storage.pool import reading, transaction

MOST: Final = 1000  # rows of one page


class PgRunStore:
    """Fulfils ports.RunStore."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def put(self, result: Result) -> None:
        run = kept(result)
        view = run.view
        async with transaction(self._pool) as connection:
            await connection.execute(
                sql.load("run_put"),
                view.run_id,
                view.spec.strategy,
                view.spec.exchange or result.candles.exchange,
                view.spec.symbol or result.candles.symbol,
                view.spec.timeframe,
                view.metrics["start_ts"],
                view.metrics["end_ts"],
                view.spec,
                view.manifest,
                view.metrics,
                run.trades,
                pack(ts=run.ts, equity=run.equity),
                pack(rows=run.fills, ts=run.fill_ts),
                run.report,
            )

    async def list(self, limit: int = 100, before: str = "", only: OnlyRuns = EVERY_RUN) -> tuple[list[RunView], str]:
        if not 1 <= limit <= MOST:
            raise BadInput("limit", limit, f"not from 1 to {MOST}", "Ask for more with the cursor `next`.")
        created_ts, run_id = read_cursor(before) if before else (None, None)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                sql.load("run_list"), created_ts, run_id, limit + 1,
                only.strategy, only.exchange, only.symbol, only.timeframe, only.since_ts,
            )  # fmt: skip
        page = [view_of(row) for row in rows[:limit]]
        return page, f"{page[-1].created_ts}.{page[-1].run_id}" if len(rows) > limit else ""

    async def get(self, run_id: str) -> StoredRun:
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(sql.load("run_get"), run_id)
        if row is None:
            raise missing(run_id)
        series, fills = unpack(row["series"]), unpack(row["fills"])
        return StoredRun(
            view=view_of(row),
            trades=msgspec.convert(row["trades"], list[Trade]),
            ts=series["ts"],
            equity=series["equity"],
            fills=fills["rows"],
            fill_ts=fills["ts"],
            report=None if row["report"] is None else msgspec.convert(row["report"], Report),
        )

    async def delete(self, run_id: str) -> None:
        async with transaction(self._pool) as connection:
            if await connection.fetchval(sql.load("run_delete"), run_id) is None:
                raise missing(run_id)


def missing(run_id: str) -> NotFound:
    return NotFound("run_id", run_id, "not a stored run", "`onetape runs list` and GET /api/v1/runs list them.")


def view_of(row: Any) -> RunView:
    return RunView(
        run_id=row["run_id"],
        spec=spec_of(row["spec"]),
        metrics=row["metrics"],
        manifest=row["manifest"],
        created_ts=row["created_at"],
    )


def spec_of(document: dict[str, Any]) -> BacktestSpec:
    """JSON has neither NaN (no exit) nor infinity (no limit): both are null in the row."""
    exits = [math.nan if rate is None else rate for rate in document["exits"]]
    limits = [math.inf if value is None else value for value in document["limits"]]
    return msgspec.convert(document | {"exits": exits, "limits": limits}, BacktestSpec, strict=False)


def read_cursor(text: str) -> tuple[int, str]:
    created_ts, _, run_id = text.partition(".")
    if not created_ts.isdigit() or not run_id:
        raise BadInput("before", text, "not a cursor", "Give the `next` of the page before, as it is.")
    return int(created_ts), run_id


def pack(**columns: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as columns:
        return {name: columns[name] for name in columns.files}
