"""The local order book under OKX's sequence rule. Pure: messages in, levels out."""

from __future__ import annotations

import enum
from bisect import bisect_left, insort

from onetape.exchanges.okx.wire import BookMessage, Level


class Outcome(enum.Enum):
    LOADED = "loaded"  # a snapshot replaced everything
    APPLIED = "applied"
    BROKEN = "broken"  # the chain broke: invalid from now on
    IGNORED = "ignored"  # an update while there is no valid book


class _Side:
    """Sizes by price, with the prices kept sorted, lowest first."""

    __slots__ = ("prices", "sizes")

    def __init__(self) -> None:
        self.prices: list[float] = []
        self.sizes: dict[float, float] = {}

    def load(self, levels: list[Level]) -> None:
        self.sizes = {level.px: level.sz for level in levels if level.sz > 0}
        self.prices = sorted(self.sizes)

    def merge(self, levels: list[Level]) -> None:
        for level in levels:
            price = level.px
            if level.sz > 0:
                if price not in self.sizes:
                    insort(self.prices, price)
                self.sizes[price] = level.sz
            elif self.sizes.pop(price, None) is not None:
                del self.prices[bisect_left(self.prices, price)]


class LocalBook:
    """One instrument's book. `last` is the sequence id reached, None while the book is invalid.

    An update is accepted if and only if its `prevSeqId` is `last`: ids jump, repeat (heartbeat) and even fall
    (maintenance), so nothing else is required of them. Recordings of 2022 have no ids and are taken as they come.
    """

    def __init__(self) -> None:
        self.valid = False
        self.last: int | None = None
        self.ts = 0
        self._bids, self._asks = _Side(), _Side()

    def apply(self, action: str, data: BookMessage) -> Outcome:
        if action == "snapshot" or (not action and data.prevSeqId in (None, -1)):
            self._bids.load(data.bids)
            self._asks.load(data.asks)
            outcome, self.valid = Outcome.LOADED, True
        elif not self.valid:
            return Outcome.IGNORED
        elif data.prevSeqId != self.last:
            self.invalidate()
            return Outcome.BROKEN
        else:
            self._bids.merge(data.bids)
            self._asks.merge(data.asks)
            outcome = Outcome.APPLIED
        self.last, self.ts = data.seqId, data.ts
        return outcome

    def invalidate(self) -> None:
        self.valid, self.last = False, None

    def bids(self, n: int, size: float = 1.0) -> list[tuple[float, float]]:
        """The n best, highest first; quantities times `size`."""
        side = self._bids
        return [(price, side.sizes[price] * size) for price in reversed(side.prices[-n:])]

    def asks(self, n: int, size: float = 1.0) -> list[tuple[float, float]]:
        """The n best, lowest first; quantities times `size`."""
        side = self._asks
        return [(price, side.sizes[price] * size) for price in side.prices[:n]]
