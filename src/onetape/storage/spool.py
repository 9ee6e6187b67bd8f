"""What waits on disk while PostgreSQL is away: append-only files, on the disk for certain before a write is done.

A part is the magic and then records: length and CRC-32 of the payload (two little-endian uint32), and the payload, one
message or gap as MessagePack. Parts are numbered and small; a part is deleted when everything in it is committed. A
program that dies between the commit and the deletion offers the part again at its next start: the tables know what they
have, so nothing is stored twice. At start a record that was not written to its end is cut off.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import msgspec

from onetape.domain.errors import Taken
from onetape.domain.market import Gap, RawFrame
from onetape.domain.units import Micros
from onetape.observe import log
from onetape.ports import Spooled, SpoolState

MAGIC: Final = b"1TSPOOL1"
PART_BYTES: Final = 4_000_000
_HEAD: Final = struct.Struct("<II")
P = ParamSpec("P")
T = TypeVar("T")


class _Record(msgspec.Struct, frozen=True, array_like=True):
    frame: RawFrame | None = None
    gap: Gap | None = None


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Record)


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
        self._sizes: dict[Path, tuple[int, int]] = {}  # bytes and items of each part, oldest first
        self._refused = False
        self._newest: dict[tuple[str, str], Micros] = {}
        for path in sorted(folder.glob("*.spool")):
            items, size = _mended(path)
            if not items:
                path.unlink()
                continue
            self._sizes[path] = (size, len(items))
            for item in items:
                if isinstance(item, RawFrame):
                    key = (item.symbol, item.channel)
                    self._newest[key] = max(item.ts, self._newest.get(key, 0))
        self._turn = asyncio.Lock()

    @property
    def state(self) -> SpoolState:
        return SpoolState(
            bytes=sum(size for size, _ in self._sizes.values()),
            limit=self._limit,
            items=sum(items for _, items in self._sizes.values()),
            full=self._refused,
        )

    async def write(self, items: Sequence[Spooled]) -> bool:
        """See the port."""
        records = [
            _encoder.encode(_Record(frame=item) if isinstance(item, RawFrame) else _Record(gap=item)) for item in items
        ]
        data = b"".join(_HEAD.pack(len(record), zlib.crc32(record)) + record for record in records)
        async with self._turn:
            if self.state.bytes + len(data) > self._limit:
                self._refused = True
                return False
            return await _to_its_end(self._append, data, len(items))

    def _append(self, data: bytes, items: int) -> bool:
        path, part = self._current()
        size, before = self._sizes[path]
        left = memoryview(data)
        try:
            while left:
                left = left[part.write(left) :]  # a disk that is nearly full takes less than it is given
            os.fsync(part.fileno())
        except OSError as error:
            log.error("spool_not_written", path=str(path), problem=str(error))
            part.truncate(size)
            part.seek(size)
            self._refused = True
            return False
        self._sizes[path] = (size + len(data), before + items)
        return True

    def _current(self) -> tuple[Path, FileIO]:
        newest = next(reversed(self._sizes), None)
        if self._part is not None and newest is not None and self._sizes[newest][0] < self._part_bytes:
            return newest, self._part
        self._seal()
        number = int(newest.stem) + 1 if newest else 1
        path = self._folder / f"{number:010}.spool"
        self._part = path.open("xb", buffering=0)
        self._part.write(MAGIC)
        _sync_folder(self._folder)
        self._sizes[path] = (len(MAGIC), 0)
        return path, self._part

    def _seal(self) -> None:
        if self._part is not None:
            self._part.close()
            self._part = None

    async def oldest(self) -> list[Spooled]:
        """See the port."""
        async with self._turn:
            path = next(iter(self._sizes), None)
            if path is None:
                return []
            if path == next(reversed(self._sizes)):
                self._seal()  # what comes now goes into the next part
            items, _ = await _to_its_end(_read, path)
            return items

    async def done(self) -> None:
        """See the port."""
        async with self._turn:
            path = next(iter(self._sizes))
            path.unlink()
            del self._sizes[path]
            self._refused = False

    def newest(self, symbol: str, channel: str) -> Micros:
        """See the port."""
        return self._newest.get((symbol, channel), 0)

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


def _read(path: Path) -> tuple[list[Spooled], int]:
    """The items of a part and where the last whole one ends."""
    data = path.read_bytes()
    items: list[Spooled] = []
    at = len(MAGIC) if data.startswith(MAGIC) else 0
    while at and at + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, at)
        payload = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(payload) < length or zlib.crc32(payload) != check:
            break
        record = _decoder.decode(payload)
        item = record.frame or record.gap
        if item is not None:
            items.append(item)
        at += _HEAD.size + length
    return items, at


def _mended(path: Path) -> tuple[list[Spooled], int]:
    """Cuts off what was not written to its end, and gives the items and bytes of the part. What is cut off is kept
    beside it: it was never said to be stored, but a damaged disk looks the same."""
    items, end = _read(path)
    size = path.stat().st_size
    if end < size:
        rest = path.read_bytes()[end:]
        path.with_suffix(".cut").write_bytes(rest)
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
        log.warning("spool_mended", path=str(path), items=len(items), bytes_cut=len(rest))
    return items, end


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
