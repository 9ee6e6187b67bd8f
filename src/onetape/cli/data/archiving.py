"""`onetape data archive`: old rows out of the database into Parquet files, where every command still reads them."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from onetape.cli.output import DONE, print_json
from onetape.domain.errors import BadInput
from onetape.domain.parts import KINDS, Which
from onetape.domain.units import DAY, Micros, Timeframe, parse_time, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.archive.moving import Step

_OLDER: Final = "30d"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Moves whole days of raw messages, and days, months or years of candles, into files below DATA_DIR/archive. "
        "Each file is read back and checked before anything leaves the database. Run it again after an interruption."
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--before", metavar="DATE", help="what ended by then (UTC)")
    when.add_argument("--older-than", metavar="30d", help=f"what ended so long ago ({_OLDER})")
    add_which(parser)


def add_which(parser: argparse.ArgumentParser) -> None:
    """The flags that choose series."""
    parser.add_argument("--kind", choices=KINDS, help="only raw messages, or only candles")
    parser.add_argument("--exchange", metavar="okx")
    parser.add_argument("--symbol", metavar="BTC-USDT")
    parser.add_argument("--channel", metavar="trades", help="of raw messages, or the timeframe of candles: 1m")


def which(wish: argparse.Namespace, *, from_ts: Micros | None = None, before_ts: Micros | None = None) -> Which:
    from onetape.archive.naming import normal_exchange, normal_symbol

    return Which(
        from_ts=from_ts,
        before_ts=before_ts,
        kind=wish.kind,
        exchange=normal_exchange(wish.exchange) if wish.exchange else None,
        symbol=normal_symbol(wish.symbol) if wish.symbol else None,
        channel=wish.channel,
    )


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.archive.moving import archive
    from onetape.clock import RealClock

    before = _before(wish, RealClock().now())
    moved = await archive(platform.shelf, platform.files, which(wish, before_ts=before), progress)
    progress_ends()
    if wish.json:
        print_json(
            {
                "before": rfc3339(before),
                "files": moved.parts,
                "rows": moved.rows,
                "bytes": moved.bytes,
                "rows_released": moved.released,
                "folder": str(platform.files.folder),
            }
        )
    elif not moved.parts:
        print(f"Nothing in the database ended before {rfc3339(before)}.")
    else:
        print(
            f"{moved.parts:,} files with {moved.rows:,} rows ({moved.bytes / 1e6:,.1f} MB) are in "
            f"{platform.files.folder}; {moved.released:,} rows left the database."
        )
    return DONE


def _before(wish: argparse.Namespace, now_ts: Micros) -> Micros:
    """Raises BadInput for a time that is not a day ago."""
    if wish.before:
        before, field, text = parse_time(wish.before, "--before"), "--before", wish.before
    else:
        field, text = "--older-than", wish.older_than or _OLDER
        before = now_ts - Timeframe.parse(text, field).micros
    if before > now_ts - DAY:
        raise BadInput(field, text, "less than a day ago", "What is still being recorded stays in the database.")
    return before


def progress(step: Step) -> None:
    """One line that is written over, for people who watch."""
    if sys.stderr.isatty():
        place = f" {step.part}" if step.part else ""
        print(f"\r\x1b[2K{step.what}{place}: {step.rows:,} rows", end="", file=sys.stderr, flush=True)


def progress_ends() -> None:
    if sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
