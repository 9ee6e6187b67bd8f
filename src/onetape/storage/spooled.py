"""One part of the spool on disk: its records, what can still be read of a damaged one, and what was lost with it.

A part is the magic and then records: length and CRC-32 of the payload (two little-endian uint32), and the payload, one
message, gap or candle as MessagePack. A record that does not fit its check is passed over, and reading goes on with the
next whole one: so little is lost of a damaged part, and what is lost is said as a gap of every stream in it.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from onetape.domain.market import Candle, Gap, RawFrame
from onetape.domain.units import Micros
from onetape.observe import log
from onetape.ports import Spooled

MAGIC: Final = b"1TSPOOL1"
DAMAGED: Final = "a part of the spool on disk was damaged"
_HEAD: Final = struct.Struct("<II")
_FIRST: Final = re.compile(rb"[\x92\x93]")  # of every payload: an array, of two before candles waited here too

Stream = tuple[str, str, str]  # exchange, symbol, channel


class _Record(msgspec.Struct, frozen=True, array_like=True):
    frame: RawFrame | None = None
    gap: Gap | None = None
    candle: Candle | None = None


class Content(NamedTuple):
    """What a part holds. `holes` are the places in `items` where records were lost; `end` is where the last whole
    record ends, `size` where the part does."""

    items: list[Spooled]
    holes: list[int]
    end: int
    size: int


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(_Record)


def packed(items: Sequence[Spooled]) -> bytes:
    records = [_encoder.encode(_record_of(item)) for item in items]
    return b"".join(_HEAD.pack(len(record), zlib.crc32(record)) + record for record in records)


def _record_of(item: Spooled) -> _Record:
    match item:
        case RawFrame():
            return _Record(frame=item)
        case Gap():
            return _Record(gap=item)
        case Candle():
            return _Record(candle=item)


def read(path: Path, size: int | None = None) -> Content:
    """The part up to `size`, or to its end. Raises OSError."""
    with path.open("rb") as file:
        data = file.read() if size is None else file.read(size)
    items: list[Spooled] = []
    holes: list[int] = []
    at = len(MAGIC) if len(data) >= len(MAGIC) else 0
    while at and at < len(data):
        found = _record(data, at)
        if found is not None:
            item, at = found
            items.append(item)
            continue
        following = _following(data, at + 1)
        if following is None:
            break
        holes.append(len(items))
        at = following
    return Content(items, holes, at, len(data))


def _record(data: bytes, at: int) -> tuple[Spooled, int] | None:
    """The record that begins there and where it ends, if it is whole."""
    if at + _HEAD.size > len(data):
        return None
    length, check = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    if start + length > len(data):
        return None
    payload = memoryview(data)[start : start + length]
    if zlib.crc32(payload) != check:
        return None
    try:
        record = _decoder.decode(payload)
    except msgspec.DecodeError:
        return None
    item = record.frame or record.gap or record.candle
    return None if item is None else (item, start + length)


def _following(data: bytes, at: int) -> int | None:
    """Where the next whole record begins."""
    for found in _FIRST.finditer(data, at + _HEAD.size):
        start = found.start() - _HEAD.size
        if _record(data, start) is not None:
            return start
    return None


def lost(content: Content, known: Mapping[Stream, Micros], until: Micros) -> list[Gap]:
    """The hole that damage left in each stream, in the part or among the `known` ones (with the time of their last
    message in earlier parts): from the last message before to the first one after, or `until` where there is none."""
    times = [item.ts for item in content.items if isinstance(item, RawFrame)]
    first, last = min(times, default=until), max(until, *times, 0)
    places = [*content.holes, len(content.items)] if content.end < content.size else content.holes
    gaps: list[Gap] = []
    for place in places:
        before = {**known, **last_times(content.items[:place])}
        after = last_times(reversed(content.items[place:]))
        for stream in before | after:
            start = before.get(stream, first)
            gaps.append(Gap(*stream, start, max(after.get(stream, last), start + 1), DAMAGED))
    return list(dict.fromkeys(gaps))


def last_times(items: Iterable[Spooled]) -> dict[Stream, Micros]:
    """By stream, the time of its last message in that order."""
    return {(each.exchange, each.symbol, each.channel): each.ts for each in items if isinstance(each, RawFrame)}


def cut(path: Path) -> Content:
    """Cuts off what was not written to its end when the program died. It is kept beside the part: it was never said to
    be stored, but a damaged disk looks the same. On a full disk it stays where it is. Raises OSError."""
    content = read(path)
    if content.end == content.size:
        return content
    rest = path.read_bytes()[content.end :]
    try:
        path.with_suffix(".cut").write_bytes(rest)
        with path.open("r+b") as file:
            file.truncate(content.end)
            os.fsync(file.fileno())
    except OSError as error:
        log.warning("spool_not_mended", path=str(path), problem=str(error))
    log.warning("spool_mended", path=str(path), items=len(content.items), bytes_cut=len(rest))
    return content._replace(size=content.end)
