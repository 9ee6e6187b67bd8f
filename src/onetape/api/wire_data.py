"""What the API says about the data itself: streams, gaps, coverage, room. As wire.py: times are RFC 3339 UTC."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from onetape.api.wire import moment
from onetape.domain.market import Gap, Streams, StreamState
from onetape.domain.markets import Keep
from onetape.domain.units import SECOND, Micros, rfc3339
from onetape.ports import Coverage, Disk, GapView, RawCoverage, TableSize


class StreamOut(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: starting, live, silent (under a live socket), broken (a book without its chain), down, refused, unknown
    (its collector says nothing). Ages and delays in milliseconds, null = nothing came yet; `dropped` counts what came
    twice."""

    exchange: str
    symbol: str
    channel: str
    state: str
    sockets: int
    age_ms: float | None
    last: str | None
    per_second: float
    delay_p50_ms: float | None
    delay_p99_ms: float | None
    messages: int
    dropped: int
    gaps: int
    reason: str


class StreamsOut(msgspec.Struct, frozen=True, kw_only=True):
    """All streams of one exchange; `trouble` is a sentence while the venue cannot be reached."""

    exchange: str
    told: str
    clock_offset_ms: float
    trouble: str
    streams: list[StreamOut]


class GapOut(msgspec.Struct, frozen=True, kw_only=True):
    """[start, end) of a channel; `closed_how` and `closed` are null while it is open. `repaired` is the share of a
    hole that is worked off piece by piece and of which this is the rest, `seconds_left` what that takes."""

    id: int | None
    exchange: str
    symbol: str
    channel: str
    start: str
    end: str
    seconds: float
    cause: str
    closed_how: str | None
    closed: str | None
    noted: str | None
    repaired: float | None = None
    seconds_left: float | None = None


class HoleOut(msgspec.Struct, frozen=True):
    """`absent`: the venue itself has nothing there."""

    start: str
    end: str
    absent: bool


class CoverageMapOut(msgspec.Struct, frozen=True, kw_only=True):
    """One strip of the coverage map: candles from `first` to `end` but for the holes; near ones are drawn as one."""

    exchange: str
    symbol: str
    timeframe: str
    first: str
    last: str
    end: str
    candles: int
    gaps: int
    holes: list[HoleOut]


