"""The local order book under OKX's sequence rule. Pure: messages in, levels out."""

from __future__ import annotations

import enum
import math
from functools import cache
from typing import Final

import msgspec
import numpy as np

from onetape.domain.frame import Floats
from onetape.exchanges.okx.wire import AnyBook, BookText, Level, levels

_LEVELS: Final = 1024  # of a side, to begin with
_TEXT: Final = 16 * 1024  # bytes of a message, to begin with


@cache
def prepare() -> None:
    """Loads what books need, or compiles it, which takes seconds the first time on a machine: in a thread, before the
    first book."""
    from onetape.core import ladder

    ladder.warm()


class Outcome(enum.Enum):
    LOADED = "loaded"  # a snapshot replaced everything
    APPLIED = "applied"
    BROKEN = "broken"  # the chain broke: invalid from now on
    IGNORED = "ignored"  # an update while there is no valid book


class LocalBook:
    """One instrument's book. `last` is the sequence id reached, None while the book is invalid.

    An update is accepted if and only if its `prevSeqId` is `last`: ids jump, repeat (heartbeat) and even fall
    (maintenance), so nothing else is required of them. Recordings of 2022 have no ids and are taken as they come.
    A message with a level that is no number raises msgspec.ValidationError and changes nothing.
    """

    def __init__(self) -> None:
        from onetape.core import ladder  # loads the compiler: only for whom there is a book

        self.valid = False
        self.last: int | None = None
        self.ts = 0
        self._kernels = ladder
        self._ladder, self._changes = np.zeros((4, _LEVELS)), np.zeros((4, _LEVELS))
        self._counts = np.zeros(2, np.int64)
        self._room(_TEXT)

    def apply(self, action: str, data: AnyBook) -> Outcome:
        fresh = action == "snapshot" or (not action and data.prevSeqId in (None, -1))
        if not fresh:
            if not self.valid:
                return Outcome.IGNORED
            if data.prevSeqId != self.last:
                self.invalidate()
                return Outcome.BROKEN
        if isinstance(data, BookText):
            self._take(data.bids, data.asks, fresh)
        else:
            self._change(data.bids, data.asks, fresh)
        self.valid = True
        self.last, self.ts = data.seqId, data.ts
        return Outcome.LOADED if fresh else Outcome.APPLIED

    def invalidate(self) -> None:
        self.valid, self.last = False, None

    def bids(self, n: int, size: float = 1.0) -> list[tuple[float, float]]:
        """The n best, highest first; quantities times `size`."""
        return self._best(self._kernels.BIDS, n, size)

    def asks(self, n: int, size: float = 1.0) -> list[tuple[float, float]]:
        """The n best, lowest first; quantities times `size`."""
        return self._best(self._kernels.ASKS, n, size)

    def read(self, bids: Floats, asks: Floats) -> tuple[int, int]:
        """The best levels of both sides into rows of (price, quantity), best first, without making anything; gives how
        many there were."""
        best = self._kernels.best
        return (
            best(self._ladder, self._counts, self._kernels.BIDS, bids),
            best(self._ladder, self._counts, self._kernels.ASKS, asks),
        )

    def _best(self, row: int, n: int, size: float) -> list[tuple[float, float]]:
        out = np.empty((n, 2))
        found = out[: self._kernels.best(self._ladder, self._counts, row, out)]
        return list(zip(found[:, 0].tolist(), (found[:, 1] * size).tolist(), strict=True))

    def _take(self, bids: msgspec.Raw, asks: msgspec.Raw, fresh: bool) -> None:
        middle = len(bids)
        end = middle + len(asks)
        if end > len(self._buffer):
            self._room(2 * end)
        self._buffer[:middle] = bids
        self._buffer[middle:end] = asks
        done = self._kernels.take(self._ladder, self._counts, self._changes, self._text, middle, end, fresh)
        if done != self._kernels.DONE:  # written in an unusual way, or more levels than there is room for
            self._change(levels.decode(bids), levels.decode(asks), fresh)

    def _change(self, bids: list[Level], asks: list[Level], fresh: bool) -> None:
        if not all(math.isfinite(x.px) and math.isfinite(x.sz) for side in (bids, asks) for x in side):
            raise msgspec.ValidationError("a price or a size is not finite")
        self._widen(max(len(bids), len(asks)))
        changes = self._changes
        for row, side, sign in ((self._kernels.BIDS, bids, 1.0), (self._kernels.ASKS, asks, -1.0)):
            changes[row, : len(side)] = [sign * x.px for x in side]
            changes[row + 1, : len(side)] = [x.sz for x in side]
        self._kernels.change(self._ladder, self._counts, changes, len(bids), len(asks), fresh)

    def _widen(self, further: int) -> None:
        """Room for so many levels more on each side."""
        wanted, have = int(self._counts.max()) + further, self._ladder.shape[1]
        if wanted <= have:
            return
        room = max(wanted, 2 * have)
        ladder = np.zeros((4, room))
        ladder[:, :have] = self._ladder
        self._ladder, self._changes = ladder, np.zeros((4, room))

    def _room(self, size: int) -> None:
        """For so many bytes of text."""
        buffer = bytearray(size)
        self._buffer, self._text = memoryview(buffer), np.frombuffer(buffer, np.uint8)
