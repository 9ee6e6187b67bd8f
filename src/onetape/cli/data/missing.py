"""`onetape data gaps`: every hole that was noted, why it is there, and how and when it was closed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from onetape.cli.data.series import short, table
from onetape.cli.output import DONE, print_json
from onetape.cli.pages import latest
from onetape.domain.errors import BadInput
from onetape.domain.units import SECOND, Micros, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.ports import GapView

MANY: Final = 1000

HELP: Final = """\
The latest first. A channel is written as the messages' column of `onetape data list` says it; candles:1m are candles.

  onetape data gaps --open
  onetape data gaps --symbol BTC-USDT --channel trades --closed --json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = HELP
    parser.add_argument("--exchange", metavar="okx")
    parser.add_argument("--symbol", metavar="BTC-USDT")
    parser.add_argument("--channel", metavar="trades", help="trades, book, candles:1m, ...")
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--open", dest="open", action="store_true", default=None, help="only those not closed yet")
    state.add_argument("--closed", dest="open", action="store_false", help="only those that were closed")
    parser.add_argument("--limit", type=int, default=MANY, metavar=str(MANY), help="at most so many")


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.archive.naming import normal_exchange, normal_symbol
    from onetape.ports import OnlyGaps

    if wish.limit < 1:
        raise BadInput("--limit", wish.limit, "less than one")
    only = OnlyGaps(
        exchange=normal_exchange(wish.exchange) if wish.exchange else None,
        symbol=normal_symbol(wish.symbol) if wish.symbol else None,
        channel=wish.channel,
        open=wish.open,
    )
    found, more = await latest(platform.queries, only, wish.limit)
    if wish.json:
        print_json({"gaps": [_document(gap) for gap in found], "more": more})
    elif not found:
        print(_nothing(wish))
    else:
        rows = [_row(gap) for gap in found]
        print(table(("exchange", "symbol", "channel", "from (UTC)", "lasted", "cause", "closed"), rows, numbers=0))
        if more:
            print(f"\nThese are the latest {len(found):,}; --limit shows more.")
    return DONE


def _nothing(wish: argparse.Namespace) -> str:
    asked = any((wish.exchange, wish.symbol, wish.channel))
    kind = "" if wish.open is None else "open " if wish.open else "closed "
    return f"No {kind}gap {'of that kind was' if asked else 'was ever'} noted."


def _row(gap: GapView) -> tuple[str, ...]:
    closed = f"{gap.closed_how}, {short(gap.closed_ts)}" if gap.closed_how else _open(gap)
    start = rfc3339(gap.start_ts)[:19].replace("T", " ")
    return gap.exchange, gap.symbol, gap.channel, start, lasting(gap.end_ts - gap.start_ts), gap.cause, closed


def _open(gap: GapView) -> str:
    """`open`, or how far its repair is."""
    if not gap.since_ts:
        return "open"
    share = (gap.start_ts - gap.since_ts) / (gap.end_ts - gap.since_ts)
    left = "" if gap.seconds_left is None else f", {lasting(round(gap.seconds_left * SECOND))} left"
    return f"open, {100 * share:.0f} % of it repaired{left}"


def lasting(micros: Micros) -> str:
    """`0.250 s`, `42 s`, `3 min 20 s`, `2 h 5 min`, `4 d 1 h`."""
    seconds = micros / SECOND
    if seconds < 10:
        return f"{seconds:.3f} s"
    whole = round(seconds)
    for size, unit, below, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def _document(gap: GapView) -> dict[str, object]:
    return {
        "id": gap.id,
        "exchange": gap.exchange,
        "symbol": gap.symbol,
        "channel": gap.channel,
        "start": rfc3339(gap.start_ts),
        "end": rfc3339(gap.end_ts),
        "seconds": (gap.end_ts - gap.start_ts) / SECOND,
        "cause": gap.cause,
        "closed_how": gap.closed_how or None,
        "closed": rfc3339(gap.closed_ts) if gap.closed_how else None,
        "noted": rfc3339(gap.noted_ts) if gap.noted_ts else None,
        "began": rfc3339(gap.since_ts) if gap.since_ts else None,
        "seconds_left": gap.seconds_left,
    }
