"""`onetape data compare`: the same instrument on two exchanges."""

from __future__ import annotations

import argparse
import asyncio
import math
from typing import TYPE_CHECKING, Final

from onetape.cli.data.series import listed, short, span
from onetape.cli.output import DONE, print_json
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import Micros, Timeframe, parse_time, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.domain.frame import CandleFrame
    from onetape.marketdata.compare import Comparison
    from onetape.ports import CandleStore

HELP: Final = """\
Differences of the closes, candles that one has and the other has not, and which of the two moves first. Candles that an
exchange has not from itself (taken from another one, filled) are left out. A timeframe that is not stored is built.

  onetape data compare --symbol BTC-USDT --exchanges okx,binance --timeframe 1h
  onetape data compare --symbol BTC-USDT --exchanges okx,kraken:BTC-USD --timeframe 1h --since 20240101
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = HELP
    parser.add_argument("--symbol", required=True, metavar="BTC-USDT")
    parser.add_argument("--exchanges", required=True, metavar="okx,binance", help="two; with :SYMBOL where it differs")
    parser.add_argument("--timeframe", default="1h", metavar="1h")
    parser.add_argument("--since", metavar="TIME", help="20240131 or 2024-01-31T12:00Z, that included")
    parser.add_argument("--until", metavar="TIME", help="not included")


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.marketdata.compare import compare

    first, second = await _frames(platform.candles, wish)
    found = await asyncio.to_thread(compare, first, second)
    if wish.json:
        print_json(_document(found, first.symbol, second.symbol))
    else:
        print(_text(found, first.symbol, second.symbol))
    return DONE


async def _frames(store: CandleStore, wish: argparse.Namespace) -> tuple[CandleFrame, CandleFrame]:
    """Raises BadInput naming the flag, NotFound for a series of which nothing is stored."""
    from onetape.archive.naming import normal_exchange, normal_symbol
    from onetape.marketdata.reading import load

    named = listed(wish.exchanges, "--exchanges")
    if len(named) != 2:
        raise BadInput("--exchanges", wish.exchanges, "not two exchanges", "Name two: okx,binance.")
    timeframe = Timeframe.parse(wish.timeframe, "--timeframe")
    start, end = _time(wish.since, "--since"), _time(wish.until, "--until")
    frames = []
    for text in named:
        name, _, own = text.partition(":")
        exchange = normal_exchange(name, "--exchanges")
        symbol = normal_symbol(own or wish.symbol, "--exchanges" if own else "--symbol")
        frame = await load(store, (exchange, symbol, timeframe), start, end)
        if not len(frame):
            asked = f"{exchange} {symbol} {timeframe}"
            raise NotFound("the series", asked, "not stored for that time", "`onetape data list` shows what is.")
        frames.append(frame)
    return frames[0], frames[1]


def _time(text: str | None, flag: str) -> Micros | None:
    return parse_time(text, flag) if text else None


def _document(found: Comparison, first: str, second: str) -> dict[str, object]:
    def number(value: float, digits: int) -> float | None:
        return None if math.isnan(value) else round(value, digits)

    return {
        "first": {"exchange": found.first, "symbol": first},
        "second": {"exchange": found.second, "symbol": second},
        "timeframe": found.timeframe,
        "start": rfc3339(found.start_ts),
        "end": rfc3339(found.end_ts),
        "both": found.both,
        "only_first": found.only_first,
        "only_second": found.only_second,
        "median_bps": number(found.median_bps, 3),
        "p95_bps": number(found.p95_bps, 3),
        "worst_bps": number(found.worst_bps, 3),
        "worst_at": rfc3339(found.worst_ts) if found.worst_ts else None,
        "volume_ratio": number(found.volume_ratio, 4),
        "correlation": number(found.correlation, 4),
        "lag": found.lag,
        "lag_correlation": number(found.lag_correlation, 4),
    }


def _text(found: Comparison, first: str, second: str) -> str:
    one, two = f"{found.first} {first}", f"{found.second} {second}"
    lines = [
        f"{two} against {one}, {found.timeframe}, {span(found.start_ts, found.end_ts)}",
        f"  both        {found.both:,} candles; only {found.first} {found.only_first:,}, "
        f"only {found.second} {found.only_second:,}",
    ]
    if found.both:
        lines += [
            f"  closes      {found.median_bps:+.2f} basis points in the middle, 95 % within {found.p95_bps:.2f}, "
            f"at most {found.worst_bps:+.2f} ({short(found.worst_ts)})",
            f"  volume      {found.second} has {found.volume_ratio:.3g} times that of {found.first}",
        ]
    lines.append(f"  changes     {_lag(found)}")
    return "\n".join(lines)


def _lag(found: Comparison) -> str:
    if math.isnan(found.lag_correlation):
        return "too few candles without a hole to say who moves first"
    at_once = f"correlate {found.correlation:.3f} at the same time"
    if found.lag == 0:
        return f"{at_once}; neither follows the other"
    later, earlier = (found.second, found.first) if found.lag > 0 else (found.first, found.second)
    count = abs(found.lag)
    candles = "candle" if count == 1 else "candles"
    return f"{at_once}, and {found.lag_correlation:.3f} when {later} follows {earlier} by {count} {candles}"
