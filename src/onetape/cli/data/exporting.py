"""`onetape data export`: one series into a CSV or Parquet file that can be imported again."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetape.cli.data.series import span
from onetape.cli.output import DONE, print_json
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import Micros, Timeframe, parse_time, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.domain.frame import CandleFrame
    from onetape.ports import CandleStore

HELP: Final = """\
The ending of FILE says the format: .csv or .parquet. Every row names its exchange, symbol, timeframe and origin, and
every number comes back bit for bit when the file is imported again. A timeframe that is not stored is built.

  onetape data export --symbol BTC-USDT --timeframe 1h -o btc.parquet
  onetape data export --symbol BTC-USDT --timeframe 7m --since 20240101 --until 20240201 -o january.csv
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = HELP
    parser.add_argument("--symbol", required=True, metavar="BTC-USDT")
    parser.add_argument("--exchange", metavar="okx", help="needed when several have the symbol")
    parser.add_argument("--timeframe", required=True, metavar="1m")
    parser.add_argument("--since", metavar="TIME", help="20240131 or 2024-01-31T12:00Z, that included")
    parser.add_argument("--until", metavar="TIME", help="not included")
    parser.add_argument("-o", dest="file", required=True, type=Path, metavar="FILE")


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.archive.exporting import export, writer_for

    writer_for(wish.file)
    if not wish.file.parent.is_dir():
        raise BadInput("-o", str(wish.file), "in a folder that does not exist", "Make the folder first.")
    frame = await _frame(platform.candles, wish)
    await asyncio.to_thread(export, frame, wish.file)
    if wish.json:
        print_json(_document(frame, wish.file))
    else:
        first, last = int(frame.ts[0]), int(frame.ts[-1])
        print(f"{wish.file}: {len(frame):,} candles of {frame.exchange} {frame.symbol} {frame.timeframe},")
        print(f"  {span(first, last)}, {wish.file.stat().st_size:,} bytes")
    return DONE


async def _frame(store: CandleStore, wish: argparse.Namespace) -> CandleFrame:
    """Raises NotFound when there is nothing, BadInput when it is not said which exchange is meant."""
    from onetape.archive.naming import normal_exchange, normal_symbol
    from onetape.marketdata.reading import load

    symbol, timeframe = normal_symbol(wish.symbol), Timeframe.parse(wish.timeframe, "--timeframe")
    start, end = _time(wish.since, "--since"), _time(wish.until, "--until")
    if start is not None and end is not None and end <= start:
        raise BadInput("--until", wish.until, "not later than --since")
    exchange = normal_exchange(wish.exchange) if wish.exchange else ""
    places = sorted({one.exchange for one in await store.coverage(exchange or None, symbol)})
    if not places:
        raise NotFound("the series", f"{exchange} {symbol}".strip(), "not stored", "`onetape data list` shows what is.")
    if len(places) > 1:
        raise BadInput("--exchange", "", f"needed: {symbol} is stored for {' and '.join(places)}", "Name one.")
    frame = await load(store, (places[0], symbol, timeframe), start, end)
    if not len(frame):
        raise NotFound("the span", f"{wish.since or ''} to {wish.until or ''}", f"without a {timeframe} candle")
    return frame


def _time(text: str | None, flag: str) -> Micros | None:
    return parse_time(text, flag) if text else None


def _document(frame: CandleFrame, file: Path) -> dict[str, object]:
    return {
        "file": str(file),
        "exchange": frame.exchange,
        "symbol": frame.symbol,
        "timeframe": str(frame.timeframe),
        "rows": len(frame),
        "first": rfc3339(int(frame.ts[0])),
        "last": rfc3339(int(frame.ts[-1])),
        "bytes": file.stat().st_size,
    }
