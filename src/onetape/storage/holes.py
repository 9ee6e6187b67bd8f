"""The rows of holes as they must be, whatever comes in which order: rows of one channel never overlap, and each says
how it was closed itself.

Pure: it takes the rows that a change touches and gives what they become. Closing a part of a row cuts the row; what
lies beside each other and is alike becomes one row, or the repair of a long hole would leave a row for each piece.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from onetape.domain.frame import CandleFrame
from onetape.domain.market import CLOSED_BY, NONE_THERE, Origin
from onetape.domain.units import Micros, Timeframe

TAKEN: Final = "taken from "
_WEAK: Final = (NONE_THERE, CLOSED_BY[Origin.FOREIGN])  # may still become "taken from" an exchange

Span = tuple[Micros, Micros]  # [start, end)
Part = tuple[Micros, Micros, str]  # [start, end), and how it is closed


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """`how` is "" while it is open. `since_ts` is where an open hole began whose beginning is repaired already, 0 = at
    its start; `id` 0 = not stored yet; `seconds_left` is what the rest of the repair takes, where that is known."""

    start_ts: Micros
    end_ts: Micros
    cause: str
    how: str = ""
    id: int = 0
    since_ts: Micros = 0
    noted_ts: Micros = 0
    closed_ts: Micros = 0
    seconds_left: float | None = None


def added(rows: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """The parts of `new` that no row covers, the earlier one first where they overlap each other."""
    known = _union((row.start_ts, row.end_ts) for row in rows)
    ends = [end for _, end in known]
    found: list[Row] = []
    at: Micros | None = None
    for one in sorted(new, key=lambda row: (row.start_ts, row.end_ts)):
        start = one.start_ts if at is None else max(at, one.start_ts)
        near = known[bisect_right(ends, start) : bisect_left(known, (one.end_ts, one.end_ts))]
        found += [dataclasses.replace(one, start_ts=a, end_ts=b) for a, b in _without((start, one.end_ts), near)]
        at = max(start, one.end_ts)
    return found


def may_close(row: Row, how: str) -> bool:
    """What is closed already stays so, but for what the venue has not and another exchange has."""
    return not row.how or (row.how in _WEAK and how.startswith(TAKEN))


def closed(rows: Sequence[Row], cause: str, part: Part, now_ts: Micros) -> list[Row]:
    """The rows after `part` is closed, whether it was known before or not."""
    start, end, how = part
    after: list[Row] = []
    for row in rows:
        after += cut(row, [part], now_ts) if may_close(row, how) else [row]
    fresh = Row(start, end, cause, how, noted_ts=now_ts, closed_ts=now_ts)
    return joined([*after, *added(after, [fresh])])


def cut(row: Row, parts: Sequence[Part], now_ts: Micros, timeframe: Timeframe | None = None) -> list[Row]:
    """A row with parts of it closed; `parts` lie in order and apart. What is left of it but has no candle of
    `timeframe` goes with its neighbour."""
    near = parts[bisect_right(parts, row.start_ts, key=_end) : bisect_left(parts, row.end_ts, key=_start)]
    inside = [(max(a, row.start_ts), min(b, row.end_ts), how) for a, b, how in near]
    if not inside:
        return [row]
    pieces: list[tuple[Micros, Micros, str | None]] = []
    at = row.start_ts
    for a, b, how in inside:
        if at < a:
            pieces.append((at, a, None))
        pieces.append((max(at, a), b, how))
        at = max(at, b)
    if at < row.end_ts:
        pieces.append((at, row.end_ts, None))
    if timeframe is not None:
        pieces = _without_dust(pieces, timeframe)
    return _rows(row, pieces, now_ts)


def _rows(row: Row, pieces: Sequence[tuple[Micros, Micros, str | None]], now_ts: Micros) -> list[Row]:
    """The last one is the row itself, so that who looks at a row sees its hole become shorter."""
    found = []
    for i, (start, end, how) in enumerate(pieces):
        stays = how is None
        found.append(
            dataclasses.replace(
                row,
                start_ts=start,
                end_ts=end,
                how=row.how if how is None else how,
                id=row.id if i == len(pieces) - 1 else 0,
                closed_ts=row.closed_ts if stays else now_ts,
                since_ts=(row.since_ts or row.start_ts) if stays and start > row.start_ts and not row.how else 0,
                seconds_left=row.seconds_left if stays else None,
            )
        )
    return found


def _without_dust(
    pieces: Sequence[tuple[Micros, Micros, str | None]], timeframe: Timeframe
) -> list[tuple[Micros, Micros, str | None]]:
    found: list[tuple[Micros, Micros, str | None]] = []
    carried: Micros | None = None
    for start, end, how in pieces:
        if how is None and first_open(timeframe, start) >= end:
            if found:
                found[-1] = (found[-1][0], end, found[-1][2])
            else:
                carried = start
        else:
            found.append((start if carried is None else carried, end, how))
            carried = None
    return found


def joined(rows: Iterable[Row]) -> list[Row]:
    """Closed rows that touch and are alike as one."""
    found: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.start_ts, row.end_ts)):
        last = found[-1] if found else None
        if last and last.how and (last.how, last.cause, last.end_ts) == (row.how, row.cause, row.start_ts):
            found[-1] = dataclasses.replace(
                row,
                start_ts=last.start_ts,
                id=row.id or last.id,
                noted_ts=min(last.noted_ts, row.noted_ts),
                closed_ts=max(last.closed_ts, row.closed_ts),
            )
        else:
            found.append(row)
    return found


def parts_of(frame: CandleFrame) -> list[Part]:
    """What the candles of a frame close: stretches without a hole, of one origin each."""
    found: list[Part] = []
    for start, end, origin in zip(frame.ts.tolist(), frame.close_ts.tolist(), frame.origin.tolist(), strict=True):
        how = CLOSED_BY[Origin(origin)]
        if found and found[-1][1:] == (start, how):
            found[-1] = (found[-1][0], end, how)
        else:
            found.append((start, end, how))
    return found


def first_open(timeframe: Timeframe, ts: Micros) -> Micros:
    """The open time of the first candle that opens at `ts` or later."""
    floor = timeframe.floor(ts)
    return floor if floor == ts else timeframe.next(floor)


def _start(part: Part) -> Micros:
    return part[0]


def _end(part: Part) -> Micros:
    return part[1]


def _union(spans: Iterable[Span]) -> list[Span]:
    """In order and apart."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _without(span: Span, taken: Iterable[Span]) -> list[Span]:
    """What of a span is left; `taken` lie in order and apart."""
    found, (at, end) = [], span
    for start, stop in taken:
        if at < start:
            found.append((at, min(start, end)))
        at = max(at, stop)
    return [*found, (at, end)] if at < end else found
