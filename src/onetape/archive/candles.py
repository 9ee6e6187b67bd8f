"""Candles of the database and of the archive as one series.

The database is asked first and the files are looked up afterwards, so that nothing is missed while rows move; where
both have a candle, the database has the newer word. Candles that are written into an archived part bring that part back
first, so that new, changed and known ones are told apart as ever.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onetape.archive.folder import Files
from onetape.archive.moving import restore
from onetape.domain.frame import COLUMNS, CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Gap, candle_channel
from onetape.domain.parts import CANDLES, Archived
from onetape.domain.units import DAY, EARLIEST, HOUR, LATEST, Micros, Timeframe
from onetape.observe import log
from onetape.ports import Appended, CandleStore, Clock, Correction, Coverage, Shelf

_LIVE: Final[Micros] = DAY - HOUR  # nothing that is younger is ever in the archive
_COLUMNS: Final = ("timestamp", *COLUMNS[1:])


class ArchivedCandleStore:
    """Fulfils ports.CandleStore over another one and the archive."""

    def __init__(self, database: CandleStore, shelf: Shelf, files: Files, clock: Clock) -> None:
        self._database, self._shelf, self._files, self._clock = database, shelf, files, clock

    async def append(self, frame: CandleFrame) -> Appended:
        if not len(frame) or int(frame.ts[0]) >= self._clock.now() - _LIVE:
            return await self._database.append(frame)
        unknown = await self._bring_back(frame)
        if unknown.all():
            return await self._database.append(frame)
        rest = {name: getattr(frame, name)[unknown] for name in COLUMNS}
        done = await self._database.append(dataclasses.replace(frame, **rest))
        return Appended(len(frame), done.new, done.changed)

    async def _bring_back(self, frame: CandleFrame) -> NDArray[np.bool_]:
        """Restores the archived parts in which the candles change something, and those of the open gaps that they may
        close. Gives which candles are not in the archive, just as they are."""
        series = (frame.exchange, frame.symbol, str(frame.timeframe))
        first, end = int(frame.ts[0]), int(frame.ts[-1]) + 1
        unknown = np.ones(len(frame), np.bool_)
        if not await self._beside(series, EARLIEST, LATEST):
            return unknown
        gaps = await self._database.gaps(*series[:2], candle_channel(series[2]))
        gaps = [gap for gap in gaps if gap.start_ts < end and gap.end_ts > first]
        wide = (min([first, *(g.start_ts for g in gaps)]), max([end, *(g.end_ts for g in gaps)]))
        for entry in await self._beside(series, *wide):
            part = entry.part
            if entry.restored_ts:
                continue
            holed = any(g.start_ts < part.end_ts and g.end_ts > part.start_ts for g in gaps)
            if holed or not await self._all_known(entry, frame):
                await self._restore(entry)
            else:
                unknown &= (frame.ts < part.start_ts) | (frame.ts >= part.end_ts)
        return unknown

    async def _all_known(self, entry: Archived, frame: CandleFrame) -> bool:
        """Whether the archive has every one of the part's candles in the frame, just as it is."""
        given = frame.between(entry.part.start_ts, entry.part.end_ts)
        if not len(given):
            return True
        stored = await self._read(entry, frame, int(given.ts[0]), int(given.ts[-1]) + 1)
        place = np.searchsorted(stored.ts, given.ts)
        if place[-1] >= len(stored):
            return False
        return all(np.array_equal(getattr(stored, name)[place], getattr(given, name)) for name in COLUMNS)

    async def _beside(self, series: tuple[str, str, str], start_ts: Micros, end_ts: Micros) -> list[Archived]:
        return await self._shelf.beside(CANDLES, *series[:2], series[2:], start_ts, end_ts)

    async def _read(self, entry: Archived, like: CandleFrame, start_ts: Micros, end_ts: Micros) -> CandleFrame:
        rows = await asyncio.to_thread(self._files.between, entry, start_ts, end_ts, _COLUMNS)
        columns: dict[str, object] = {name: rows[name].to_numpy() for name in COLUMNS[1:]}
        columns["ts"] = rows["timestamp"].to_numpy()
        return CandleFrame.of(like.exchange, like.symbol, like.timeframe, columns, check=False)

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame:
        frame = await self._database.load(exchange, symbol, timeframe, start_ts, end_ts)
        start = EARLIEST if start_ts is None else start_ts
        end = LATEST if end_ts is None else end_ts
        entries = await self._beside((exchange, symbol, str(timeframe)), start, end)
        parts = await asyncio.gather(*(self._read(entry, frame, start, end) for entry in entries))
        return _joined([*parts, frame])

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame:
        frame = await self._database.tail(exchange, symbol, timeframe, n, before_ts)
        if n < 1:
            return frame
        since = int(frame.ts[0]) if len(frame) >= n else EARLIEST
        end = LATEST if before_ts is None else before_ts
        for entry in reversed(await self._beside((exchange, symbol, str(timeframe)), since, end)):
            if len(frame) >= n and entry.last_ts < int(frame.ts[-n]):
                break
            frame = _joined([await self._read(entry, frame, EARLIEST, end), frame])
        return frame.tail(n)

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]:
        return await self._database.coverage(exchange, symbol)

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        return await self._database.add_gaps(gaps)

    async def gaps(self, exchange: str, symbol: str | None, channel: str | None) -> list[Gap]:
        return await self._database.gaps(exchange, symbol, channel)

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        """See the port. A wider gap around one of these may close with it: its candles are counted in the database."""
        for gap in gaps:
            for wide in await self._around(gap):
                series = (wide.exchange, wide.symbol, wide.channel.partition(":")[2])
                for entry in await self._beside(series, wide.start_ts, wide.end_ts):
                    await self._restore(entry)
        return await self._database.close_gaps(gaps, how)

    async def expect(self, gap: Gap, seconds: float) -> None:
        await self._database.expect(gap, seconds)

    async def _around(self, gap: Gap) -> list[Gap]:
        """The open gaps of a candle series that this one, long past, is a part of."""
        if not gap.channel.startswith("candles:") or gap.start_ts >= self._clock.now() - _LIVE:
            return []
        known = await self._database.gaps(gap.exchange, gap.symbol, gap.channel)
        return [wide for wide in known if wide.start_ts < gap.end_ts and wide.end_ts > gap.start_ts and wide != gap]

    async def _restore(self, entry: Archived) -> None:
        if not entry.restored_ts:
            rows = await restore(self._shelf, self._files, entry, lambda _: None)
            log.info("part_brought_back", part=str(entry.part), rows=rows, says="What is written falls into it.")

    async def absent(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        return await self._database.absent(exchange, symbol, channel)

    async def corrections(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> list[Correction]:
        return await self._database.corrections(exchange, symbol, timeframe, start_ts, end_ts)

    async def rolled(
        self,
        market: tuple[str, str],
        timeframe: Timeframe,
        start_ts: Micros | None,
        end_ts: Micros | None,
        last: int | None = None,
    ) -> CandleFrame | None:
        """See the port: they stay in the database when the candles that they were made of leave it."""
        return await self._database.rolled(market, timeframe, start_ts, end_ts, last)

    async def instruments(self) -> list[Instrument]:
        return await self._database.instruments()

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        await self._database.put_instruments(instruments)


def _joined(parts: Sequence[CandleFrame]) -> CandleFrame:
    """One frame, oldest first; of two candles of one time that of the later part counts."""
    filled = [part for part in parts if len(part)]
    if len(filled) < 2:
        return filled[0] if filled else parts[-1]
    columns: dict[str, object] = {}
    ts = np.concatenate([part.ts for part in filled])
    order = np.argsort(ts, kind="stable")
    ts = ts[order]
    last = np.append(ts[1:] != ts[:-1], True)
    for name in COLUMNS:
        columns[name] = np.concatenate([getattr(part, name) for part in filled])[order][last]
    return CandleFrame.of(parts[-1].exchange, parts[-1].symbol, parts[-1].timeframe, columns, check=False)
