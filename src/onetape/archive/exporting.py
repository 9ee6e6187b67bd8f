"""Candles into a file that says itself what it holds: CSV or Parquet, by the name's ending.

Every number is written so that it comes back bit for bit, and every row carries its origin; the importer knows the
layout (`onetape`). The file appears under its name only when it is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import polars as pl

from onetape.domain.bars import Bar
from onetape.domain.errors import BadInput
from onetape.domain.frame import PRICES, CandleFrame
from onetape.domain.market import Origin

Writer = Callable[[pl.DataFrame, IO[bytes]], Any]


def _csv(table: pl.DataFrame, file: IO[bytes]) -> None:
    table.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%SZ")


def _parquet(table: pl.DataFrame, file: IO[bytes]) -> None:
    table.write_parquet(file, compression="zstd")


BAR_COLUMNS: Final = (
    "exchange", "symbol", "size", "open_time", "close_time", "open", "high", "low", "close", "volume", "turnover",
    "trades",
)  # fmt: skip
WRITERS: Final[dict[str, Writer]] = {".csv": _csv, ".parquet": _parquet}


def writer_for(path: Path) -> Writer:
    """By the ending of the name. Raises BadInput."""
    if (found := WRITERS.get(path.suffix.lower())) is None:
        raise BadInput("-o", str(path), "a name that does not say the format", f"End it in {' or '.join(WRITERS)}.")
    return found


def export(frame: CandleFrame, path: Path) -> None:
    """Writes beside `path` and renames at the end; a file that is there already is replaced then. Raises BadInput."""
    _put(_table(frame), path, writer_for(path))


def export_bars(bars: Sequence[Bar], path: Path) -> None:
    """As `export`. Bars by what was traded lie on no grid; times are to the microsecond."""
    columns: dict[str, Any] = {name: [getattr(bar, name) for bar in bars] for name in Bar.__struct_fields__}
    for name in ("open", "close"):
        columns[f"{name}_time"] = pl.Series(columns.pop(f"{name}_ts"), dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))
    write = _csv_micros if path.suffix.lower() == ".csv" else writer_for(path)
    _put(pl.DataFrame(columns).select(BAR_COLUMNS), path, write)


def _csv_micros(table: pl.DataFrame, file: IO[bytes]) -> None:
    table.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ")


def _put(table: pl.DataFrame, path: Path, write: Writer) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            write(table, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _table(frame: CandleFrame) -> pl.DataFrame:
    n = len(frame)
    names = np.array([origin.name.lower() for origin in Origin])
    columns: dict[str, Any] = {
        "exchange": pl.repeat(frame.exchange, n, eager=True),
        "symbol": pl.repeat(frame.symbol, n, eager=True),
        "timeframe": pl.repeat(str(frame.timeframe), n, eager=True),
        "open_time": pl.Series(frame.ts, dtype=pl.Int64).cast(pl.Datetime("us", "UTC")),
    }
    columns |= {name: getattr(frame, name) for name in (*PRICES, "volume", "turnover")}
    return pl.DataFrame(columns | {"origin": names[frame.origin]})
