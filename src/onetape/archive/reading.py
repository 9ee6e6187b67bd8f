"""A candle file to a checked frame: opened, recognised, named, cleaned. Pure: no database, nothing written."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from onetape.archive import cleaning
from onetape.archive.cleaning import Refusals, Rows
from onetape.archive.columns import Cells, numbers, times
from onetape.archive.files import open_file
from onetape.archive.layouts import OHLC, OWN, USUAL, Layout, cells_of, recognise
from onetape.archive.naming import (
    day_in,
    exchange_in,
    is_symbol,
    normal_exchange,
    normal_symbol,
    symbol_in,
    timeframe_in,
)
from onetape.archive.sample import sample_path
from onetape.archive.table import Table, table_of
from onetape.clock import RealClock
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.imported import Rejected
from onetape.domain.market import IN_FILE, Gap, Origin, candle_channel
from onetape.domain.units import Micros, Timeframe, parse_time, rfc3339

ORIGINS: Final = {origin.name: int(origin) for origin in Origin}


class Hints(NamedTuple):
    """What a person says about a file; None: find out."""

    layout: str | None = None
    symbol: str | None = None
    exchange: str | None = None
    timeframe: str | None = None


NOTHING_SAID: Final = Hints()


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. `frame` is what may be stored; the counts say what became of the other rows.

    `duplicates` rows were dropped, `disagreeing` of them said something else than the one that stayed; `rejected` rows
    were refused, the first 10,000 of them are listed in `rejected_rows`.
    """

    file: str
    layout: str
    says: str
    frame: CandleFrame
    rows_read: int
    duplicates: int
    disagreeing: int
    rejected: int
    reasons: dict[str, int]
    rejected_rows: tuple[Rejected, ...]
    gaps: tuple[Gap, ...]

    @property
    def missing(self) -> int:
        """How many candles the gaps lack (a month counts 30 days)."""
        return sum(gap.end_ts - gap.start_ts for gap in self.gaps) // self.frame.timeframe.micros


def read(
    path: str | Path,
    layout: str | None = None,
    symbol: str | None = None,
    exchange: str | None = None,
    timeframe: str | None = None,
) -> Reading:
    """Raises BadInput (with line, value and what was expected) for a file that cannot be taken as a whole."""
    return read_at(Path(path), Hints(layout, symbol, exchange, timeframe), RealClock().now())


def sample_frame() -> CandleFrame:
    """The recorded sample: exchange bitfinex, symbol BTC-USD, timeframe 1m."""
    return read(sample_path()).frame


def read_at(path: Path, hints: Hints, now_ts: Micros) -> Reading:
    """`read` at a given time, after which nothing can have happened."""
    asked = Timeframe.parse(hints.timeframe, "--timeframe") if hints.timeframe else None
    table = table_of(open_file(path))
    layout = recognise(table, hints.layout)
    symbol, table = _symbol(table, layout, hints)
    exchange = _exchange(table, layout, hints)
    cells = cells_of(table, layout, symbol)
    read_rows = _rows(table, layout, cells, symbol)
    _refuse_what_is_no_market(read_rows, table, layout)
    refusals = Refusals()
    rows = cleaning.possible(read_rows, now_ts, refusals)
    _refuse_mostly_wrong(len(read_rows), refusals)
    grain = cleaning.timeframe_of(rows.ts, asked or _stated(table, layout), timeframe_in(table.hints))
    rows = cleaning.on_grid(rows, grain, refusals)
    rows = _closed(rows, grain, now_ts, refusals)
    _refuse_mostly_wrong(len(read_rows), refusals)
    rows, duplicates, disagreeing = cleaning.settled(rows)
    frame = _frame(rows, exchange, symbol, grain)
    return Reading(
        file=str(path),
        layout=layout.name,
        says=layout.says,
        frame=frame,
        rows_read=len(read_rows),
        duplicates=duplicates,
        disagreeing=disagreeing,
        rejected=refusals.total,
        reasons=refusals.counts,
        rejected_rows=refusals.listed,
        gaps=_gaps(frame, path.name),
    )


