"""What the API says about downloads and imported files. As wire.py: times are RFC 3339 UTC."""

from __future__ import annotations

from typing import Final

import msgspec

from onetape.api.wire import moment
from onetape.domain.imported import Imported, Rejected
from onetape.domain.units import rfc3339
from onetape.marketdata.download import SeriesState
from onetape.marketdata.downloads import DownloadJob

LISTED: Final = 100


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


class ImportOut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file; at most 100 refused rows are listed, `reasons` counts them all."""

    file: str
    layout: str
    says: str
    exchange: str
    symbol: str
    timeframe: str
    rows_read: int
    rows_new: int
    rows_changed: int
    duplicates: int
    disagreeing: int
    rejected: int
    reasons: dict[str, int]
    rejected_rows: tuple[Rejected, ...]
    gaps: int
    missing: int
    first: str
    last: str


def series(one: SeriesState) -> SeriesOut:
    return SeriesOut(
        symbol=one.symbol,
        timeframe=one.timeframe,
        state=one.state,
        progress=one.progress,
        start=moment(one.start_ts),
        end=moment(one.end_ts),
        rows=one.rows,
        stored=one.stored,
        missing=one.missing,
        absent=one.absent,
        impossible=one.impossible,
        outliers=one.outliers,
        error=one.error,
    )


def download(job: DownloadJob) -> DownloadOut:
    return DownloadOut(
        id=job.id,
        state=job.state,
        progress=job.progress,
        rows=job.rows,
        error=job.error,
        exchange=job.wish.exchange,
        since=job.wish.since,
        until=job.wish.until or None,
        series=[series(one) for one in job.series],
        created=rfc3339(job.created_ts),
        finished=moment(job.finished_ts),
    )


def imported(done: Imported, name: str) -> ImportOut:
    shared = {key: getattr(done, key) for key in ImportOut.__struct_fields__ if key not in ("file", "first", "last")}
    shared["rejected_rows"] = done.rejected_rows[:LISTED]
    return ImportOut(file=name, first=rfc3339(done.first_ts), last=rfc3339(done.last_ts), **shared)
