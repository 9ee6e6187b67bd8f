"""What of a message is new when two connections bring the same stream. Pure: one rule per kind of channel.

Each rule gives the events of a message that were not told before, or None when there are none left. It takes what it
has let through itself without change, so that stored messages decode to what they said when they came.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from onetape.domain.market import Candle, Forming, MarketEvent, Print
from onetape.domain.units import SECOND, Micros
from onetape.exchanges.ids import Ids
from onetape.exchanges.recent import Recent

Events = tuple[MarketEvent, ...]

_TRADES: Final = 20_000  # ids remembered: how far one connection may lie behind the other
_DIGITS: Final = 18  # a longer id is no number of ours, and might be too long to be read as one
_BARS: Final = 8
_STATES: Final = 16  # times of messages that are remembered
_ALIKE: Final[Micros] = 10 * SECOND  # the same list of instruments within this time is the same message


class Once(Protocol):
    """`source` is the connection, `ts` the message's time, `data` what it holds: structs, or `Raw`."""

    def new(self, source: str, ts: Micros, told: Events, data: Any, recv_ts: Micros) -> Events | None: ...


class ById:
    """Trades: by their id."""

    def __init__(self) -> None:
        self.ids = Ids(_TRADES)
        self._others: Recent[str] = Recent(_TRADES)  # that are no numbers

    def new(self, source: str, ts: Micros, told: Events, data: Any, recv_ts: Micros) -> Events | None:  # noqa: ARG002
        if len(told) == 1:  # nearly always
            return told if self._take(told[0]) else None
        return tuple([trade for trade in told if self._take(trade)]) or None

    def _take(self, trade: MarketEvent) -> bool:
        if not isinstance(trade, Print):
            return False
        text = trade.id
        if len(text) > _DIGITS or not text.isdecimal():
            return self._others.add(text)
        return self.ids.add(int(text))


class LatestWins:
    """Messages that state everything anew: by their time and content, never backward to what the other brought. A line
    that brings two of them the wrong way round has brought both: neither is new when the other line brings it."""

    def __init__(self) -> None:
        self._ts: Micros = 0
        self._source = ""
        self._contents: dict[Micros, list[Any]] = {}  # all that was told, by its time

    def new(self, source: str, ts: Micros, told: Events, data: Any, recv_ts: Micros) -> Events | None:  # noqa: ARG002
        if ts < self._ts and source != self._source:
            return None
        contents = self._contents.setdefault(ts, [])
        if data in contents:
            return None
        contents.append(data)
        if len(self._contents) > _STATES:
            del self._contents[next(iter(self._contents))]
        self._ts, self._source = ts, source
        return told


class _Bar:
    """What was told of one candle: how it ran, and each word on how it ended, with how many of these a line brought."""

    __slots__ = ("brought", "by", "running", "words")

    def __init__(self) -> None:
        self.running: tuple[float, ...] | None = None
        self.by = ""  # the line that told how it runs
        self.words: list[tuple[float, ...]] = []
        self.brought: dict[str, int] = {}

    def runs(self, source: str, content: tuple[float, ...]) -> bool:
        was = self.running
        if self.words or was == content or (was is not None and content[4] < was[4] and source != self.by):
            return False
        self.running, self.by = content, source
        return True

    def ends(self, source: str, content: tuple[float, ...]) -> bool:
        """Not new: the last word of the same line, or one that the other line was faster with."""
        ahead = range(max(0, self.brought.get(source, 0) - 1), len(self.words))
        place = next((i for i in ahead if self.words[i] == content), None)
        if place is None:
            self.words.append(content)
        self.brought[source] = len(self.words) if place is None else place + 1
        return place is None


class Bars:
    """Candles: by open time, whether closed, and content. What is closed does not run again, what runs does not run
    backward, and a line that lags does not bring back the word before a correction."""

    def __init__(self) -> None:
        self._bars: dict[Micros, _Bar] = {}
        self._newest: Micros = 0

    def new(self, source: str, ts: Micros, told: Events, data: Any, recv_ts: Micros) -> Events | None:  # noqa: ARG002
        fresh = tuple([e for e in told if isinstance(e, Candle | Forming) and self._take(source, e)])
        return fresh or None

    def _take(self, source: str, bar: Candle | Forming) -> bool:
        closed = isinstance(bar, Candle)
        known = self._bars.get(bar.open_ts)
        if known is None:
            if len(self._bars) >= _BARS and bar.open_ts < min(self._bars):
                return False  # a venue that tells the past anew at every subscription
            if not closed and bar.open_ts < self._newest:
                return False
            known = self._bars[bar.open_ts] = _Bar()
            self._newest = max(self._newest, bar.open_ts)
            if len(self._bars) > _BARS:
                del self._bars[min(self._bars)]
        content = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        return known.ends(source, content) if closed else known.runs(source, content)


class ByContent:
    """Lists of instruments: by what they say, within a short time."""

    def __init__(self) -> None:
        self._seen: dict[bytes, Micros] = {}

    def new(self, source: str, ts: Micros, told: Events, data: Any, recv_ts: Micros) -> Events | None:  # noqa: ARG002
        content = bytes(data)
        self._seen = {c: seen_ts for c, seen_ts in self._seen.items() if recv_ts - seen_ts < _ALIKE}
        if content in self._seen:
            return None
        self._seen[content] = recv_ts
        return told
