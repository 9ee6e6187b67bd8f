"""`onetape data download`: candles of several series from a venue, as far as they are not stored yet."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from onetape.cli.data.filling import MADE_UP, add_fill
from onetape.cli.data.series import listed, short, table
from onetape.cli.output import DONE, FAILED, NOT_HELD, print_json
from onetape.domain.units import rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.marketdata.download import Changed, DownloadWish, SeriesState
    from onetape.ports import MarketFeed

HELP: Final = """\
Only what is missing is asked for, so the same command again goes on where the last one ended (Ctrl-C is safe: whole
pages are stored). At the end each series is looked at: what is missing, what is impossible.

  onetape data download --symbol BTC-USDT --timeframe 1h --since 20240101
  onetape data download --symbol BTC-USDT,ETH-USDT --timeframe 1m,1h --since 20240101 --until 20240201
Exit code 0: everything that the venue has is stored; 1: a series failed; 3: something is missing or impossible.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = HELP
    parser.add_argument("--exchange", default="okx", metavar="okx", help="whose candles")
    parser.add_argument("--symbol", required=True, metavar="A,B", help="one or several, with commas between")
    parser.add_argument("--timeframe", default="1m", metavar="1m,1h", help="one or several, with commas between")
    parser.add_argument("--since", required=True, metavar="TIME", help="20240131 or 2024-01-31T12:00Z, that included")
    parser.add_argument("--until", default="", metavar="TIME", help="not included; without it: the last closed candle")
    add_fill(parser)


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.app.feeds import open_feed
    from onetape.marketdata.download import download, fresh

    wanted = _wanted(wish)
    states = fresh(wanted)
    feed = open_feed(platform.settings, wanted.exchange, budgets=platform.budgets)
    try:
        _offered(feed, wanted)
        with _progress(states) as changed:
            await download(feed, platform.candles, wanted, states, changed)
    except asyncio.CancelledError:
        print("onetape data download: stopped. What came is stored; the same command goes on there.", file=sys.stderr)
        if wish.json:
            print_json(_document(wanted, states, stopped=True))
        raise
    finally:
        await feed.close()
    if wish.fill:
        await _fill(platform, wanted, states)
    if wish.json:
        print_json(_document(wanted, states))
    else:
        print(_text(wanted, states))
    return _code(states)


async def _fill(platform: Platform, wanted: DownloadWish, states: list[SeriesState]) -> None:
    """What is missing stays counted as missing: the venue has not told it."""
    from onetape.domain.units import Timeframe
    from onetape.marketdata.filling import fill

    for state in states:
        if state.state == "done" and state.stored:
            series = (wanted.exchange, state.symbol, Timeframe.parse(state.timeframe))
            state.synthetic = await fill(platform.candles, series, state.start_ts, state.end_ts)


def _wanted(wish: argparse.Namespace) -> DownloadWish:
    """Raises BadInput, naming the flag."""
    from onetape.archive.naming import normal_exchange, normal_symbol
    from onetape.domain.units import Timeframe, parse_time
    from onetape.marketdata.download import DownloadWish

    for flag in ("since", "until"):
        if text := getattr(wish, flag):
            parse_time(text, f"--{flag}")
    return DownloadWish(
        exchange=normal_exchange(wish.exchange),
        symbols=tuple(normal_symbol(text) for text in listed(wish.symbol, "--symbol")),
        timeframes=tuple(str(Timeframe.parse(text, "--timeframe")) for text in listed(wish.timeframe, "--timeframe")),
        since=wish.since,
        until=wish.until,
    )


def _offered(feed: MarketFeed, wanted: DownloadWish) -> None:
    """Raises BadInput for a length that the venue has not, before it is asked anything."""
    from onetape.domain.errors import BadInput

    for text in wanted.timeframes:
        if feed.timeframes and text not in feed.timeframes:
            own = ", ".join(sorted(feed.timeframes, key=_length))
            raise BadInput("--timeframe", text, f"not offered by {feed.exchange}", f"It offers {own}.")


def _length(text: str) -> int:
    from onetape.domain.errors import BadInput
    from onetape.domain.units import Timeframe

    try:
        return Timeframe.parse(text).micros
    except BadInput:
        return 0  # a length of the venue's that is none of ours


def _code(states: list[SeriesState]) -> int:
    if any(state.state == "failed" for state in states):
        return FAILED
    return DONE if all(state.sound for state in states) else NOT_HELD


def _document(wanted: DownloadWish, states: list[SeriesState], *, stopped: bool = False) -> dict[str, object]:
    series = [
        {
            "symbol": state.symbol,
            "timeframe": state.timeframe,
            "state": state.state,
            "start": rfc3339(state.start_ts) if state.start_ts else None,
            "end": rfc3339(state.end_ts) if state.end_ts else None,
            "rows_new": state.rows,
            "stored": state.stored,
            "missing": state.missing,
            "absent_at_venue": state.absent,
            "synthetic": state.synthetic,
            "impossible": state.impossible,
            "outliers": state.outliers,
            "error": state.error or None,
        }
        for state in states
    ]
    return {"exchange": wanted.exchange, "stopped": stopped, "ok": _code(states) == DONE, "series": series}


def _text(wanted: DownloadWish, states: list[SeriesState]) -> str:
    rows = [
        (
            state.symbol,
            state.timeframe,
            state.state,
            short(state.start_ts) if state.start_ts else "",
            short(state.end_ts) if state.end_ts else "",
            f"{state.rows:,}",
            f"{state.stored:,}",
            f"{state.missing:,}",
            f"{state.impossible:,}",
        )
        for state in states
    ]
    header = ("symbol", "timeframe", "", "from", "to (UTC)", "new", "stored", "missing", "impossible")
    lines = [table(header, rows, numbers=4)]
    lines += [f"{state.symbol} {state.timeframe}: {state.error}" for state in states if state.error]
    if absent := sum(state.absent for state in states):
        lines.append(
            f"{absent:,} of the missing candles {wanted.exchange} itself does not have; they are noted as gaps."
        )
    if made := sum(state.synthetic for state in states):
        lines.append(f"{made:,} candles were {MADE_UP}.")
    if any(state.impossible for state in states):
        lines.append("`onetape data check` shows the impossible ones.")
    return "\n".join(lines)


@contextlib.contextmanager
def _progress(states: list[SeriesState]) -> Iterator[Changed]:
    """Bars on a terminal's standard error; nothing anywhere else, where only the answer counts."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[says]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bars:
        names = [f"{state.symbol} {state.timeframe}" for state in states]
        tasks = {name: bars.add_task(name, total=1.0, says="waiting") for name in names}

        def changed(state: SeriesState) -> None:
            says = state.error or f"{state.rows:,} new" if state.state != "waiting" else "waiting"
            bars.update(tasks[f"{state.symbol} {state.timeframe}"], completed=state.progress, says=says)

        yield changed
