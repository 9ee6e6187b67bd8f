"""`onetape data bars`: bars that close by what was traded, made of the public trades that are stored."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetape.cli.data.series import table
from onetape.cli.output import DONE, print_json
from onetape.cli.replay import add_span, chosen, mended
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.domain.bars import Bar
    from onetape.marketdata.bars import BarsMade
    from onetape.marketdata.replay import Wish

SHOWN: Final = 10  # bars that a person is shown without a file

HELP: Final = """\
A bar closes with the trade that reaches its size; trades are never split. What was traded after the last bar
is in none. Trades that were missed and fetched later are in their place.

  onetape data bars --symbol BTC-USDT --size 100t                         100 trades a bar
  onetape data bars --symbol BTC-USDT --size 5v --since 2026-03-01        5 BTC a bar
  onetape data bars --symbol BTC-USDT --size 10000q -o bars.parquet       10,000 USDT a bar, into a file (or .csv)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = HELP
    add_span(parser)
    parser.add_argument("--size", required=True, metavar="100t", help="100t, 5v or 10000q: trades, volume, quote value")
    parser.add_argument("-o", dest="file", type=Path, metavar="FILE", help="a .csv or .parquet file for all of them")


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.archive.exporting import export_bars, writer_for
    from onetape.domain.bars import BarSize
    from onetape.marketdata.bars import BarBuilder, BarsMade, stored_bars

    size = BarSize.parse(wish.size, "--size")
    if wish.file is not None:
        writer_for(wish.file)
        if not wish.file.parent.is_dir():
            raise BadInput("-o", str(wish.file), "in a folder that does not exist", "Make the folder first.")
    span = await _trades(platform, wish)
    builder, made = BarBuilder(span.exchange, span.symbol, size), BarsMade()
    bars: list[Bar] = []

    def told(now: BarsMade) -> None:
        nonlocal made
        made = now
        _progress(now, span)

    async for some in stored_bars(await mended(platform, span), span, builder, told):
        bars += some
    _progress(None, span)
    if wish.file is not None:
        await asyncio.to_thread(export_bars, bars, wish.file)
    if wish.json:
        print_json(_document(bars, made, span, wish))
    else:
        print(_sentences(bars, made, span, wish))
    return DONE


async def _trades(platform: Platform, wish: argparse.Namespace) -> Wish:
    """The span with the channel that trades are taken from. Raises NotFound, BadInput."""
    from onetape.marketdata.replay import trades_of

    span = await chosen(platform, wish)
    source = trades_of(span.channels)
    if not source:
        known = f"Stored are {', '.join(span.channels)}: record the channel trades to make bars."
        raise NotFound("the trades", f"{span.exchange}:{span.symbol}", "none are stored", known)
    return span._replace(channels=(source,))


def _progress(made: BarsMade | None, span: Wish) -> None:
    if not sys.stderr.isatty():
        return
    text = ""
    if made is not None:
        share = (made.last_ts - span.start_ts) / (span.end_ts - span.start_ts)
        text = f"{100 * min(max(share, 0), 1):.0f} %  {made.trades:,} trades, {made.bars:,} bars"
    print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def _sentences(bars: list[Bar], made: BarsMade, span: Wish, wish: argparse.Namespace) -> str:
    where = f"{span.exchange}:{span.symbol}, {rfc3339(span.start_ts)} to {rfc3339(span.end_ts)}"
    left = f"{made.open:,} after the last bar are in none"
    late = f", {made.late:,} came too late to be in one" if made.late else ""
    says = f"{where}: {made.trades:,} trades make {made.bars:,} bars of {wish.size}; {left}{late}."
    if wish.file is not None:
        return f"{says}\n{wish.file}: {wish.file.stat().st_size:,} bytes"
    if not bars:
        return says
    head = ("open (UTC)", "close (UTC)", "open", "high", "low", "close", "volume", "trades")
    rows = [
        (_time(bar.open_ts), _time(bar.close_ts), *(f"{x:.10g}" for x in (bar.open, bar.high, bar.low, bar.close)),
         f"{bar.volume:.10g}", f"{bar.trades:,}")
        for bar in bars[-SHOWN:]
    ]  # fmt: skip
    last = f"The last {len(rows)}; -o FILE writes all of them:\n\n" if len(bars) > SHOWN else ""
    return f"{says}\n\n{last}{table(head, rows, numbers=6)}"


def _time(ts: int) -> str:
    return rfc3339(ts)[:23].replace("T", " ").rstrip("Z")


def _document(bars: list[Bar], made: BarsMade, span: Wish, wish: argparse.Namespace) -> dict[str, object]:
    """With a file the bars are in it, otherwise here."""
    found: dict[str, object] = {
        "exchange": span.exchange,
        "symbol": span.symbol,
        "size": wish.size,
        "since": rfc3339(span.start_ts),
        "until": rfc3339(span.end_ts),
        "trades": made.trades,
        "bars_made": made.bars,
        "trades_after_last_bar": made.open,
        "late": made.late,
    }
    if wish.file is not None:
        return found | {"file": str(wish.file), "bytes": wish.file.stat().st_size}
    times = ("open_ts", "close_ts")
    numbers = ("open", "high", "low", "close", "volume", "turnover", "trades")
    return found | {
        "bars": [
            {f"{name[:-3]}_time": rfc3339(getattr(bar, name)) for name in times}
            | {name: getattr(bar, name) for name in numbers}
            for bar in bars
        ]
    }
