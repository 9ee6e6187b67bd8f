"""Candles into a file that says itself what it holds: CSV or Parquet, by the name's ending.

Every number is written so that it comes back bit for bit, and every row carries its origin; the importer knows the
layout (`onetape`). The file appears under its name only when it is whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import polars as pl

from onetape.domain.errors import BadInput
from onetape.domain.frame import PRICES, CandleFrame
from onetape.domain.market import Origin

Writer = Callable[[pl.DataFrame, IO[bytes]], Any]


def _csv(table: pl.DataFrame, file: IO[bytes]) -> None:
    table.write_csv(file, datetime_format="%Y-%m-%dT%H:%M:%SZ")


def _parquet(table: pl.DataFrame, file: IO[bytes]) -> None:
    table.write_parquet(file, compression="zstd")


WRITERS: Final[dict[str, Writer]] = {".csv": _csv, ".parquet": _parquet}


def writer_for(path: Path) -> Writer:
    """By the ending of the name. Raises BadInput."""
    if (found := WRITERS.get(path.suffix.lower())) is None:
        raise BadInput("-o", str(path), "a name that does not say the format", f"End it in {' or '.join(WRITERS)}.")
    return found


def export(frame: CandleFrame, path: Path) -> None:
    """Writes beside `path` and renames at the end; a file that is there already is replaced then. Raises BadInput."""
    write = writer_for(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            write(_table(frame), file)
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
