"""OKX's channels and what makes their messages the same."""

from __future__ import annotations

from onetape.domain.market import Channel
from onetape.exchanges.okx import wire
from onetape.exchanges.once import Bars, ByContent, ById, LatestWins, Once


class Trades(ById):
    """Trades, which OKX counts per instrument."""

    def joins(self, frame: bytes) -> bool:
        """Whether this message begins with the id after the last one: then nothing is missing before it.

        OKX counts trades per instrument, but promises no row without holes: an id that does not join proves nothing.
        """
        try:
            first = min((t.tradeId - t.count + 1 for t in wire.counted.decode(frame).data), default=-1)
        except wire.UNREADABLE:
            return False
        return 0 <= first <= self.ids.last + 1 and self.ids.last >= 0


def rule(channel: Channel) -> Once:
    """The rule of a channel; books have their own (see books)."""
    match channel:
        case Channel.TRADES | Channel.TRADES_ALL:
            return Trades()
        case Channel.CANDLES:
            return Bars()
        case Channel.INSTRUMENTS:
            return ByContent()
        case _:
            return LatestWins()
