"""What becomes of stored market data: the spool before the tables, the archive behind them, the room they take."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import msgspec

from onetape.domain.market import Candle, Gap, RawFrame
from onetape.domain.parts import Archived, Part, Weight, Which
from onetape.domain.units import Micros

Spooled = RawFrame | Gap | Candle


class SpoolState(msgspec.Struct, frozen=True, kw_only=True):
    """What waits on disk. `full` says that the last write was refused, `problem` why. Of what an earlier run left, the
    items are an estimate until they are read."""

    bytes: int
    limit: int
    items: int
    full: bool
    problem: str = ""


class Spool(Protocol):
    """Where messages wait on disk while their table cannot be reached; first in, first out, by parts."""

    @property
    def state(self) -> SpoolState: ...

    async def write(self, items: Sequence[Spooled]) -> bool:
        """True: all of them are on the disk for certain. False: there is no room, and nothing was written."""
        ...

    async def oldest(self) -> list[Spooled]:
        """The items of the oldest part, in order; it stays until `done`. What of it was lost on the disk is a gap at
        the end. Raises Transient."""
        ...

    async def done(self) -> None:
        """The oldest part is stored elsewhere: it is forgotten."""
        ...

    async def newest(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Micros]:
        """The venue's time of the newest message of each series (symbol, channel) that was there at the start. It reads
        back until all `wanted` are found. Raises Transient."""
        ...

    def allow(self, limit: int) -> None:
        """From now on it may hold so many bytes."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class PartRows:
    """The rows of a part as the database had them at one moment: `columns` are names and kinds (text, int, float, time)
    of the values in each row; times are micros."""

    columns: tuple[tuple[str, str], ...]
    weight: Weight
    pages: AsyncIterator[list[tuple[Any, ...]]]


class Shelf(Protocol):
    """The time series of the database, as parts that can leave it and come back. What leaves is entered before."""

    def parts(self, which: Which) -> AsyncIterator[Part]:
        """Those with rows in the database, oldest first within a series. The part that holds the end of a candle series
        is not among them: it is read and added to all the time."""
        ...

    async def weigh(self, part: Part) -> Weight: ...

    def take(self, part: Part) -> AbstractAsyncContextManager[PartRows]:
        """A copy of its rows, all of one moment."""
        ...

    async def enter(self, entry: Archived, before: Archived | None) -> bool:
        """From now on the file is read beside the database. It replaces `before`, the entry of the same part that it
        was made of. False: that is not the entry any more, because somebody else was faster, and nothing was entered.
        """
        ...

    async def entries(self, which: Which) -> list[Archived]:
        """By part."""
        ...

    async def beside(
        self, kind: str, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> list[Archived]:
        """The files to read beside the database for [start_ts, end_ts), by part. Ask for them after the rows: then
        nothing is missed, whatever leaves or comes back meanwhile."""
        ...

    async def release(self, entries: Sequence[Archived]) -> int:
        """Drops from the database what is surely in the archive, whole partitions where all of it is, and gives how
        many rows went. Rows that came or changed after they were taken stay."""
        ...

    async def put_back(self, entry: Archived, names: Sequence[str], pages: AsyncIterator[list[tuple[Any, ...]]]) -> int:
        """Its rows into the database in one transaction; rows that are there stay as they are. Gives how many came."""
        ...

    async def forget(self, part: Part, entry: Archived | None) -> int:
        """Deletes a part for good, with its entry, and gives how many rows that were."""
        ...

    async def drop_empty(self) -> int:
        """Drops partitions that are wholly past and empty, and gives how many there were."""
        ...

    async def make_ahead(self, now_ts: Micros) -> int:
        """Partitions for the next weeks, so that no writer has to make one; gives how many were made."""
        ...


class RawCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of one raw channel, in the database or in the archive."""

    exchange: str
    symbol: str
    channel: str
    first_ts: Micros
    last_ts: Micros
    rows: int
    gaps: int


class TableSize(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one partition of a time series, of another table (`partition` ""), or of the archive (`table` archive,
    `partition` its kind), indexes included."""

    table: str
    partition: str
    bytes: int
    start_ts: Micros = 0
    end_ts: Micros = 0


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """How full the disk of the data directory is. `per_day` is the growth of the last days in bytes, None before an
    hour of it was seen; `full_ts` is when the disk will be full if that goes on, None = not in ten years."""

    total: int
    free: int
    database: int
    archive: int
    per_day: float | None = None
    full_ts: Micros | None = None


class Catalogue(Protocol):
    """What is stored and how much room it takes: quick answers, however many rows there are."""

    async def raw(self, exchange: str | None = None, symbol: str | None = None) -> list[RawCoverage]: ...

    async def sizes(self) -> list[TableSize]:
        """The largest first."""
        ...

    async def disk(self) -> Disk: ...

    async def note(self) -> None:
        """Remembers how much there is now: the forecast is made from what was noted hour by hour."""
        ...
