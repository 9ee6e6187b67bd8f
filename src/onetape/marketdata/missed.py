"""Recorded trades with those that were missed and fetched later in their place.

The answers that filled a hole (channel `trades_rest`) were received long after it. Here their trades are told where
they belong: with the first streamed trade that is not older. Only trades inside a gap of the channel are taken, each
once: a trade that was streamed is known by its id, or, where one message stands for several matches, by its time, price
and side. Of a hole in which the span ends, `left` has what no streamed trade follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol

from onetape.domain.market import Channel, MarketEvent, Print, RawFrame
from onetape.domain.units import MINUTE, Micros
from onetape.marketdata.replay import Decode, Wish, trades_of
from onetape.ports import RawStore

_ANSWERS: Final = "trades_rest"
_WIDE: Final = 10 * MINUTE  # an answer is filed under its newest trade, which may lie so far behind the hole
_REMEMBERED: Final = 10_000  # streamed trades before a hole, among which its first ones may be


Mark = str | tuple[Micros, float, int]


class Hole(Protocol):
    """A gap, as a list for people or the store has it."""

    @property
    def channel(self) -> str: ...
    @property
    def start_ts(self) -> Micros: ...
    @property
    def end_ts(self) -> Micros: ...


class Mended:
    """One pass over `wish`: `read` the messages, then call it with each, in order, for its events."""

    def __init__(self, raw: RawStore, decode: Decode, wish: Wish, gaps: Sequence[Hole]) -> None:
        self._raw, self._decode, self._wish = raw, decode, wish
        self._source = trades_of(wish.channels)
        inside = [
            g for g in gaps if g.channel == self._source and g.end_ts >= wish.start_ts and g.start_ts < wish.end_ts
        ]
        self._gaps = deque(sorted(inside, key=lambda gap: (gap.start_ts, gap.end_ts)))
        self._owed: deque[Print] = deque()  # of holes that were reached, by time
        self._told: set[str] = set()  # ids that were told from answers
        self._streamed: dict[Mark, None] = {}  # the newest ones
        self.repaired = 0

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[list[RawFrame]]:
        """As RawStore.read."""
        async for page in self._raw.read(exchange, symbol, channels, start_ts, end_ts):
            await self._reach(page[-1].recv_ts)
            yield page
        await self._reach(end_ts)

    async def _reach(self, ts: Micros) -> None:
        """The answers about all holes that begin before `ts`: they are owed from now on."""
        fresh: dict[str, Print] = {}
        while self._gaps and self._gaps[0].start_ts <= ts:
            gap = self._gaps.popleft()
            async for page in self._raw.read(
                self._wish.exchange, self._wish.symbol, (_ANSWERS,), gap.start_ts, gap.end_ts + _WIDE
            ):
                for frame in page:
                    for event in self._decode(frame):
                        if isinstance(event, Print) and self._wanted(event, gap):
                            fresh[event.id] = event
        if fresh:
            owed = {trade.id: trade for trade in self._owed} | fresh
            self._owed = deque(sorted(owed.values(), key=_order))

    def _wanted(self, trade: Print, gap: Hole) -> bool:
        inside = max(gap.start_ts, self._wish.start_ts) <= trade.ts <= min(gap.end_ts, self._wish.end_ts - 1)
        return inside and trade.id not in self._told

    def __call__(self, frame: RawFrame) -> tuple[MarketEvent, ...]:
        events = self._decode(frame)
        if frame.channel != self._source or not (self._owed or self._told or self._gaps):
            return events
        found: list[MarketEvent] = []
        for event in events:
            if not isinstance(event, Print):
                found.append(event)
                continue
            self._remember(event)
            if event.id not in self._told:
                found += [*self._due(event.ts), event]
        return tuple(found)

    def left(self) -> tuple[Print, ...]:
        """What is owed when no message follows."""
        return tuple(self._due(self._wish.end_ts))

    def _due(self, ts: Micros) -> list[Print]:
        if not self._owed or self._owed[0].ts > ts:
            return []
        found = []
        while self._owed and self._owed[0].ts <= ts:
            trade = self._owed.popleft()
            if not any(mark in self._streamed for mark in self._marks(trade)):
                found.append(trade)
                self._told.add(trade.id)
        self.repaired += len(found)
        return found

    def _remember(self, trade: Print) -> None:
        for mark in self._marks(trade):
            self._streamed[mark] = None
            if len(self._streamed) > _REMEMBERED:
                del self._streamed[next(iter(self._streamed))]

    def _marks(self, trade: Print) -> list[Mark]:
        """By what a trade is known again."""
        if self._source == Channel.TRADES_ALL:
            return [trade.id]
        return [trade.id, (trade.ts, trade.price, trade.side)]


def _order(trade: Print) -> tuple[Micros, int, str]:
    """Ids are numbers that grow, where a venue has such: the longer one is the later one."""
    return trade.ts, len(trade.id), trade.id
