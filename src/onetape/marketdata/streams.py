"""How the streams are doing, once a second: what the feed says of its sockets, and what was counted here."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from onetape.domain.market import RawFrame, Streams
from onetape.marketdata.latency import Histogram

_AGAIN: Final = 60.0  # seconds after which delays are measured afresh


class _Count:
    __slots__ = ("before", "delays", "gaps", "messages")

    def __init__(self) -> None:
        self.messages = self.before = self.gaps = 0
        self.delays = Histogram()


class Tally:
    """Messages, gaps and delays by stream."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}
        self._told = self._afresh = time.monotonic()
        self.offset_ms = 0.0  # the venue's clock minus ours, as the feed says

    def message(self, frame: RawFrame) -> None:
        count = self._of(frame.symbol, frame.channel)
        count.messages += 1
        count.delays.add(max(0.0, (frame.recv_ts - frame.ts) / 1e3 + self.offset_ms))

    def gap(self, symbol: str, channel: str) -> None:
        self._of(symbol, channel).gaps += 1

    def _of(self, symbol: str, channel: str) -> _Count:
        count = self._counts.get((symbol, channel))
        if count is None:
            count = self._counts[symbol, channel] = _Count()
        return count

    def told(self, streams: Streams, trouble: str) -> Streams:
        """`streams` with the counts filled in where the feed has none, and `trouble` unless the feed has its own."""
        now = time.monotonic()
        seconds, self._told = max(now - self._told, 1e-3), now
        self.offset_ms = streams.clock_offset_ms
        items = []
        for item in streams.items:
            count = self._of(item.symbol, item.channel)
            rate = round((count.messages - count.before) / seconds, 1)
            changes: dict[str, object] = {"per_second": item.per_second or rate, "gaps": max(item.gaps, count.gaps)}
            if item.delay_p50_ms < 0 and count.delays.count:
                changes["delay_p50_ms"] = round(count.delays.quantile(0.5), 3)
                changes["delay_p99_ms"] = round(count.delays.quantile(0.99), 3)
            count.before = count.messages
            items.append(msgspec.structs.replace(item, messages=max(item.messages, count.messages), **changes))
        if now - self._afresh > _AGAIN:
            self._afresh = now
            for count in self._counts.values():
                count.delays = Histogram()
        return msgspec.structs.replace(streams, items=tuple(items), trouble=streams.trouble or trouble)
