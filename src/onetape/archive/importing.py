"""A candle file into a store: read whole, then appended whole. A refused file leaves nothing behind."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import numpy as np

from onetape.archive.reading import NOTHING_SAID, Hints, Reading, read
from onetape.domain.frame import CandleFrame
from onetape.domain.imported import Imported
from onetape.domain.market import BETWEEN_FILES, Gap, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.observe import log
from onetape.ports import CandleStore

_NEAR: Final = 1_000  # candles that are looked at first for the next one after a file,
_FAR: Final = 100_000  # and at most at once


async def import_file(path: str | Path, store: CandleStore, hints: Hints = NOTHING_SAID) -> Imported:
    """Raises BadInput before anything is written. Importing the same file again changes nothing."""
    reading = await asyncio.to_thread(read, path, *hints)
    return await put(reading, store)


async def put(reading: Reading, store: CandleStore) -> Imported:
    """A reading into the store: its candles, then its gaps. What an interruption leaves, the next import does."""
    frame = reading.frame
    appended = await store.append(frame)
    if gaps := [*await _unfilled(reading, store), *await _beside(reading.frame, store)]:
        await store.add_gaps(gaps)
    log.info("file_imported", file=reading.file, layout=reading.layout, rows=len(frame), new=appended.new)
    return Imported(
        file=reading.file,
        layout=reading.layout,
        says=reading.says,
        exchange=frame.exchange,
        symbol=frame.symbol,
        timeframe=str(frame.timeframe),
        rows_read=reading.rows_read,
        rows_new=appended.new,
        rows_changed=appended.changed,
        duplicates=reading.duplicates,
        disagreeing=reading.disagreeing,
        rejected=reading.rejected,
        reasons=reading.reasons,
        rejected_rows=reading.rejected_rows,
        gaps=len(reading.gaps),
        missing=reading.missing,
        first_ts=int(frame.ts[0]),
        last_ts=int(frame.ts[-1]),
    )


async def _unfilled(reading: Reading, store: CandleStore) -> list[Gap]:
    """The gaps of a file that other files or the venue have not filled already."""
    frame, gaps = reading.frame, list(reading.gaps)
    if not gaps:
        return []
    series = next(
        one for one in await store.coverage(frame.exchange, frame.symbol) if one.timeframe == str(frame.timeframe)
    )
    if series.rows == len(frame):
        return gaps
    stored = await store.load(frame.exchange, frame.symbol, frame.timeframe, int(frame.ts[0]), int(frame.ts[-1]) + 1)
    holes = np.array(stored.gaps(), np.int64).reshape(-1, 2)
    starts, ends = holes[:, 0], holes[:, 1]
    nearest = np.searchsorted(ends, [gap.start_ts for gap in gaps], side="right")  # the first hole that ends later
    return [gap for gap, i in zip(gaps, nearest, strict=True) if i < len(holes) and starts[i] < gap.end_ts]


async def _beside(frame: CandleFrame, store: CandleStore) -> list[Gap]:
    """The holes between a file and what is stored of its series before and after it, unless they are known."""
    series = (frame.exchange, frame.symbol, frame.timeframe)
    first, end = int(frame.ts[0]), int(frame.close_ts[-1])
    before = await store.tail(*series, 1, first)
    holes = [(int(before.close_ts[-1]), first)] if len(before) else []
    if (following := await _first(store, series, end)) is not None:
        holes.append((end, following))
    channel = candle_channel(str(frame.timeframe))
    known = await store.gaps(frame.exchange, frame.symbol, channel)
    return [
        Gap(frame.exchange, frame.symbol, channel, start, stop, BETWEEN_FILES)
        for start, stop in holes
        if start < stop and not any(gap.start_ts <= start and stop <= gap.end_ts for gap in known)
    ]


async def _first(store: CandleStore, series: tuple[str, str, Timeframe], start_ts: Micros) -> Micros | None:
    """The first stored candle from a time on, looked for in ever longer stretches: years of candles may follow."""
    last = [one.last_ts for one in await store.coverage(*series[:2]) if one.timeframe == str(series[2])]
    length = _NEAR * series[2].micros
    while last and start_ts <= last[0]:
        found = await store.load(*series, start_ts, start_ts + length)
        if len(found):
            return int(found.ts[0])
        start_ts, length = start_ts + length, min(2 * length, _FAR * series[2].micros)
    return None
