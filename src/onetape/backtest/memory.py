"""Runs kept in memory: the twin of the store in PostgreSQL, for tests and for backtests without a database."""

from __future__ import annotations

from onetape.backtest.report import kept
from onetape.clock import RealClock
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.results import Result
from onetape.ports import EVERY_RUN, Clock, OnlyRuns, RunView, StoredRun


class MemoryRunStore:
    """Fulfils ports.RunStore."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or RealClock()
        self._runs: dict[str, StoredRun] = {}

    async def put(self, result: Result) -> None:
        if result.run_id in self._runs:
            return
        self._runs[result.run_id] = kept(result, self._clock.now())

    async def list(self, limit: int = 100, before: str = "", only: OnlyRuns = EVERY_RUN) -> tuple[list[RunView], str]:
        if limit < 1:
            raise BadInput("limit", limit, "not from 1 on")
        newest = [run.view for run in reversed(self._runs.values()) if meets(run.view, only)]
        names = [view.run_id for view in newest]
        start = names.index(before) + 1 if before in names else 0
        page = newest[start : start + limit]
        return page, page[-1].run_id if len(newest) > start + limit else ""

    async def get(self, run_id: str) -> StoredRun:
        if run_id not in self._runs:
            raise NotFound("run_id", run_id, "not a stored run")
        return self._runs[run_id]

    async def delete(self, run_id: str) -> None:
        if self._runs.pop(run_id, None) is None:
            raise NotFound("run_id", run_id, "not a stored run")


def meets(view: RunView, only: OnlyRuns) -> bool:
    names = ("strategy", "exchange", "symbol", "timeframe")
    same = all(getattr(only, name) in ("", getattr(view.spec, name)) for name in names)
    return same and view.created_ts >= (only.since_ts or 0)
