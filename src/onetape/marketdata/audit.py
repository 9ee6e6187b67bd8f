"""Are the venue's candles what its trades say? Every closed candle is compared with the one built from the trades that
were received; the venue's is kept in any case. Differences get a name.

A candle is compared when no trade of it can be on its way any more. It is not judged when the trades of its time are
not known whole: before the first trade that was received, and on a stretch where trades were missed.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from onetape.domain.market import Candle, Gap, Print
from onetape.domain.units import SECOND, Micros, Timeframe
from onetape.marketdata.building import LATENESS, LateBuilder
from onetape.ports import Verdict

EQUAL: Final = "equal"
NOT_JUDGED: Final = "not judged"
MISSING: Final = "missing trades"
PRICE: Final = "price"
VOLUME: Final = "volume"
ROUNDING: Final = "rounding"

_EXACT: Final = 1e-9  # sums of floats differ by so much
_ROUNDED: Final = 1e-5
_KEPT: Final = 64  # built candles that wait for the venue's
_QUIET: Final = 5 * SECOND  # of our clock, after which a candle is compared on a market without trades


def compare(venue: Candle, built: Candle | None) -> str:
    """The name of the difference."""
    if built is None:
        return EQUAL if venue.volume == 0 else MISSING
    volume = _apart(venue.volume, built.volume)
    same = (venue.open, venue.high, venue.low, venue.close) == (built.open, built.high, built.low, built.close)
    if volume > _ROUNDED:
        return MISSING if built.volume < venue.volume else VOLUME
    if same:
        return EQUAL if volume <= _EXACT else ROUNDING
    apart = max(_apart(getattr(venue, name), getattr(built, name)) for name in ("open", "high", "low", "close"))
    return ROUNDING if apart <= _EXACT else PRICE


def _apart(a: float, b: float) -> float:
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


class SeriesAudit:
    """One series of a venue beside the same series built from trades."""

    def __init__(
        self, exchange: str, symbol: str, timeframe: Timeframe, lateness: Micros = LATENESS, since: Micros = -1
    ) -> None:
        self._key = (exchange, symbol, str(timeframe))
        self._timeframe, self._lateness = timeframe, lateness
        self._builder = LateBuilder(exchange, symbol, timeframe, lateness)
        self._built: dict[Micros, Candle] = {}
        self._waiting: deque[tuple[Candle, Micros]] = deque()  # with the time of our clock at which they came
        self._since = since  # from here on trades are known; -1 = from the first one
        self._holes: deque[tuple[Micros, Micros]] = deque(maxlen=_KEPT)

    def trade(self, trade: Print) -> None:
        if self._since < 0:
            self._since = trade.ts
        for candle in self._builder.add(trade):
            self._built[candle.open_ts] = candle
            while len(self._built) > _KEPT:
                del self._built[next(iter(self._built))]

    def gap(self, gap: Gap) -> None:
        """Trades of [start, end] were missed."""
        self._holes.append((gap.start_ts, gap.end_ts))

    def venue(self, candle: Candle, now_ts: Micros) -> None:
        self._waiting.append((candle, now_ts))

    def verdicts(self, now_ts: Micros) -> list[Verdict]:
        """Of the candles that can be judged by now."""
        found = []
        while self._waiting:
            candle, came_ts = self._waiting[0]
            if self._builder.newest < candle.close_ts + self._lateness and now_ts < came_ts + _QUIET:
                break
            self._waiting.popleft()
            found.append(self._judge(candle))
        return found

    def _judge(self, candle: Candle) -> Verdict:
        for built in self._builder.advance(candle.close_ts):
            self._built[built.open_ts] = built
        own = self._built.get(candle.open_ts)  # and keep it: the venue may tell the candle again
        unknown = self._since < 0 or candle.open_ts <= self._since
        missed = any(a <= candle.close_ts and b >= candle.open_ts for a, b in self._holes)
        name = NOT_JUDGED if unknown or missed else compare(candle, own)
        return Verdict(*self._key, candle.open_ts, name, _numbers(candle), _numbers(own) if own else [])


def _numbers(candle: Candle) -> list[float]:
    values = (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.turnover)
    return [value if math.isfinite(value) else 0.0 for value in values]
