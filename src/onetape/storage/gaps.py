"""The holes in PostgreSQL: rows of one channel do not overlap (see `holes`).

Who changes them waits for a lock of the channel, that lives as long as the transaction: what is read is what is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from onetape.domain.frame import CandleFrame
from onetape.domain.market import CLOSED_BY, NONE_THERE, Gap, Origin, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.storage import holes
from onetape.storage.holes import Row
from onetape.storage.sql import load

Channel = tuple[str, str, str]  # exchange, symbol, channel
_HOW: Final = [CLOSED_BY[origin] for origin in Origin]


async def add(connection: Any, gaps: Sequence[Gap]) -> int:
    """How many parts are new. In the caller's transaction."""
    count = 0
    for channel, given in _by_channel(gaps).items():
        await _hold(connection, channel)
        before = await _touched(connection, channel, min(g.start_ts for g in given), max(g.end_ts for g in given))
        new = holes.added(before, (Row(g.start_ts, g.end_ts, g.cause) for g in given))
        await _write(connection, channel, before, [*before, *new])
        count += len(new)
    return count


async def close(connection: Any, gaps: Sequence[Gap], how: str) -> int:
    """How many of them were not closed already. In the caller's transaction."""
    count = 0
    for channel, given in _by_channel(gaps).items():
        await _hold(connection, channel)
        for gap in given:
            before = await _touched(connection, channel, gap.start_ts, gap.end_ts)
            now = await connection.fetchval("SELECT now()")
            after = holes.closed(before, gap.cause, (gap.start_ts, gap.end_ts, how), now)
            count += after != before
            await _write(connection, channel, before, after)
        if (text := channel[2].removeprefix(candle_channel(""))) != channel[2]:
            span = min(g.start_ts for g in given), max(g.end_ts for g in given)
            await _whole(connection, (*channel[:2], text), span, Timeframe.parse(text))
    return count


async def filled(connection: Any, frame: CandleFrame) -> None:
    """Closes what the candles of `frame`, which are stored, fill. In the transaction that stored them."""
    series = (frame.exchange, frame.symbol, str(frame.timeframe))
    channel = (*series[:2], candle_channel(series[2]))
    span = int(frame.ts[0]), int(frame.close_ts[-1])
    near = _near(span, frame.timeframe)
    if not await connection.fetchval(load("gaps_near"), *channel, *near):
        return
    await _hold(connection, channel)
    before = await _touched(connection, channel, *span)
    now = await connection.fetchval("SELECT now()")
    parts = holes.parts_of(frame)
    after: list[Row] = []
    for row in before:
        cuttable = not row.how or row.how == NONE_THERE
        after += holes.cut(row, parts, now, frame.timeframe) if cuttable else [row]
    await _write(connection, channel, before, holes.joined(after))
    await _whole(connection, series, span, frame.timeframe)


async def _whole(connection: Any, series: tuple[str, str, str], span: holes.Span, timeframe: Timeframe) -> None:
    """Closes the open ones near a span all of whose candles were stored before."""
    months = 0 if timeframe.regular else timeframe.count
    grid = (timeframe.micros, months, timeframe.next(0) % timeframe.micros if timeframe.regular else 0)
    await connection.execute(load("gaps_close"), *series, *_near(span, timeframe), *grid, _HOW)


def _near(span: holes.Span, timeframe: Timeframe) -> holes.Span:
    return span[0] - 2 * timeframe.micros, span[1] + 2 * timeframe.micros


async def _hold(connection: Any, channel: Channel) -> None:
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 7313003))", "\n".join(channel))


async def _touched(connection: Any, channel: Channel, start_ts: Micros, end_ts: Micros) -> list[Row]:
    """Those that overlap the span, and their neighbours."""
    rows = await connection.fetch(load("gaps_touched"), *channel, start_ts, end_ts)
    return [Row(**row) for row in rows]


async def _write(connection: Any, channel: Channel, before: Sequence[Row], after: Sequence[Row]) -> None:
    """What changed of the rows, the gone ones first, so that no two have one span meanwhile."""
    known = {row.id: row for row in before}
    if gone := list(known.keys() - {row.id for row in after}):
        await connection.execute("DELETE FROM gaps WHERE id = ANY ($1::bigint[])", gone)
    changed = [row for row in after if row.id and row != known[row.id]]
    if changed:
        await connection.executemany(load("gaps_put"), [(row.id, *_values(row)) for row in changed])
    if new := [row for row in after if not row.id]:
        await connection.executemany(load("gaps_add"), [(*channel, *_values(row)) for row in new])


def _values(row: Row) -> tuple[Any, ...]:
    return (
        row.start_ts, row.end_ts, row.cause, row.how or None, row.since_ts or None, row.seconds_left,
        row.noted_ts or None, row.closed_ts or None,
    )  # fmt: skip


def _by_channel(gaps: Sequence[Gap]) -> dict[Channel, list[Gap]]:
    """In an order that is the same for everybody, so that no two wait for each other."""
    found: dict[Channel, list[Gap]] = {}
    for gap in sorted(dict.fromkeys(gaps), key=lambda g: (g.exchange, g.symbol, g.channel, g.start_ts, g.end_ts)):
        found.setdefault((gap.exchange, gap.symbol, gap.channel), []).append(gap)
    return found
