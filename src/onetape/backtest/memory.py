"""Runs kept in memory: the twin of the store in PostgreSQL, for tests and for backtests without a database."""

from __future__ import annotations

from onetape.backtest.report import kept
from onetape.clock import RealClock
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.results import Result
from onetape.ports import EVERY_RUN, SMALL_IS_GOOD, Clock, OnlyRuns, RunPage, RunView, StoredRun


class MemoryRunStore:
    """Fulfils ports.RunStore."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or RealClock()
        self._runs: dict[str, StoredRun] = {}

    async def put(self, result: Result) -> None:
        if result.run_id in self._runs:
            return
        self._runs[result.run_id] = kept(result, self._clock.now())

    async def list(self, limit: int = 100, before: str = "", only: OnlyRuns = EVERY_RUN) -> RunPage:
        if limit < 1:
            raise BadInput("limit", limit, "not from 1 on")
        fitting = ordered([run.view for run in reversed(self._runs.values()) if meets(run.view, only)], only.sort)
        names = [view.run_id for view in fitting]
        start = names.index(before) + 1 if before in names else 0
        page = fitting[start : start + limit]
        return RunPage(page, page[-1].run_id if len(fitting) > start + limit else "", len(fitting))

    async def get(self, run_id: str) -> StoredRun:
        if run_id not in self._runs:
            raise NotFound("run_id", run_id, "not a stored run")
        return self._runs[run_id]

    async def delete(self, run_id: str) -> None:
        if self._runs.pop(run_id, None) is None:
            raise NotFound("run_id", run_id, "not a stored run")


def meets(view: RunView, only: OnlyRuns) -> bool:
    spec = view.spec
    if not all(getattr(only, name) in ("", getattr(spec, name)) for name in ("strategy", "exchange", "timeframe")):
        return False
    if only.symbol and only.symbol not in spec.symbol.split("+"):
        return False
    given = ",".join(f"{name}={value}" for name, value in spec.parameters.items())
    text = f"{view.run_id} {spec.strategy} {spec.exchange} {spec.symbol} {spec.timeframe} {given}".lower()
    if not view.run_id.startswith(only.begins) or not all(word in text for word in only.text.lower().split()):
        return False
    return (only.since_ts or 0) <= view.created_ts < (only.until_ts or view.created_ts + 1)


def ordered(views: list[RunView], by: str) -> list[RunView]:
    """Best first; those without the figure last."""
    if not by:
        return views
    sign = 1.0 if by in SMALL_IS_GOOD else -1.0
    return sorted(views, key=lambda view: (view.metrics.get(by) is None, sign * float(view.metrics.get(by) or 0.0)))
