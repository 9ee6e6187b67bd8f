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


class Bars:
    """Candles: by open time, whether closed, and content. What is closed does not run again, and what runs does not
    run backward."""

    def __init__(self) -> None:
        self._rows: dict[Micros, tuple[bool, tuple[float, ...], str]] = {}
        self._newest: Micros = 0

    def new(self, source: str, ts: Micros, told: Events, data: Any, recv_ts: Micros) -> Events | None:  # noqa: ARG002
        fresh = tuple([e for e in told if isinstance(e, Candle | Forming) and self._take(source, e)])
        return fresh or None

    def _take(self, source: str, bar: Candle | Forming) -> bool:
        closed = isinstance(bar, Candle)
        content = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        known = self._rows.get(bar.open_ts)
        if known is not None:
            was_closed, was, by = known
            if (was_closed and not closed) or (was_closed == closed and was == content):
                return False
            if not closed and bar.volume < was[4] and source != by:
                return False
        elif len(self._rows) >= _BARS and bar.open_ts < min(self._rows):
            return False  # a venue that tells the past anew at every subscription
        elif not closed and bar.open_ts < self._newest:
            return False
        self._newest = max(self._newest, bar.open_ts)
        self._rows[bar.open_ts] = (closed, content, source)
        if len(self._rows) > _BARS:
            del self._rows[min(self._rows)]
        return True


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
