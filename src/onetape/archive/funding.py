"""Funding rates from a file: a table with a time and a rate in each row, as exchanges and other programs publish them.

Known are Binance's dump (`calc_time, funding_interval_hours, last_funding_rate`), Binance's API (`fundingTime,
fundingRate`), OKX's history (`fundingTime, realizedRate`) and freqtrade's table of candles (`date, open`).
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from onetape.archive.columns import Cells, numbers, times
from onetape.archive.files import open_file
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints

_TIMES: Final = ("fundingtime", "calctime", "timestamp", "time", "ts", "date", "datetime")
_RATES: Final = ("realizedrate", "lastfundingrate", "fundingrate", "rate", "open")
_HIGHEST: Final = 0.1  # of the position's value, for one payment: nothing near it was ever charged
_EXPECTED: Final = "A header must name a time (fundingTime, time, date) and a rate (fundingRate, rate)."


def read_rates(path: Path) -> tuple[Ints, Floats]:
    """Times of payment (micros) and rates (> 0: longs pay), in the order of the file. Raises NotFound, BadInput naming
    line and column."""
    opened = open_file(path)
    table = opened.table if opened.table is not None else _from_text(opened.text or b"", path)
    names = [re.sub(r"[^a-z]", "", name.lower()) for name in table.columns]
    lines = np.arange(len(table)) + 2
    when, rate = (_column(table, names, known, lines, path) for known in (_TIMES, _RATES))
    ts, rates = times(when), numbers(rate)
    wrong = np.flatnonzero(~(np.abs(rates) <= _HIGHEST))
    if len(wrong):
        raise rate.refuse(int(wrong[0]), f"a rate from -{_HIGHEST:g} to {_HIGHEST:g}")
    return ts, rates


def _from_text(text: bytes, path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(io.BytesIO(text), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise BadInput("FILE", str(path), f"not CSV ({str(error).splitlines()[0]})", _EXPECTED) from None


def _column(table: pl.DataFrame, names: list[str], known: tuple[str, ...], lines: Ints, path: Path) -> Cells:
    found = next((name for name in known if name in names), None)
    if found is None or not len(table):
        raise BadInput("FILE", str(path), "no table of funding rates", _EXPECTED)
    place = names.index(found)
    return Cells(table.columns[place], place + 1, table.to_series(place), lines)
