"""Lists for people as a whole: page after page, as far as is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from onetape.ports import GapView, OnlyGaps, Queries

PAGE: Final = 1000


async def latest(queries: Queries, only: OnlyGaps, limit: int | None = None) -> tuple[list[GapView], bool]:
    """The latest `limit` of them (None: all), and whether there are more."""
    found: list[GapView] = []
    cursor = ""
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(found))
        page, cursor = await queries.gaps(msgspec.structs.replace(only, limit=size, before=cursor))
        found += page
        if not cursor or (limit is not None and len(found) >= limit):
            return found, bool(cursor)
