"""What became of an imported file."""

from __future__ import annotations

import msgspec

from onetape.domain.units import Micros


class Rejected(msgspec.Struct, frozen=True):
    """One row that was refused: its line in the file (or row number of a columnar file), why, and what stood there."""

    line: int
    reason: str
    value: str


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in one file, and what became of it."""

    file: str
    layout: str
    says: str
    exchange: str
    symbol: str
    timeframe: str
    rows_read: int
    rows_new: int
    rows_changed: int
    duplicates: int
    disagreeing: int
    rejected: int
    reasons: dict[str, int]
    rejected_rows: tuple[Rejected, ...]
    gaps: int
    missing: int  # candles in those gaps


class Imported(Counted, frozen=True, kw_only=True):
    """Times are open times of the rows of the file, in UTC micros."""

    first_ts: Micros
    last_ts: Micros
