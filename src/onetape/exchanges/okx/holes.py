"""Trades that did not come although the stream lived: seen by their ids, which OKX counts up for each instrument. Pure.

A jump is no hole yet: the other connection may bring what is missing, and a message stands for several ids. What is
still missing after a moment is a hole. OKX does not promise consecutive ids, so an instrument that jumps again and
again is no longer judged by them.
"""

from __future__ import annotations

from typing import Final

import msgspec

from onetape.domain.market import MarketEvent, Print
from onetape.domain.units import Micros
from onetape.exchanges.okx import wire

_SETTLE_SECONDS: Final = 2.0
_MANY: Final = 20  # holes, of which there is more than one in fifty messages: these ids are not consecutive
_RARE: Final = 50


class Hole:
    """The ids from `first` on that did not come before `upto` did, between two events."""

    __slots__ = ("due", "end_ts", "first", "last", "missing", "start_ts", "upto")

    def __init__(self, first: int, last: int, upto: int) -> None:
        self.first, self.last, self.upto = first, last, upto
        self.missing = last - first + 1
        self.start_ts: Micros = 0
        self.end_ts: Micros = 0
        self.due = 0.0

    @property
    def cause(self) -> str:
        named = str(self.first) if self.first == self.last else f"{self.first} to {self.last}"
        return f"trade {named} did not come under a live connection"


class Holes:
    """Of one stream of trades. Times are monotonic seconds, given by the caller."""

    def __init__(self) -> None:
        self.trusted = True
        self.high = -1  # the greatest id
        self._open: list[Hole] = []
        self.messages = self._found = 0
        self._told = False

    def follows(self, told: tuple[MarketEvent, ...]) -> bool:
        """Whether this is the one trade after the last: the usual case, done as fast as can be."""
        self.messages += 1
        if len(told) != 1:
            return False
        trade = told[0]
        if not isinstance(trade, Print) or trade.id != str(self.high + 1):
            return False
        self.high += 1
        return True

    def jumped(self, frame: bytes, span: tuple[Micros, Micros], now: float, known: bool) -> None:
        """A message that is not simply the next. `span` are the event before it and its own; `known`: what is missing
        before it is a gap already."""
        try:
            rows = wire.counted.decode(frame).data
        except msgspec.DecodeError:
            self.trusted = False  # ids that are no numbers
            return
        for row in sorted(rows, key=lambda each: each.tradeId):
            hole = self._passed(row.tradeId, row.count)
            if hole is not None and not known:
                hole.start_ts, hole.end_ts = span[0], max(span[1], span[0] + 1_000)
                hole.due = now + _SETTLE_SECONDS
                self._open.append(hole)
        self._open = [hole for hole in self._open if hole.missing > 0]

    def due(self, now: float) -> list[Hole]:
        """Those that nobody has filled."""
        found = [hole for hole in self._open if now >= hole.due]
        if found:
            self._open = [hole for hole in self._open if now < hole.due]
            self._found += len(found)
            if self._found >= _MANY and self._found * _RARE > self.messages:
                self.trusted = False
        return found if self.trusted else []

    def gave_up(self) -> bool:
        """True once, when the ids turn out not to be consecutive."""
        told, self._told = self._told, not self.trusted
        return self._told and not told

    def _passed(self, last: int, count: int) -> Hole | None:
        first, high = last - count + 1, self.high
        if last > high:
            self.high = last
            return Hole(high + 1, first - 1, last) if 0 <= high < first - 1 else None
        for hole in reversed(self._open):
            if hole.first <= last <= hole.upto:
                hole.missing -= count
                break
        return None
