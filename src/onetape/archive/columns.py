"""Text into numbers, whole columns at a time: prices, and times told apart row by row.

A time may be seconds, milliseconds, microseconds or nanoseconds since 1970, whole or with decimals, or a date in words;
each row is judged by itself, because published files mix them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import polars as pl

from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints

_NOTHING: Final = ("", "nan", "null", "none", "n/a", "na", "inf", "-inf", "+inf", "infinity", "-infinity")
_OFFSET: Final = r"([+-]\d{2}):?(\d{2})$"
_FORMATS: Final = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%Y%m%d",
)


class Cells(NamedTuple):
    """One column of a file with what is needed to point at a cell: its name, its place (from 1), the rows' lines."""

    name: str
    place: int
    values: pl.Series
    lines: Ints

    def refuse(self, row: int, expected: str) -> BadInput:
        where = f"line {int(self.lines[row])}, column {self.place} ({self.name})"
        return BadInput(where, self.values[row], f"not {expected}", f"Expected {expected}; nothing was imported.")


def numbers(cells: Cells) -> Floats:
    """Float64; a cell without a value (empty, NaN, null, infinite) is NaN. Raises BadInput for text."""
    values = cells.values
    if values.dtype != pl.String:
        return values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    parsed = values.cast(pl.Float64, strict=False)
    if parsed.null_count():
        stripped = values.str.strip_chars()
        parsed = stripped.cast(pl.Float64, strict=False)
        bad = parsed.is_null() & stripped.is_not_null() & ~stripped.str.to_lowercase().is_in(_NOTHING)
        if bad.any():
            raise cells.refuse(int(bad.arg_max() or 0), "a number")
    found = parsed.fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(found), found, np.nan) if not np.isfinite(found).all() else found


def times(cells: Cells, day_ts: int | None = None) -> Ints:
    """UTC microseconds; with `day_ts`, cells are milliseconds since that midnight. Raises BadInput."""
    if cells.values.dtype.is_temporal():
        return _temporal(cells)
    text = cells.values.cast(pl.String).str.strip_chars()
    whole = text.cast(pl.Int64, strict=False)
    number = text.cast(pl.Float64, strict=False)
    if day_ts is not None:
        if number.null_count():
            raise cells.refuse(int(number.is_null().arg_max() or 0), "milliseconds since midnight")
        return (day_ts + number.to_numpy() * 1_000).astype(np.int64)
    dated = (text.str.len_chars() == 8) & whole.is_not_null()
    micros = epoch_micros(whole.to_frame("w").with_columns(number.alias("f")))
    if number.null_count() or dated.any():
        micros = pl.select(pl.when(dated).then(None).otherwise(micros)).to_series()
        micros = micros.fill_null(_dates(text))
    if micros.null_count():
        raise cells.refuse(int(micros.is_null().arg_max() or 0), "a time (Unix s, ms or us, or like 2018-01-31 12:00)")
    return micros.to_numpy()


def epoch_micros(frame: pl.DataFrame) -> pl.Series:
    """From columns `w` (whole numbers, null where there are decimals) and `f` (the same as float), row by row.

    Above 1e17 nanoseconds, above 1e14 microseconds, above 1e11 milliseconds, else seconds.
    """
    w, f = pl.col("w"), pl.col("f")
    huge = pl.lit(None, pl.Int64)
    found = (
        pl.when(f.abs() > 9e18)
        .then(huge)
        .when(f > 1e17)
        .then(w.fill_null(0) // 1_000)
        .when(f > 1e14)
        .then(w.fill_null(f.round().cast(pl.Int64, strict=False)))
        .when(f > 1e11)
        .then((f * 1_000).round().cast(pl.Int64, strict=False))
        .otherwise((f * 1_000_000).round().cast(pl.Int64, strict=False))
    )
    return frame.select(found.alias("ts")).to_series()


def _dates(text: pl.Series) -> pl.Series:
    plain = text.str.replace(r"(\d)T", "${1} ").str.replace(r"(?i)\s*(Z|UTC)$", "")
    plain = plain.str.replace(r"(?i) (\d\d)-(AM|PM)$", " ${1}:00 ${2}")  # 2017-08-17 04-AM
    ahead = plain.str.extract(r" .*?" + _OFFSET, 1)
    if ahead.null_count() < len(ahead):
        minutes = plain.str.extract(r" .*?" + _OFFSET, 2).cast(pl.Int64) * ahead.str.replace(r"\d+", "1").cast(pl.Int64)
        shift = ((ahead.cast(pl.Int64) * 60 + minutes) * 60_000_000).fill_null(0)
        plain = plain.str.replace(r"( .*?)\s*" + _OFFSET, "${1}")
    else:
        shift = pl.Series([0])
    found = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(text))
    for form in _FORMATS:
        if not found.null_count():
            break
        found = found.fill_null(plain.str.to_datetime(form, strict=False, time_unit="us").cast(pl.Int64))
    return found - shift


def _temporal(cells: Cells) -> Ints:
    values = cells.values
    if values.null_count():
        raise cells.refuse(int(values.is_null().arg_max() or 0), "a time")
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return values.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy()
