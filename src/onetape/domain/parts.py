"""Parts: stretches of one stored series that leave the database together, each into one archive file.

Raw frames: a day (UTC, by the venue's time) of one channel. Candles: a day of those shorter than a minute, a month of
those shorter than an hour, a year of the others, because a file of 24 rows would be mostly file.
"""

from __future__ import annotations

from typing import Final

import msgspec

from onetape.domain.units import DAY, HOUR, MINUTE, Micros, Timeframe, to_datetime

RAW: Final = "raw"
CANDLES: Final = "candles"
KINDS: Final = (RAW, CANDLES)
_DAYS: Final = Timeframe(1, "d")
_MONTHS: Final = Timeframe(1, "M")
_YEARS: Final = Timeframe(12, "M")


def span_of(kind: str, channel: str) -> Timeframe:
    """How long the parts of a series are; `channel` is the timeframe where the kind is candles."""
    if kind == RAW:
        return _DAYS
    length = Timeframe.parse(channel).micros
    if length < MINUTE:
        return _DAYS
    return _MONTHS if length < HOUR else _YEARS


class Part(msgspec.Struct, frozen=True, order=True):
    """The rows of one series with a time in [start_ts, end_ts). `channel` is `trades`, or `1m` of candles."""

    kind: str
    exchange: str
    symbol: str
    channel: str
    start_ts: Micros
    end_ts: Micros

    @classmethod
    def holding(cls, kind: str, series: tuple[str, str, str], ts: Micros) -> Part:
        """The part of a series (exchange, symbol, channel) that a row of this time belongs to."""
        span = span_of(kind, series[2])
        return cls(kind, *series, span.floor(ts), span.next(ts))

    @property
    def series(self) -> tuple[str, str, str]:
        return self.exchange, self.symbol, self.channel

    @property
    def label(self) -> str:
        """`2026-01-04`, `2026-01` or `2026`, by its length."""
        length = self.end_ts - self.start_ts
        form = "%Y-%m-%d" if length <= DAY else "%Y-%m" if length <= 31 * DAY else "%Y"
        return to_datetime(self.start_ts).strftime(form)

    def __str__(self) -> str:
        return f"{self.kind} {self.exchange} {self.symbol} {self.channel} {self.label}"


class Weight(msgspec.Struct, frozen=True):
    """How many rows of a part stand in the database, and the sum of their hashes: equal weights, equal rows."""

    rows: int
    digest: int


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the archive. `taken` weighs the rows of the database that are in it: only those may be dropped.

    `file` is relative to the archive's folder; `first_recv_ts` is the earliest receipt (0 for candles); `restored_ts`
    says when its rows were put back into the database, 0 = they were not.
    """

    part: Part
    file: str
    rows: int
    first_ts: Micros
    last_ts: Micros
    bytes: int
    sha256: str
    taken: Weight
    first_recv_ts: Micros = 0
    restored_ts: Micros = 0


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Which parts are wanted: None is all. Parts that end after `before_ts` or begin before `from_ts` are not."""

    before_ts: Micros | None = None
    from_ts: Micros | None = None
    kind: str | None = None
    exchange: str | None = None
    symbol: str | None = None
    channel: str | None = None
