"""Raw messages of the database and of the archive as one series, in the order in which they were received.

The database is asked first and the files are looked up afterwards, so that nothing is missed while rows move; a message
that is in both places is given once.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Final

from onetape.archive.folder import Files
from onetape.domain.errors import Damaged
from onetape.domain.market import ANSWERS, RawFrame
from onetape.domain.parts import RAW, Archived
from onetape.domain.units import DAY, EARLIEST, HOUR, LATEST, Micros
from onetape.observe import log
from onetape.ports import Clock, RawStore, Shelf

_FRAME: Final = ("timestamp", "recv_ts", "seq", "data")
_FRESH_SECONDS: Final = 60.0
_LIVE: Final[Micros] = DAY - HOUR  # nothing that is younger is ever in the archive


class ArchivedRawStore:
    """Fulfils ports.RawStore over another one and the archive."""

    def __init__(
        self, database: RawStore, shelf: Shelf, files: Files, clock: Clock, fresh_seconds: float = _FRESH_SECONDS
    ) -> None:
        self._database, self._shelf, self._files, self._clock = database, shelf, files, clock
        self._fresh_seconds = fresh_seconds
        self._entries: dict[tuple[str, str, str], tuple[float, list[Archived]]] = {}  # when they were asked for

    async def append(self, frames: Sequence[RawFrame]) -> int:
        """See the port. What is in the archive is not stored again."""
        recent = self._clock.now() - _LIVE
        old = [frame for frame in frames if frame.ts < recent]
        if old and (known := await self._known(old)):
            frames = [frame for frame in frames if _same(frame) not in known]
        return await self._database.append(frames)

    async def _known(self, frames: Sequence[RawFrame]) -> set[tuple[Any, ...]]:
        """What is the same, of all archived messages in the stretches that the frames lie in."""
        spans: dict[tuple[str, str, str], tuple[Micros, Micros]] = {}
        for frame in frames:
            series = (frame.exchange, frame.symbol, frame.channel)
            first, last = spans.get(series, (frame.ts, frame.ts))
            spans[series] = (min(first, frame.ts), max(last, frame.ts))
        known: set[tuple[Any, ...]] = set()
        for series, (first, last) in spans.items():
            for entry in await self._archived(series):
                if entry.first_ts <= last and entry.last_ts >= first:
                    known |= {_same(frame) for frame in await self._rows_if_sound(entry, first, last + 1)}
        return known

    async def _archived(self, series: tuple[str, str, str]) -> list[Archived]:
        """As of the last minute: a venue that plays the past sends nothing but old messages, and many of them. One that
        is archived within that minute and comes again is stored twice, and read once."""
        asked, entries = self._entries.get(series, (-math.inf, []))
        if time.monotonic() - asked > self._fresh_seconds:
            entries = await self._shelf.beside(RAW, *series[:2], series[2:], EARLIEST, LATEST)
            self._entries[series] = (time.monotonic(), entries)
        return entries

    async def _rows_if_sound(self, entry: Archived, start_ts: Micros, end_ts: Micros) -> list[RawFrame]:
        """None of a file that cannot be read: a message that is stored twice is better than one that is lost."""
        try:
            return await asyncio.to_thread(self._rows, entry, start_ts, end_ts)
        except Damaged as problem:
            log.error("archive_damaged", says=str(problem))
            return []

    def _rows(self, entry: Archived, start_ts: Micros, end_ts: Micros) -> list[RawFrame]:
        part = entry.part
        rows = self._files.between(entry, start_ts, end_ts, _FRAME).iter_rows()
        return [RawFrame(*part.series, ts, recv_ts, seq, data.encode()) for ts, recv_ts, seq, data in rows]

    async def last_ts(self, exchange: str, symbol: str, channel: str) -> Micros:
        """See the port: no file is opened for it."""
        return await self._database.last_ts(exchange, symbol, channel)

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        frames = await self._database.tail(exchange, symbol, channel, n)
        if n < 1:
            return frames
        since = frames[0].ts if len(frames) >= n else EARLIEST
        beside = await self._shelf.beside(RAW, exchange, symbol, (channel,), since, LATEST)
        found = {_key(frame): frame for frame in frames}
        for entry in reversed(beside):
            if len(found) >= n and entry.last_ts < sorted(frame.ts for frame in found.values())[-n]:
                break
            for frame in await asyncio.to_thread(self._rows, entry, EARLIEST, LATEST):
                found.setdefault(_key(frame), frame)
        return sorted(found.values(), key=lambda f: (f.ts, f.seq, f.recv_ts))[-n:]

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[list[RawFrame]]:
        """See the port. Files are opened when the first of their messages is due."""
        stored = self._database.read(exchange, symbol, channels, start_ts, end_ts)
        first = await anext(stored, None)
        entries = await self._shelf.beside(RAW, exchange, symbol, channels, start_ts, end_ts)
        sources = [_Source(self._pages(entry, start_ts, end_ts), entry.first_recv_ts) for entry in entries]
        if first is not None:
            sources.append(_Source(_again(first, stored), first[0].recv_ts))
        try:
            async for page in _merged(sources):
                yield page
        finally:  # the database's pages hold a connection
            if isinstance(stored, AsyncGenerator):
                await stored.aclose()

    async def _pages(self, entry: Archived, start_ts: Micros, end_ts: Micros) -> AsyncIterator[list[RawFrame]]:
        pages = self._files.pages(entry)
        series = entry.part.series

        def read() -> list[RawFrame] | None:
            page = next(pages, None)
            if page is None:
                return None
            return [
                RawFrame(*series, ts, recv_ts, seq, data.encode())
                for ts, recv_ts, seq, data in page.select(_FRAME).iter_rows()
                if start_ts <= ts < end_ts
            ]

        while (frames := await asyncio.to_thread(read)) is not None:
            if frames:
                yield frames


def _key(frame: RawFrame) -> tuple[Any, ...]:
    return frame.exchange, frame.symbol, frame.channel, frame.ts, frame.seq, frame.recv_ts


def _same(frame: RawFrame) -> tuple[Any, ...]:
    """As the table has it: an answer is told from others by what it says, whenever it was asked for."""
    if frame.channel.endswith(ANSWERS):
        return frame.exchange, frame.symbol, frame.channel, frame.ts, frame.data
    return _key(frame)


def _received(frame: RawFrame) -> tuple[Micros, int]:
    return frame.recv_ts, frame.seq


async def _again(first: list[RawFrame], rest: AsyncIterator[list[RawFrame]]) -> AsyncIterator[list[RawFrame]]:
    yield first
    async for page in rest:
        yield page


class _Source:
    """Pages in the order of receipt; `begins` is not later than the first message."""

    def __init__(self, pages: AsyncIterator[list[RawFrame]], begins: Micros) -> None:
        self.pages, self.begins = pages, begins
        self.page: list[RawFrame] = []

    async def fill(self) -> bool:
        """Whether there is a page, the next one being fetched where there was none."""
        if not self.page:
            self.page = await anext(self.pages, [])
        return bool(self.page)


async def _merged(sources: Sequence[_Source]) -> AsyncIterator[list[RawFrame]]:
    """Page by page: all that was received no later than the end of the page that ends first."""
    waiting = sorted(sources, key=lambda source: source.begins)
    opened: list[_Source] = []
    once = _Once()
    while waiting or opened:
        opened = [source for source in opened if await source.fill()]
        bound = min((_received(source.page[-1]) for source in opened), default=None)
        if waiting and (bound is None or waiting[0].begins <= bound[0]):
            opened.append(waiting.pop(0))
            continue
        if bound is None:
            return
        ready: list[RawFrame] = []
        for source in opened:
            count = _count(source.page, bound)
            ready += source.page[:count]
            source.page = source.page[count:]
        if len(opened) > 1:
            ready.sort(key=_received)
        if unique := once.of(ready, alone=len(opened) == 1):
            yield unique


class _Once:
    """Drops messages that came from two places. They have one moment of receipt, so only that moment is remembered."""

    def __init__(self) -> None:
        self._at: tuple[Micros, int] = (-1, -1)
        self._seen: set[tuple[Any, ...]] = set()

    def of(self, frames: list[RawFrame], *, alone: bool) -> list[RawFrame]:
        """`alone`: the messages come from one place, so that only the first ones can be known."""
        if alone and _received(frames[0]) != self._at:
            self._at = _received(frames[-1])
            self._seen = {_key(frame) for frame in frames[_count(frames, (self._at[0], self._at[1] - 1)) :]}
            return frames
        unique = []
        for frame in frames:
            received, key = _received(frame), _key(frame)
            if received != self._at:
                self._at, self._seen = received, set()
            if key not in self._seen:
                self._seen.add(key)
                unique.append(frame)
        return unique


def _count(page: list[RawFrame], bound: tuple[Micros, int]) -> int:
    """How many messages at the front were received by `bound`."""
    if _received(page[-1]) <= bound:
        return len(page)
    low, high = 0, len(page)
    while low < high:
        middle = (low + high) // 2
        if _received(page[middle]) <= bound:
            low = middle + 1
        else:
            high = middle
    return low
