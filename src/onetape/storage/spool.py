"""What waits on disk while PostgreSQL is away: append-only files, on the disk for certain before a write is done.

Parts are numbered and small (their format: `storage.spooled`); a part is deleted when everything in it is committed. A
program that dies between the commit and the deletion offers the part again at its next start: the tables know what they
have, so nothing is stored twice. At start only the last part is looked into, for a record that was not written to its
end; the others are read when their turn comes, each in a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from io import FileIO
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from onetape.domain.errors import Taken, Transient
from onetape.domain.market import Gap, RawFrame
from onetape.domain.units import Micros
from onetape.observe import log
from onetape.ports import Spooled, SpoolState
from onetape.storage import spooled
from onetape.storage.spooled import MAGIC

PART_BYTES: Final = 4_000_000
_NUMBER: Final = "[0-9]" * 10
_USUAL_BYTES: Final = 250  # of an item, where nothing better is known
P = ParamSpec("P")
T = TypeVar("T")


class DiskSpool:
    """Fulfils ports.Spool over one folder, which belongs to one process at a time. Raises Taken."""

    def __init__(self, folder: Path, limit: int, part_bytes: int = PART_BYTES) -> None:
        self._folder, self._limit, self._part_bytes = folder, limit, part_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            remedy = "Stop the other collector, or give this one a data directory of its own (--data-dir)."
            raise Taken("the spool", str(folder), "used by another process", remedy) from None
        self._part: FileIO | None = None  # the one that is written to
        self._problem = ""  # why the last write was refused
        self._damaged: set[Path] = set()
        self._passed: dict[spooled.Stream, Micros] = {}  # the last message of each stream in the parts that are done
        self._passing: dict[spooled.Stream, Micros] = {}  # the same of the part that was read last
        self._sizes = _found(folder)  # bytes and items of each part, oldest first
        self._earlier = tuple(self._sizes)  # parts of an earlier run
        self._number = max((int(path.stem) for path in folder.glob(f"{_NUMBER}.*")), default=0)
        self._turn = asyncio.Lock()

    @property
    def state(self) -> SpoolState:
        """`limit` is what may wait here, or what the disk has room for when that is less."""
        held = self._held
        return SpoolState(
            bytes=held,
            limit=max(1, min(self._limit, held + _room(self._folder))),
            items=sum(items for _, items in self._sizes.values()),
            full=bool(self._problem),
            problem=self._problem,
        )

    @property
    def _held(self) -> int:
        return sum(size for size, _ in self._sizes.values())

    def allow(self, limit: int) -> None:
        """See the port."""
        self._limit = limit

    async def write(self, items: Sequence[Spooled]) -> bool:
        """See the port."""
        data = spooled.packed(items)
        async with self._turn:
            if self._held + len(data) > self._limit:
                self._problem = f"it may hold {self._limit / 1e6:,.0f} MB"
                return False
            return await _to_its_end(self._append, data, len(items))

    def _append(self, data: bytes, items: int) -> bool:
        """A disk that takes it not, or not whole, leaves everything as it was; the next write begins a new part."""
        path = self._current()
        size, before = self._sizes.get(path, (0, 0))
        try:
            part = self._part = self._part or path.open("xb", buffering=0)
            left = memoryview(data if size else MAGIC + data)
            written = size + len(left)
            while left:
                left = left[part.write(left) :]  # a disk that is nearly full takes less than it is given
            os.fsync(part.fileno())
            if not size:
                _sync_folder(self._folder)
        except OSError as error:
            self._give_up(path, size, error)
            return False
        self._sizes[path] = (written, before + items)
        self._problem = ""
        return True

    def _give_up(self, path: Path, size: int, error: OSError) -> None:
        if not self._problem:
            log.error("spool_not_written", path=str(path), problem=str(error))
        self._problem = f"the disk says: {error.strerror or error}"
        with contextlib.suppress(OSError):  # what stays there is never read: its size is known
            self._seal()
        with contextlib.suppress(OSError):
            if size:
                os.truncate(path, size)
            else:
                path.unlink(missing_ok=True)

    def _current(self) -> Path:
        """The part to write to, begun or not."""
        newest = next(reversed(self._sizes), None)
        if self._part is not None and newest is not None and self._sizes[newest][0] < self._part_bytes:
            return newest
        self._seal()
        self._number += 1
        return self._folder / f"{self._number:010}.spool"

    def _seal(self) -> None:
        if self._part is not None:
            part, self._part = self._part, None
            part.close()

    async def oldest(self) -> list[Spooled]:
        """See the port."""
        async with self._turn:
            path = next(iter(self._sizes), None)
            if path is None:
                return []
            if path == next(reversed(self._sizes)):
                self._seal()  # what comes now goes into the next part
            content, written_ts = await _to_its_end(_read, path, self._sizes[path][0])
            self._sizes[path] = (self._sizes[path][0], len(content.items))
            self._passing = spooled.last_times(content.items)
            if not content.holes and content.end == content.size:
                return content.items
            gaps = spooled.lost(content, self._passed, written_ts)
            self._say_damaged(path, content, gaps)
            return [*content.items, *gaps]

    def _say_damaged(self, path: Path, content: spooled.Content, gaps: Sequence[Gap]) -> None:
        if path in self._damaged:
            return
        self._damaged.add(path)
        log.error(
            "spool_damaged",
            says=f"{path} is damaged: {len(content.items):,} of its items could be read. What was lost is recorded as "
            f"{len(gaps)} gaps, and the part is kept as {path.stem}.damaged.",
        )

    async def done(self) -> None:
        """See the port."""
        async with self._turn:
            path = next(iter(self._sizes))
            if path in self._damaged:
                self._damaged.discard(path)
                with contextlib.suppress(FileNotFoundError):  # somebody has taken it away
                    path.replace(path.with_suffix(".damaged"))
            else:
                path.unlink(missing_ok=True)
            del self._sizes[path]
            self._passed |= self._passing
            self._problem = ""

    async def newest(self, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Micros]:
        """See the port."""
        found: dict[tuple[str, str], Micros] = {}
        for path in reversed(self._earlier):
            if all(stream in found for stream in wanted):
                break
            async with self._turn:
                if path not in self._sizes:
                    continue
                content, _ = await _to_its_end(_read, path, self._sizes[path][0])
            part: dict[tuple[str, str], Micros] = {}
            for item in content.items:
                if isinstance(item, RawFrame):
                    key = (item.symbol, item.channel)
                    part[key] = max(item.ts, part.get(key, 0))
            found = part | found
        return found

    def close(self) -> None:
        self._seal()
        self._lock.close()


async def _to_its_end(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """In a thread, and to its end even for a caller that is cancelled: until then the turn is not given on."""
    done = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        await asyncio.wait({done})
        raise


def _room(folder: Path) -> int:
    """Bytes that the disk has left for us; no bound where it does not say."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return sys.maxsize
    return disk.f_bavail * disk.f_frsize


def _found(folder: Path) -> dict[Path, tuple[int, int]]:
    """The parts that an earlier run left. The items of all but the last are estimated until they are read."""
    paths = sorted(folder.glob(f"{_NUMBER}.spool"))
    if not paths:
        return {}
    last = paths.pop()
    content = spooled.cut(last)
    sizes = {path: path.stat().st_size for path in paths}
    usual = (content.end - len(MAGIC)) // len(content.items) if content.items else _USUAL_BYTES
    found = {path: (size, max(1, (size - len(MAGIC)) // usual)) for path, size in sizes.items()}
    if content.items:
        found[last] = (content.end, len(content.items))
    else:
        last.unlink()
    return found


def _read(path: Path, size: int) -> tuple[spooled.Content, Micros]:
    """What the part holds, and when it was written. One that is gone or cannot be read any more holds nothing."""
    try:
        content, written_ts = spooled.read(path, size), path.stat().st_mtime_ns // 1_000
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EIO):
            raise Transient(f"{path} cannot be read ({error.strerror}).") from error
        return spooled.Content([], [], 0, size), time.time_ns() // 1_000
    return content._replace(size=size), written_ts  # a part that is shorter than it was has lost its end


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
