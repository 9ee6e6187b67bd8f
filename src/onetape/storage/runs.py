"""Backtests in PostgreSQL: what was asked, of which code and data, and what came out. Knows the pool and the SQL beside
it. Long columns are packed arrays (numpy's zip format) in one value each."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from onetape.backtest.report import kept
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.report import Report
from onetape.domain.results import Result, Trade, spec_from
from onetape.ports import EVERY_RUN, SMALL_IS_GOOD, OnlyRuns, RunPage, RunView, StoredRun
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

    async def list(self, limit: int = 100, before: str = "", only: OnlyRuns = EVERY_RUN) -> RunPage:
        if not 1 <= limit <= MOST:
            raise BadInput("limit", limit, f"not from 1 to {MOST}", "Ask for more with the cursor `next`.")
        after = read_cursor(before) if before else (None, None, None)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                sql.load("run_list"), *after, limit + 1, only.strategy, only.exchange, only.symbol, only.timeframe,
                only.begins, [f"%{escaped(word)}%" for word in only.text.split()], only.since_ts, only.until_ts,
                only.sort, -1.0 if only.sort in SMALL_IS_GOOD else 1.0,
            )  # fmt: skip
        page = [view_of(row) for row in rows[:limit]]
        last = rows[len(page) - 1] if len(rows) > limit else None
        following = f"{last['created_at']}.{last['run_id']}.{last['rank']!r}" if last else ""
        return RunPage(page, following, rows[0]["fitting"] if rows else 0)

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
        spec=spec_from(row["spec"]),
        metrics=row["metrics"],
        manifest=row["manifest"],
        created_ts=row["created_at"],
    )


def read_cursor(text: str) -> tuple[float, int, str]:
    """Rank, time and id of the row that it names."""
    created_ts, _, rest = text.partition(".")
    run_id, _, rank = rest.partition(".")
    if created_ts.isdigit() and run_id:
        with contextlib.suppress(ValueError):
            return float(rank), int(created_ts), run_id
    raise BadInput("before", text, "not a cursor", "Give the `next` of the page before, as it is.")


def escaped(word: str) -> str:
    """A word as LIKE takes it to the letter."""
    return re.sub(r"([\\%_])", r"\\\1", word)


def pack(**columns: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(data), allow_pickle=False) as columns:
        return {name: columns[name] for name in columns.files}
