"""The bars the venue serves, by their names on the wire. Plain bars of 6H and more open in UTC+8, `utc` ones in UTC."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onetape.domain.units import HOUR, Micros, Timeframe


class Bar(NamedTuple):
    """`shift` is added to a time before its bucket is found: 8 hours for bars that open in UTC+8."""

    name: str
    timeframe: Timeframe
    shift: Micros

    def floor(self, ts: Micros) -> Micros:
        return self.timeframe.floor(ts + self.shift) - self.shift

    def next(self, ts: Micros) -> Micros:
        return self.timeframe.next(ts + self.shift) - self.shift

    def opens(self, start_ts: Micros, stop_ts: Micros) -> NDArray[np.int64]:
        """Open times in [start_ts, stop_ts), ascending."""
        first = self.floor(start_ts)
        if first < start_ts:
            first = self.next(first)
        if self.timeframe.regular:
            return np.arange(first, stop_ts, self.timeframe.micros, dtype=np.int64)
        found = []
        while first < stop_ts:
            found.append(first)
            first = self.next(first)
        return np.array(found, np.int64)

    def back(self, ts: Micros, n: int) -> Micros:
        """A time at or before the open of the bar `n` bars before the one that holds `ts`."""
        return self.floor(self.floor(ts) - n * self.timeframe.micros * (31 if not self.timeframe.regular else 30) // 30)


SECONDS: Final = "1s"


def _bars() -> dict[str, Bar]:
    table = {}
    for name in (SECONDS, "1m", "3m", "5m", "15m", "30m", "1H", "2H", "4H"):
        table[name] = Bar(name, Timeframe.parse(name), 0)
    for name in ("6H", "12H", "1D", "2D", "3D", "5D", "1W", "1M", "3M"):
        table[name] = Bar(name, Timeframe.parse(name), 8 * HOUR)
        table[name + "utc"] = Bar(name + "utc", Timeframe.parse(name), 0)
    return table


BARS: Final[dict[str, Bar]] = _bars()
REST_BARS: Final = {name: bar for name, bar in BARS.items() if not name.startswith("5D")}  # of the past
MINUTE_BARS: Final = {name: bar for name, bar in REST_BARS.items() if name != SECONDS}  # of now, an index, a mark
