"""What the API says about jobs: all of them alike, and downloads, backtests and imported files as each needs it. As
wire.py: times are RFC 3339 UTC.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from onetape.api.wire import moment
from onetape.domain.imported import Counted, Imported
from onetape.domain.jobs import Job
from onetape.domain.units import rfc3339
from onetape.marketdata.download import SeriesState

LISTED: Final = 100


class JobOut(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: queued, running, done, failed, cancelled, interrupted. `eta` is when it will be done if it goes on like
    this; `detail` and `wish` are of its kind; `result` names what came out: the id of a run."""

    id: str
    kind: str
    state: str
    fraction: float
    text: str
    counts: dict[str, int]
    eta: str | None
    detail: Any
    wish: dict[str, Any]
    asked_by: str
    result: str | None
    error: str
    created: str
    started: str | None
    finished: str | None


def job(one: Job) -> JobOut:
    told = one.progress
    return JobOut(
        id=one.id,
        kind=one.kind,
        state=one.state,
        fraction=told.fraction,
        text=told.text,
        counts=told.counts,
        eta=None if one.over else moment(told.eta_ts),
        detail=told.detail,
        wish=one.wish,
        asked_by=one.asked_by,
        result=one.result or None,
        error=one.error,
        created=rfc3339(one.created_ts),
        started=moment(one.started_ts),
        finished=moment(one.finished_ts),
    )


class BacktestOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: str
    stage: str
    progress: float
    error: str
    run_id: str | None
    strategy: str
    exchange: str
    symbol: str
    timeframe: str
    parameters: dict[str, Any]
    created: str
    finished: str | None


def backtest(one: Job) -> BacktestOut:
    return BacktestOut(
        id=one.id,
        state=one.state,
        stage=one.state if one.over else one.progress.text,
        progress=one.progress.fraction,
        error=one.error,
        run_id=one.result or None,
        strategy=one.wish["strategy"],
        exchange=one.wish["exchange"],
        symbol=one.wish["symbol"],
        timeframe=one.wish["timeframe"],
        parameters=one.wish["parameters"],
        created=rfc3339(one.created_ts),
        finished=moment(one.finished_ts),
    )


class SeriesOut(msgspec.Struct, frozen=True, kw_only=True):
    """One series of a download: `rows` came; after the end `missing` are not stored, `absent` of these nowhere."""

    symbol: str
    timeframe: str
    state: str
    progress: float
    start: str | None
    end: str | None
    rows: int
    stored: int
    missing: int
    absent: int
    impossible: int
    outliers: int
    error: str


class DownloadOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: str
    progress: float
    rows: int
    error: str
    exchange: str
    since: str
    until: str | None
    series: list[SeriesOut]
    created: str
    finished: str | None


class ImportOut(Counted, frozen=True, kw_only=True):
    """What became of a file; at most 100 refused rows are listed, `reasons` counts them all."""

    first: str
    last: str


def series(one: SeriesState, over: bool) -> SeriesOut:
    """Of a download that was cancelled, what had not ended was cancelled with it."""
    shared = {key: getattr(one, key) for key in SeriesOut.__struct_fields__ if key not in ("state", "start", "end")}
    state = "cancelled" if over and one.state in ("waiting", "running") else one.state
    return SeriesOut(state=state, start=moment(one.start_ts), end=moment(one.end_ts), **shared)


def download(one: Job) -> DownloadOut:
    states = msgspec.convert(one.progress.detail, list[SeriesState])
    return DownloadOut(
        id=one.id,
        state=one.state,
        progress=one.progress.fraction,
        rows=sum(state.rows for state in states),
        error=one.error,
        exchange=one.wish["exchange"],
        since=one.wish["since"],
        until=one.wish["until"] or None,
        series=[series(state, one.over) for state in states],
        created=rfc3339(one.created_ts),
        finished=moment(one.finished_ts),
    )


def imported(done: Imported, name: str) -> ImportOut:
    shared = {key: getattr(done, key) for key in Counted.__struct_fields__}
    shared |= {"file": name, "rejected_rows": done.rejected_rows[:LISTED]}
    return ImportOut(first=rfc3339(done.first_ts), last=rfc3339(done.last_ts), **shared)
