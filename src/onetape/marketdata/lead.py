"""What must be read before a span, so that its first messages can be understood: a book, from its last snapshot on.

Updates say only what changed, so a replay or a proof that began with the first message of its span would know no book
until the venue happens to state it anew, which may be hours later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from onetape.domain.market import Channel, RawFrame
from onetape.domain.units import DAY, HOUR, Micros
from onetape.marketdata.replay import Messages, Wish

FARTHEST: Final[Micros] = DAY  # before the span; a line that was not renewed for longer is read from its next snapshot
_STEP: Final[Micros] = HOUR

Begins = Callable[[RawFrame], bool]  # whether a message states the whole book


async def prime(raw: Messages, wish: Wish, begins: Begins | None, *readers: Callable[[RawFrame], Any]) -> int:
    """Shows every reader the messages of the book from the last snapshot before the span up to the span, and gives how
    many. None where no book is wanted or none is stated within a day; `begins` None = the exchange states none."""
    if begins is None or Channel.BOOK not in wish.channels:
        return 0
    first = await _last(raw, wish, begins)
    if first is None:
        return 0
    count, begun = 0, False
    async for page in raw.read(wish.exchange, wish.symbol, (Channel.BOOK,), first.ts, wish.start_ts):
        for frame in page:
            begun = begun or _place(frame) == _place(first)
            if begun:
                count += 1
                for read in readers:
                    read(frame)
    return count


async def _last(raw: Messages, wish: Wish, begins: Begins) -> RawFrame | None:
    end = wish.start_ts
    while end > wish.start_ts - FARTHEST:
        found: RawFrame | None = None
        async for page in raw.read(wish.exchange, wish.symbol, (Channel.BOOK,), end - _STEP, end):
            found = next((frame for frame in reversed(page) if begins(frame)), found)
        if found is not None:
            return found
        end -= _STEP
    return None


def _place(frame: RawFrame) -> tuple[Micros, int]:
    return frame.recv_ts, frame.seq