def _symbol(table: Table, layout: Layout, hints: Hints) -> tuple[str, Table]:
    """The symbol by flag, content or name; of a file with several symbols only the rows of the one asked for."""
    said = normal_symbol(hints.symbol) if hints.symbol else ""
    column = next((name for name in USUAL["symbol"] if table.header and name in table.names), "")
    texts = table.rows[column].cast(pl.String) if column else pl.Series([], dtype=pl.String)
    written = sorted(texts.drop_nulls().unique().to_list())
    if written and not (said and len(written) == 1 and not is_symbol(written[0])):
        return _symbol_of_column(table, texts, written, said)
    found = said or symbol_in(table.hints) or symbol_in(table.folders)
    if not found:
        problem = "not given, and neither content nor file name tells it"
        raise BadInput("--symbol", "", problem, "Say --symbol BTC-USDT.")
    return (f"{found}-MARK" if layout.name == "mark-price" and not said else found), table


def _symbol_of_column(table: Table, texts: pl.Series, written: list[str], said: str) -> tuple[str, Table]:
    """By a symbol column: one symbol may be written in several ways, and a perpetual like its spot market."""
    spellings: dict[str, list[str]] = {}
    for text in written:
        spellings.setdefault(normal_symbol(text, "the symbol column"), []).append(text)
    inside = said.removesuffix("-SWAP") if said not in spellings else said
    if not said and len(spellings) == 1:
        said = inside = next(iter(spellings))
    if inside not in spellings:
        problem = f"not in the file, which has {', '.join(sorted(spellings)[:8])}"
        raise BadInput("--symbol", said, problem, "Name one of these with --symbol.")
    return said, table if len(spellings) == 1 else table.keep(texts.is_in(spellings[inside]).fill_null(False))


def _exchange(table: Table, layout: Layout, hints: Hints) -> str:
    if hints.exchange:
        return normal_exchange(hints.exchange)
    if layout is OWN:
        return normal_exchange(_same_in_all_rows(table, "exchange"), "the exchange column")
    found = exchange_in(table.hints) or layout.exchange or exchange_in(table.folders)
    if not found:
        problem = "not given, and neither content nor file name tells it"
        raise BadInput("--exchange", "", problem, "Say --exchange binance.")
    return found


def _stated(table: Table, layout: Layout) -> Timeframe | None:
    return Timeframe.parse(_same_in_all_rows(table, "timeframe"), "the timeframe column") if layout is OWN else None


def _same_in_all_rows(table: Table, column: str) -> str:
    """Raises BadInput: of several series, one would have to be chosen."""
    written = table.rows[column].cast(pl.String).fill_null("").unique().sort().to_list()
    if len(written) != 1:
        problem = f"not one, but {', '.join(written[:8])}"
        raise BadInput(f"the {column} column", written[0], problem, "Split the file: one series a file.")
    return str(written[0])


def _origins(table: Table, layout: Layout) -> Ints:
    """As the file says it, if it is one of ours; else the file itself is where the candles come from."""
    if layout is not OWN:
        return np.full(len(table.rows), Origin.IMPORTED, np.int64)
    text = table.rows["origin"].cast(pl.String).fill_null("").str.to_uppercase()
    numbers = text.replace_strict(ORIGINS, default=None, return_dtype=pl.Int64)
    if numbers.null_count():
        at = int(numbers.is_null().arg_max() or 0)
        remedy = f"Expected one of {', '.join(name.lower() for name in ORIGINS)}; nothing was imported."
        raise BadInput(f"line {int(table.lines[at])}, column origin", table.rows["origin"][at], "not an origin", remedy)
    return numbers.to_numpy()


