"""`onetape data import FILE ...`: candle files into the database."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetape.cli.data.filling import MADE_UP, add_fill
from onetape.cli.data.series import add_series, span
from onetape.cli.output import DONE, USAGE, print_json
from onetape.domain.errors import BadInput
from onetape.domain.units import rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.archive import Imported

SHOWN: Final = 10  # refused rows that a person is shown; --json has them all

HELP: Final = """\
The layout of each file is recognised by itself, packed (.gz, .zip, .zst) or not: Kaggle, Binance with and without
header, CryptoDataDownload, Kraken, Binance.US, OKX, Lean, Bitfinex, Feather, Parquet, and any CSV with a header that
names time, open, high, low, close and volume. Importing a file again changes nothing.

  onetape data import BTCUSDT-1m-2024-02.csv
  onetape data import candles.csv --exchange okx --symbol BTC-USDT --timeframe 1m
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = HELP
    parser.add_argument("files", nargs="+", metavar="FILE", type=Path, help="one or several candle files")
    parser.add_argument("--layout", help="the layout, when it cannot be recognised (docs/data-layouts.md lists them)")
    add_series(parser)
    add_fill(parser)


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.archive import Hints, import_file

    hints = Hints(wish.layout, wish.symbol, wish.exchange, wish.timeframe)
    documents: list[dict[str, object]] = []
    refused = False
    for path in wish.files:
        _progress(f"reading {path} ...")
        try:
            done = await import_file(path, platform.candles, hints)
        except BadInput as error:
            refused = True
            _progress("")
            print(f"onetape data import: {path}: {error}", file=sys.stderr)
            documents.append({"file": str(path), "error": str(error), "field": error.field, "value": str(error.value)})
            continue
        _progress("")
        made = await _fill(platform, done) if wish.fill else 0
        documents.append(_document(done, made))
        if not wish.json:
            print(_sentences(done, made))
    if wish.json:
        print_json({"files": documents})
    return USAGE if refused else DONE


async def _fill(platform: Platform, done: Imported) -> int:
    from onetape.domain.units import Timeframe
    from onetape.marketdata.filling import fill

    series = (done.exchange, done.symbol, Timeframe.parse(done.timeframe))
    return await fill(platform.candles, series, done.first_ts, done.last_ts + 1)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def _document(done: Imported, made: int) -> dict[str, object]:
    return {
        "file": done.file,
        "layout": done.layout,
        "exchange": done.exchange,
        "symbol": done.symbol,
        "timeframe": done.timeframe,
        "rows_read": done.rows_read,
        "rows_new": done.rows_new,
        "rows_changed": done.rows_changed,
        "duplicates": done.duplicates,
        "disagreeing": done.disagreeing,
        "rejected": done.rejected,
        "reasons": done.reasons,
        "rejected_rows": done.rejected_rows,
        "gaps": done.gaps,
        "missing": done.missing,
        "synthetic": made,
        "first": rfc3339(done.first_ts),
        "last": rfc3339(done.last_ts),
    }


def _sentences(done: Imported, made: int) -> str:
    lines = [
        f"{done.file}: {done.says} ({done.layout})",
        f"  {done.exchange} {done.symbol} {done.timeframe}, {span(done.first_ts, done.last_ts)}",
        f"  {done.rows_read:,} rows read, {done.rows_new:,} new"
        + (f", {done.rows_changed:,} stored before and now changed" if done.rows_changed else ""),
    ]
    if done.duplicates:
        lines.append(f"  {_count(done.duplicates, 'duplicate')} dropped, {done.disagreeing:,} with other values")
    if done.gaps:
        filled = f"{_count(made, 'candle')} of the series {MADE_UP}" if made else "nothing was filled"
        lines.append(f"  {_count(done.gaps, 'gap')} noted, {_count(done.missing, 'candle')} missing; {filled}")
    if done.rejected:
        lines.append(f"  {_count(done.rejected, 'row')} refused:")
        lines += [f"    line {row.line}: {row.reason} ({row.value})" for row in done.rejected_rows[:SHOWN]]
        if done.rejected > SHOWN:
            lines.append(f"    and {done.rejected - SHOWN:,} more; --json lists them")
    return "\n".join(lines)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
