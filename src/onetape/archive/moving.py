"""Moves parts between the database and the archive, and keeps what the policy says.

Each part goes through three steps: its file is written and checked, it is entered, its rows are released. A process may
die between any two of them: the next run goes on from there, and meanwhile the rows are read once, though they are
in both places.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import msgspec

from onetape.archive.folder import Files
from onetape.domain.markets import Keep, Kept
from onetape.domain.parts import RAW, Archived, Part, Which
from onetape.domain.units import DAY, Micros
from onetape.observe import log
from onetape.ports import Shelf

WRITTEN: Final = "written"
ENTERED: Final = "entered"
RELEASED: Final = "released"
RESTORED: Final = "restored"
FORGOTTEN: Final = "forgotten"
LEFT_ALONE: Final[Micros] = 30 * DAY  # what somebody restored stays so long in the database


class Step(msgspec.Struct, frozen=True):
    """What was just done, for those who watch. RELEASED counts the rows of all parts together, and has no part."""

    what: str
    rows: int
    bytes: int = 0
    part: Part | None = None


Told = Callable[[Step], None]


class Moved(msgspec.Struct, kw_only=True):
    """What a run did: parts that are in files now, their rows and bytes, rows that left the database, rows deleted."""

    parts: int = 0
    rows: int = 0
    bytes: int = 0
    released: int = 0
    forgotten: int = 0


async def archive(shelf: Shelf, files: Files, which: Which, told: Told) -> Moved:
    """All parts of `which` that are in the database, into files, and out of the database."""
    return await _archive(shelf, files, [part async for part in shelf.parts(which)], told)


async def _archive(shelf: Shelf, files: Files, parts: Sequence[Part], told: Told) -> Moved:
    moved = Moved()
    entered = []
    for part in parts:
        if (entry := await _into_file(shelf, files, part, told)) is None:
            continue
        entered.append(entry)
        moved.parts += 1
        moved.rows += entry.rows
        moved.bytes += entry.bytes
    if entered:
        moved.released = await shelf.release(entered)
        told(Step(RELEASED, moved.released))
    return moved


async def _into_file(shelf: Shelf, files: Files, part: Part, told: Told) -> Archived | None:
    """None: another process moves the same part. Its file holds rows that this one has not seen."""
    before = await entry_of(shelf, part)
    if before is not None and not before.restored_ts and before.taken == await shelf.weigh(part):
        return before  # a run before this one came so far
    async with shelf.take(part) as taken:
        if not taken.weight.rows:
            return None
        draft = files.draft(part, taken.columns)
        try:
            if before is not None:
                await asyncio.to_thread(draft.merge, before)
            async for page in taken.pages:
                await asyncio.to_thread(draft.add, page)
            entry = await asyncio.to_thread(draft.finish, taken.weight, merged=before is not None)
        finally:
            draft.discard()
    told(Step(WRITTEN, entry.rows, entry.bytes, part))
    if not await shelf.enter(entry, before):
        await asyncio.to_thread(files.over, entry)
        log.info("part_moved_by_another", part=str(part))
        return None
    told(Step(ENTERED, entry.rows, entry.bytes, part))
    return entry


async def entry_of(shelf: Shelf, part: Part) -> Archived | None:
    """What the archive holds of a part."""
    found = await shelf.entries(
        Which(
            kind=part.kind, exchange=part.exchange, symbol=part.symbol, channel=part.channel, from_ts=part.start_ts,
            before_ts=part.end_ts,
        )
    )  # fmt: skip
    return found[0] if found else None


async def restore(shelf: Shelf, files: Files, entry: Archived, told: Told) -> int:
    """The rows of a file back into the database, after a look whether it is what was written. Raises Damaged."""
    await asyncio.to_thread(files.check, entry)
    names = await asyncio.to_thread(files.names, entry)
    came = await shelf.put_back(entry, names, _rows(files, entry))
    told(Step(RESTORED, came, entry.bytes, entry.part))
    return came


async def _rows(files: Files, entry: Archived) -> AsyncIterator[list[tuple[Any, ...]]]:
    pages = files.pages(entry)
    while (page := await asyncio.to_thread(next, pages, None)) is not None:
        yield await asyncio.to_thread(page.rows)


async def keep(shelf: Shelf, files: Files, policy: Keep, now_ts: Micros, told: Told) -> Moved:
    """Once through everything: what has been in the database long enough leaves it, what has been in the archive long
    enough is deleted, and files that nobody needs any more are removed."""
    due: list[Part] = []
    dropped: list[Part] = []
    async for part in shelf.parts(Which(before_ts=now_ts - DAY)):
        kept = _kept(policy, part)
        if kept.in_database is None or part.end_ts > now_ts - kept.in_database:
            continue
        (dropped if _is_over(kept, part, now_ts) else due).append(part)
    entries = await shelf.entries(Which())
    lately = {entry.part for entry in entries if entry.restored_ts > now_ts - LEFT_ALONE}
    moved = await _archive(shelf, files, [part for part in due if part not in lately], told)
    held = {entry.part: entry for entry in entries}
    over = [part for part in held if _is_over(_kept(policy, part), part, now_ts) and part not in lately]
    for part in [*over, *(part for part in dropped if part not in held)]:
        if (entry := held.get(part)) is not None:
            await asyncio.to_thread(files.over, entry)
        rows = await shelf.forget(part, entry)
        moved.forgotten += rows
        told(Step(FORGOTTEN, rows, 0, part))
    await shelf.drop_empty()
    removed = await asyncio.to_thread(files.sweep, [entry.file for entry in await shelf.entries(Which())])
    log.info("policy_kept", parts=moved.parts, released=moved.released, forgotten=moved.forgotten, removed=removed)
    return moved


def _kept(policy: Keep, part: Part) -> Kept:
    return policy.of_raw(part.channel) if part.kind == RAW else policy.of_candles(part.channel)


def _is_over(kept: Kept, part: Part, now_ts: Micros) -> bool:
    if kept.in_database is None or kept.in_archive is None:
        return False
    return part.end_ts <= now_ts - kept.in_database - kept.in_archive
