"""Holes between two runs, and what can be done about a hole at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from onetape.domain.market import Channel, Gap, RawFrame, Want
from onetape.domain.units import Micros
from onetape.ports import RawStore, Spool

NO_PAST: Final = "the venue keeps no past of it"
STOPPED: Final = "the collector was not running"


def has_past(channel: str) -> bool:
    """Whether what was missed on a channel can be fetched: of books, quotes and marks nobody keeps the past."""
    return channel.partition(":")[0] in (Channel.TRADES, Channel.TRADES_ALL, Channel.CANDLES)


class Absences:
    """The hole of each stream from the last message of an earlier run to the first one of this. Candles are not looked
    at: what is missing of them shows in the table.

    Streams may run before anybody can be asked where they ended; then their first messages are remembered here.
    """

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._last: dict[tuple[str, str], Micros] | None = None
        self._first: dict[tuple[str, str], RawFrame] = {}

    async def begin(self, raw: RawStore, spool: Spool | None, wants: Sequence[Want]) -> list[Gap]:
        """Looks up where each stream ended, before anything of this run is in the table, and gives the holes of those
        that have begun already. Raises Transient."""
        streams = [(want.symbol, want.name) for want in wants if want.channel is not Channel.CANDLES]
        waiting = await spool.newest(streams) if spool is not None else {}
        found: dict[tuple[str, str], Micros] = {}
        for stream in streams:
            if last := max(waiting.get(stream, 0), await raw.last_ts(self._exchange, *stream)):
                found[stream] = last
        self._last = found
        return [gap for frame in self._first.values() if (gap := self.first(frame))]

    def first(self, frame: RawFrame) -> Gap | None:
        """The hole before the first message of a stream; nothing for all others."""
        key = (frame.symbol, frame.channel)
        if self._last is None:
            self._first.setdefault(key, frame)
            return None
        last = self._last.pop(key, None) if self._last else None
        if last is None or frame.ts <= last:
            return None
        return Gap(frame.exchange, frame.symbol, frame.channel, last, frame.ts, STOPPED)