def _rows(table: Table, layout: Layout, cells: dict[str, Cells], symbol: str) -> Rows:
    n = len(table.rows)
    day = day_in(table.hints) if layout.dated else ""
    if layout.dated and not day:
        raise BadInput("FILE", table.hints[0], "without its date in the name, which this layout needs", "20180404_...")
    columns = {role: numbers(cells[role]) for role in OHLC}
    columns["volume"] = numbers(cells["volume"]) if "volume" in cells else np.zeros(n)
    columns["turnover"] = _turnover(cells, n)
    if layout.name == "okx-daily" and symbol.count("-") > 1:  # contracts in `vol`, base coin in `vol_ccy`
        columns["volume"] = numbers(_named(table, "vol_ccy"))
    confirmed = numbers(cells["confirm"]) != 0 if "confirm" in cells else np.ones(n, np.bool_)
    ts = times(cells["time"], parse_time(day) if day else None)
    return Rows(
        line=table.lines,
        ts=ts,
        final=confirmed,
        digits=_digits(cells, n) if len(cleaning.distinct(ts)) < n else np.zeros(n, np.int64),
        origin=_origins(table, layout),
        **columns,
    )


def _named(table: Table, name: str) -> Cells:
    return Cells(name, table.names.index(name) + 1, table.rows[name], table.lines)


def _turnover(cells: dict[str, Cells], n: int) -> Floats:
    return np.nan_to_num(numbers(cells["turnover"]), nan=0.0) if "turnover" in cells else np.zeros(n)


def _digits(cells: dict[str, Cells], n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How many characters the prices and the volume of each row were written with, trailing zeros aside."""
    total = np.zeros(n, np.int64)
    for role in (*OHLC, "volume"):
        if role in cells and cells[role].values.dtype == pl.String:
            text = cells[role].values.str.strip_chars_end("0")
            total += text.str.len_bytes().fill_null(0).cast(pl.Int64).to_numpy()
    return total


def _refuse_what_is_no_market(rows: Rows, table: Table, layout: Layout) -> None:
    if not rows.high.any() and not rows.low.any() and not rows.close.any() and len(rows):
        problem = "not candles: high, low and close are 0 in every row, as in a file of funding rates"
        raise BadInput("FILE", table.hints[0], problem, "Import the candles of the instrument instead.")
    if layout.name != "mark-price" and table.columnar and not rows.volume.any():
        problem = "not traded prices: the volume is 0 in every row, as in a file of mark prices"
        raise BadInput("FILE", table.hints[0], problem, "To store it as a series of its own, say --layout mark-price.")


def _refuse_mostly_wrong(n: int, refusals: Refusals) -> None:
    if refusals.total * 2 <= n and n > refusals.total:
        return
    first = refusals.listed[0]
    reason = max(refusals.counts, key=lambda name: refusals.counts[name])
    raise BadInput(
        f"line {first.line}",
        first.value,
        f"{first.reason}, and {refusals.total} of {n} rows are impossible (most: {reason})",
        "Expected closed candles with low <= open, close <= high. Nothing was imported; is the --layout right?",
    )


def _closed(rows: Rows, timeframe: Timeframe, now_ts: Micros, refusals: Refusals) -> Rows:
    """Only the last candles can be running still."""
    running = rows.ts >= timeframe.floor(now_ts)
    return refusals.drop(rows, running, "not closed yet", lambda r, i: rfc3339(int(r.ts[i])))


def _frame(rows: Rows, exchange: str, symbol: str, timeframe: Timeframe) -> CandleFrame:
    columns: dict[str, object] = {name: getattr(rows, name) for name in ("ts", *OHLC, "volume", "turnover")}
    columns["origin"] = rows.origin.astype(np.uint8)
    return CandleFrame.of(exchange, symbol, timeframe, columns)


def _gaps(frame: CandleFrame, name: str) -> tuple[Gap, ...]:
    channel, cause = candle_channel(frame.timeframe), f"{IN_FILE} {name}"
    return tuple(Gap(frame.exchange, frame.symbol, channel, start, end, cause) for start, end in frame.gaps())
