"""`onetape data import|list|check`: candle files in, what is stored, how good it is."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetape.cli.output import DONE, NOT_HELD, USAGE, Parser, add_json, print_json
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import Timeframe, rfc3339

if TYPE_CHECKING:
    from onetape.archive import Imported
    from onetape.archive.soundness import Finding, Soundness, Stretch
    from onetape.ports import CandleStore, Coverage

SHOWN: Final = 10  # refused rows that a person is shown; --json has them all

_IMPORT_HELP: Final = """\
The layout of each file is recognised by itself, packed (.gz, .zip, .zst) or not: Kaggle, Binance with and without
header, CryptoDataDownload, Kraken, Binance.US, OKX, Lean, Bitfinex, Feather, Parquet, and any CSV with a header that
names time, open, high, low, close and volume. Importing a file again changes nothing.

  onetape data import BTCUSDT-1m-2024-02.csv
  onetape data import candles.csv --exchange okx --symbol BTC-USDT --timeframe 1m
"""


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape data", description="Candles: import files, list and check what is stored.")
    verbs = top.add_subparsers(dest="action", required=True, metavar="import|list|check", parser_class=Parser)
    take = verbs.add_parser("import", help="put candle files into the database", epilog=_IMPORT_HELP)
    take.add_argument("files", nargs="+", metavar="FILE", type=Path, help="one or several candle files")
    take.add_argument("--layout", help="the layout, when it cannot be recognised (docs/data-layouts.md lists them)")
    verbs.add_parser("list", help="what is stored: series, first and last candle, rows, gaps")
    look = verbs.add_parser("check", help="gaps, impossible values, oddities; exit code 3 when something is impossible")
    for action in (take, look):
        action.add_argument("--symbol", metavar="BTC-USDT")
        action.add_argument("--exchange", metavar="okx")
        action.add_argument("--timeframe", metavar="1m")
    for action in verbs.choices.values():
        action.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
        add_json(action)
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    return asyncio.run(_with_store(wish, _ACTIONS[wish.action]))


Action = Callable[["CandleStore", argparse.Namespace], Coroutine[Any, Any, int]]


async def _with_store(wish: argparse.Namespace, action: Action) -> int:
    from onetape.app.wiring import open_platform
    from onetape.settings import Settings

    settings = Settings(data_dir=wish.data_dir) if wish.data_dir else Settings()
    async with open_platform(settings) as platform:
        return await action(platform.candles, wish)


# --- import


async def _import(store: CandleStore, wish: argparse.Namespace) -> int:
    from onetape.archive import Hints, import_file

    hints = Hints(wish.layout, wish.symbol, wish.exchange, wish.timeframe)
    documents: list[dict[str, object]] = []
    refused = False
    for path in wish.files:
        _progress(f"reading {path} ...")
        try:
            done = await import_file(path, store, hints)
        except BadInput as error:
            refused = True
            _progress("")
            print(f"onetape data import: {path}: {error}", file=sys.stderr)
            documents.append({"file": str(path), "error": str(error), "field": error.field, "value": str(error.value)})
            continue
        _progress("")
        documents.append(_document(done))
        if not wish.json:
            print(_sentences(done))
    if wish.json:
        print_json({"files": documents})
    return USAGE if refused else DONE


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def _document(done: Imported) -> dict[str, object]:
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
        "first": rfc3339(done.first_ts),
        "last": rfc3339(done.last_ts),
    }


def _sentences(done: Imported) -> str:
    lines = [
        f"{done.file}: {done.says} ({done.layout})",
        f"  {done.exchange} {done.symbol} {done.timeframe}, {_span(done.first_ts, done.last_ts)}",
        f"  {done.rows_read:,} rows read, {done.rows_new:,} new"
        + (f", {done.rows_changed:,} stored before and now changed" if done.rows_changed else ""),
    ]
    if done.duplicates:
        lines.append(f"  {_count(done.duplicates, 'duplicate')} dropped, {done.disagreeing:,} with other values")
    if done.gaps:
        lines.append(
            f"  {_count(done.gaps, 'gap')} noted, {_count(done.missing, 'candle')} missing; nothing was filled"
        )
    if done.rejected:
        lines.append(f"  {_count(done.rejected, 'row')} refused:")
        lines += [f"    line {row.line}: {row.reason} ({row.value})" for row in done.rejected_rows[:SHOWN]]
        if done.rejected > SHOWN:
            lines.append(f"    and {done.rejected - SHOWN:,} more; --json lists them")
    return "\n".join(lines)


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


# --- list


async def _list(store: CandleStore, wish: argparse.Namespace) -> int:
    series = await store.coverage()
    if wish.json:
        print_json({"series": [_coverage(one) for one in series]})
    elif not series:
        print("Nothing is stored yet. Import a file (onetape data import FILE) or start the demo (onetape demo).")
    else:
        rows = [
            (*_key(one), _short(one.first_ts), _short(one.last_ts), f"{one.rows:,}", f"{one.gaps:,}") for one in series
        ]
        print(_table(("exchange", "symbol", "timeframe", "first", "last", "rows", "gaps"), rows))
    return DONE


def _key(one: Coverage) -> tuple[str, str, str]:
    return one.exchange, one.symbol, one.timeframe


def _coverage(one: Coverage) -> dict[str, object]:
    return {
        "exchange": one.exchange,
        "symbol": one.symbol,
        "timeframe": one.timeframe,
        "first": rfc3339(one.first_ts),
        "last": rfc3339(one.last_ts),
        "rows": one.rows,
        "gaps": one.gaps,
    }


# --- check


async def _check(store: CandleStore, wish: argparse.Namespace) -> int:
    from onetape.archive.soundness import examine

    reports: list[Soundness] = []
    for one in await _chosen(store, wish):
        frame = await store.load(one.exchange, one.symbol, Timeframe.parse(one.timeframe), None, None)
        if len(frame):
            reports.append(await asyncio.to_thread(examine, frame))
    if wish.json:
        print_json({"series": [_quality(report) for report in reports]})
    elif not reports:
        print("Nothing is stored yet. Import a file: onetape data import FILE.")
    else:
        print("\n\n".join(_verdict(report) for report in reports))
    return NOT_HELD if any(report.impossible for report in reports) else DONE


async def _chosen(store: CandleStore, wish: argparse.Namespace) -> list[Coverage]:
    """The series that the flags leave; raises NotFound when they leave none."""
    from onetape.archive.naming import normal_exchange, normal_symbol

    wanted = {
        "exchange": normal_exchange(wish.exchange) if wish.exchange else "",
        "symbol": normal_symbol(wish.symbol) if wish.symbol else "",
        "timeframe": str(Timeframe.parse(wish.timeframe, "--timeframe")) if wish.timeframe else "",
    }
    series = await store.coverage()
    chosen = [one for one in series if all(value in ("", getattr(one, key)) for key, value in wanted.items())]
    if not chosen and any(wanted.values()):
        asked = " ".join(value for value in wanted.values() if value)
        raise NotFound("the series", asked, "not stored", "`onetape data list` shows what is.")
    return chosen


def _quality(report: Soundness) -> dict[str, object]:
    return {
        "exchange": report.exchange,
        "symbol": report.symbol,
        "timeframe": report.timeframe,
        "first": rfc3339(report.first_ts),
        "last": rfc3339(report.last_ts),
        "rows": report.rows,
        "gaps": report.gaps,
        "missing": report.missing,
        "missing_percent": round(100 * report.missing_rate, 4),
        "longest_gap": _hole(report.longest_gap),
        "zero_volume": report.zero_volume,
        "zero_volume_runs": report.zero_volume_runs,
        "longest_zero_volume": _hole(report.longest_zero_volume),
        "impossible": report.impossible,
        "impossible_rows": [_found(row) for row in report.impossible_rows],
        "outliers": report.outliers,
        "outlier_rows": [_found(row) for row in report.outlier_rows],
    }


def _hole(stretch: Stretch | None) -> dict[str, object] | None:
    if stretch is None:
        return None
    return {"start": rfc3339(stretch.start_ts), "end": rfc3339(stretch.end_ts), "candles": stretch.candles}


def _found(row: Finding) -> dict[str, object]:
    prices = {name: getattr(row, name) for name in ("open", "high", "low", "close", "volume")}
    return {"time": rfc3339(row.ts), "reason": row.reason, **prices}


def _verdict(report: Soundness) -> str:
    lines = [
        f"{report.exchange} {report.symbol} {report.timeframe}: {report.rows:,} candles, "
        + _span(report.first_ts, report.last_ts),
        f"  missing     {report.missing:,} of {report.missing + report.rows:,} ({100 * report.missing_rate:.2f} %) "
        f"in {report.gaps:,} gaps" + _longest(report.longest_gap),
        f"  no volume   {report.zero_volume:,} candles, {report.zero_volume_runs:,} runs of ten or more"
        + _longest(report.longest_zero_volume),
        f"  outliers    {report.outliers:,}" + (", far beyond both neighbours:" if report.outliers else ""),
        *(_line(row) for row in report.outlier_rows[:SHOWN]),
        f"  impossible  {report.impossible:,}" + (":" if report.impossible else ""),
        *(f"{_line(row)}: {row.reason}" for row in report.impossible_rows[:SHOWN]),
    ]
    return "\n".join(lines)


def _longest(stretch: Stretch | None) -> str:
    return f", the longest {stretch.candles:,} from {_short(stretch.start_ts)}" if stretch else ""


def _line(row: Finding) -> str:
    return f"    {_short(row.ts)}  open {row.open:g}, high {row.high:g}, low {row.low:g}, close {row.close:g}"


def _short(ts: int) -> str:
    return rfc3339(ts)[:16].replace("T", " ")


def _span(first_ts: int, last_ts: int) -> str:
    return f"{_short(first_ts)} to {_short(last_ts)} UTC"


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as they must be; counts (the last two) to the right."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    numbers = len(header) - 2
    lines = [
        "  ".join(
            cell.rjust(w) if i >= numbers else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in [header, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


_ACTIONS: Final[dict[str, Action]] = {"import": _import, "list": _list, "check": _check}