class RawCoverageOut(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    symbol: str
    channel: str
    first: str
    last: str
    messages: int
    gaps: int


class TableOut(msgspec.Struct, frozen=True, kw_only=True):
    """A table with all its partitions and indexes, or the files of the archive."""

    table: str
    bytes: int
    partitions: int


class RetentionOut(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: raw (messages, by channel) or candles (by timeframe; `*` = all others). Lengths: `30d`, `forever`."""

    kind: str
    name: str
    database: str
    archive: str


class DiskOut(msgspec.Struct, frozen=True, kw_only=True):
    """In bytes. `per_day` is the growth of late, `full` when the disk is full if that goes on; null = not foreseen."""

    total: int
    free: int
    database: int
    archive: int
    per_day: float | None
    full: str | None
    tables: list[TableOut]
    retention: list[RetentionOut]


def _known(ms: float) -> float | None:
    return None if ms < 0 else ms


def stream(one: StreamState, since_ms: float = 0.0, unknown: str = "") -> StreamOut:
    """`since_ms` passed since it was told; `unknown` says why nobody knows any more."""
    return StreamOut(
        exchange=one.exchange,
        symbol=one.symbol,
        channel=one.channel,
        state="unknown" if unknown else one.state,
        sockets=one.sockets,
        age_ms=None if one.age_ms < 0 else one.age_ms + since_ms,
        last=moment(one.event_ts),
        per_second=one.per_second,
        delay_p50_ms=_known(one.delay_p50_ms),
        delay_p99_ms=_known(one.delay_p99_ms),
        messages=one.messages,
        dropped=one.dropped,
        gaps=one.gaps,
        reason=unknown or one.reason,
    )


def streams(told: Streams) -> StreamsOut:
    return StreamsOut(
        exchange=told.exchange,
        told=rfc3339(told.ts),
        clock_offset_ms=told.clock_offset_ms,
        trouble=told.trouble,
        streams=[stream(one) for one in told.items],
    )


def gap(row: GapView) -> GapOut:
    return GapOut(
        id=row.id,
        exchange=row.exchange,
        symbol=row.symbol,
        channel=row.channel,
        start=rfc3339(row.start_ts),
        end=rfc3339(row.end_ts),
        seconds=(row.end_ts - row.start_ts) / SECOND,
        cause=row.cause,
        closed_how=row.closed_how or None,
        closed=moment(row.closed_ts),
        noted=moment(row.noted_ts),
        repaired=repaired(row),
        seconds_left=None if row.seconds_left is None else round(row.seconds_left, 1),
    )


def repaired(row: GapView) -> float | None:
    """The share of an open hole that is repaired already, None where no piece of it is."""
    if row.closed_how or not row.since_ts:
        return None
    return round((row.start_ts - row.since_ts) / (row.end_ts - row.since_ts), 4)


def fresh_gap(new: Gap) -> GapOut:
    """A gap as the bus tells it, before anybody looked at its row."""
    return GapOut(
        id=None,
        exchange=new.exchange,
        symbol=new.symbol,
        channel=new.channel,
        start=rfc3339(new.start_ts),
        end=rfc3339(new.end_ts),
        seconds=(new.end_ts - new.start_ts) / SECOND,
        cause=new.cause,
        closed_how=None,
        closed=None,
        noted=None,
    )


def strip(row: Coverage, end_ts: Micros, holes: Sequence[GapView], near: Micros) -> CoverageMapOut:
    """`holes` of the series, oldest first; those less than `near` apart and alike are one."""
    merged: list[tuple[Micros, Micros, bool]] = []
    for hole in holes:
        start, end, absent = max(hole.start_ts, row.first_ts), min(hole.end_ts, end_ts), bool(hole.closed_how)
        if start >= end:
            continue
        if merged and merged[-1][2] == absent and start - merged[-1][1] < near:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), absent)
        else:
            merged.append((start, end, absent))
    return CoverageMapOut(
        exchange=row.exchange,
        symbol=row.symbol,
        timeframe=row.timeframe,
        first=rfc3339(row.first_ts),
        last=rfc3339(row.last_ts),
        end=rfc3339(end_ts),
        candles=row.rows,
        gaps=row.gaps,
        holes=[HoleOut(rfc3339(start), rfc3339(end), absent) for start, end, absent in merged],
    )


def raw_coverage(row: RawCoverage) -> RawCoverageOut:
    return RawCoverageOut(
        exchange=row.exchange,
        symbol=row.symbol,
        channel=row.channel,
        first=rfc3339(row.first_ts),
        last=rfc3339(row.last_ts),
        messages=row.rows,
        gaps=row.gaps,
    )


def disk(found: Disk, sizes: Sequence[TableSize], keep: Keep) -> DiskOut:
    return DiskOut(
        total=found.total,
        free=found.free,
        database=found.database,
        archive=found.archive,
        per_day=found.per_day,
        full=moment(found.full_ts or 0),
        tables=tables(sizes),
        retention=[
            RetentionOut(kind=kind, name=name, database=kept.database, archive=kept.archive)
            for kind, kepts in (("raw", keep.raw), ("candles", keep.candles))
            for name, kept in kepts.items()
        ],
    )


def tables(sizes: Sequence[TableSize]) -> list[TableOut]:
    """One row a table, the largest first."""
    found: dict[str, list[TableSize]] = {}
    for size in sizes:
        found.setdefault(size.table, []).append(size)
    rows = [
        TableOut(
            table=name, bytes=sum(one.bytes for one in parts), partitions=sum(bool(one.partition) for one in parts)
        )
        for name, parts in found.items()
    ]
    return sorted(rows, key=lambda row: -row.bytes)
