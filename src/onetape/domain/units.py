"""Units. A number carries its unit in its type or in its name.

Micros are UTC microseconds since 1970; fields that hold them end in `_ts`. A candle's timestamp is its OPEN time and
its bucket is [open, open + timeframe). Bars of a day and longer are anchored to UTC, weeks to Monday.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from onetape.domain.errors import BadInput

Micros = int
Price = float
Qty = float
Money = float
Rate = float

SECOND: Final[Micros] = 1_000_000
MINUTE: Final[Micros] = 60 * SECOND
HOUR: Final[Micros] = 60 * MINUTE
DAY: Final[Micros] = 24 * HOUR
WEEK: Final[Micros] = 7 * DAY
EARLIEST: Final[Micros] = -62_135_596_800_000_000  # 0001-01-01: no clock says less,
LATEST: Final[Micros] = 253_402_300_799_000_000  # 9999-12-31: or more

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY: Final[Micros] = 4 * DAY  # 1970-01-05 was a Monday
_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK, "M": 30 * DAY}
_SPANS: Final = {"us": 1, "ms": 1_000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_SPAN: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(us|ms|s|m|h|d)")
_TIMEFRAME: Final = re.compile(r"([1-9][0-9]{0,4})(s|m|h|H|d|D|w|W|M)")


def from_datetime(moment: datetime) -> Micros:
    """Micros of an aware datetime; a naive one is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1)


def to_datetime(ts: Micros) -> datetime:
    return _EPOCH + timedelta(microseconds=int(ts))


def rfc3339(ts: Micros) -> str:
    """`2019-12-31T23:59:00Z`, with microseconds only where there are any."""
    return to_datetime(ts).isoformat().replace("+00:00", "Z")


def parse_time(text: str, field: str = "time") -> Micros:
    """Micros from `20180101`, `2018-01-01`, `2018-01-01T12:00[:00][Z]`, or digits in s, ms or us since 1970."""
    stripped = text.strip()
    if re.fullmatch(r"\d{8}", stripped):
        stripped = f"{stripped[:4]}-{stripped[4:6]}-{stripped[6:]}"
    elif re.fullmatch(r"\d{9,16}", stripped):
        return epoch_micros(int(stripped))
    try:
        return from_datetime(datetime.fromisoformat(stripped))
    except ValueError:
        raise BadInput(field, text, "not a time", "Write 20180131, 2018-01-31 or 2018-01-31T12:00:00Z.") from None


def epoch_micros(value: float) -> Micros:
    """Seconds, milliseconds and microseconds since 1970 told apart by magnitude."""
    if value > 1e14:
        return int(value)
    if value > 1e11:
        return round(value * 1_000)
    return round(value * 1_000_000)


def parse_span(text: str, field: str = "span") -> Micros:
    """Micros from `200ms`, `1.5s`, `5m`, `2h`, `1d`, `500us`, or `0`. Raises BadInput naming `field`."""
    stripped = text.strip()
    if stripped == "0":
        return 0
    found = _SPAN.fullmatch(stripped)
    if not found:
        raise BadInput(field, text, "not a length of time", "Write 200ms, 1.5s, 5m, 2h or 1d.")
    return round(float(found[1]) * _SPANS[found[2]])


class Timeframe(NamedTuple):
    """The length of a candle: `1s`, `1m`, `7m`, `1h`, `1d`, `1w`, `1M`. Compares and hashes by value."""

    count: int  # type: ignore[assignment]  # hides the tuple's own method, which nobody needs here
    unit: str

    @classmethod
    def parse(cls, text: str | Timeframe, field: str = "timeframe") -> Timeframe:
        """Raises BadInput naming `field`."""
        if isinstance(text, Timeframe):
            return text
        return _parse_timeframe(text, field)

    @property
    def micros(self) -> Micros:
        """Length in microseconds; a month counts 30 days here, its real length comes from `next`."""
        return self.count * _UNITS[self.unit]

    @property
    def longest(self) -> Micros:
        """Length in microseconds that no candle exceeds; a month counts 31 days here."""
        return self.count * 31 * DAY if self.unit == "M" else self.micros

    @property
    def regular(self) -> bool:
        """Whether every candle has the same length (all but months)."""
        return self.unit != "M"

    def floor(self, ts: Micros) -> Micros:
        """The open time of the candle that holds `ts`."""
        if self.unit == "M":
            moment = to_datetime(ts)
            month = (moment.year * 12 + moment.month - 1) // self.count * self.count
            return from_datetime(datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)) if month >= 12 else EARLIEST
        anchor = _MONDAY if self.unit == "w" else 0
        return ts - (ts - anchor) % self.micros

    def next(self, ts: Micros) -> Micros:
        """The open time of the candle after the one that holds `ts`, which is this one's close time."""
        start = self.floor(ts)
        later = start + self.longest
        return self.floor(later) if self.unit == "M" and later <= LATEST else later

    def divides(self, longer: Timeframe) -> bool:
        """Whether every candle of `longer` is made of whole candles of this length. A whole multiple is not enough:
        two days begin anywhere in a month, and seven minutes not on every Monday."""
        if self.unit == "M":
            return longer.unit == "M" and longer.count % self.count == 0
        span = DAY if longer.unit == "M" else longer.micros
        return span % self.micros == 0 and (longer.floor(0) - self.floor(0)) % self.micros == 0

    def candles(self, start_ts: Micros, end_ts: Micros) -> int:
        """How many candles fit into [start, end), both on the grid; months are counted, not measured."""
        if self.regular:
            return max(0, end_ts - start_ts) // self.micros
        found = 0
        while start_ts < end_ts:
            start_ts, found = self.next(start_ts), found + 1
        return found

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


@lru_cache(maxsize=256)
def _parse_timeframe(text: str, field: str) -> Timeframe:
    found = _TIMEFRAME.fullmatch(text.strip())
    if not found:
        raise BadInput(field, text, "not a timeframe", "Use 1s, 1m, 5m, 15m, 1h, 4h, 1d, 1w or 1M.")
    unit = found[2] if found[2] == "M" else found[2].lower()
    return Timeframe(int(found[1]), unit)
