"""`onetape data fill`: candles made up for the holes of a series, because somebody asks for them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from onetape.cli.output import DONE, print_json
from onetape.domain.units import Timeframe, parse_time

if TYPE_CHECKING:
    from onetape.app.wiring import Platform

MADE_UP = "made up, flat at the close before each hole and without volume, and marked synthetic"


def add_fill(parser: argparse.ArgumentParser) -> None:
    """For the verbs that bring candles: the same afterwards as `onetape data fill` over what they brought."""
    parser.add_argument(
        "--fill", action="store_true", help="make up the candles of holes that are left, flat and marked synthetic"
    )


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--symbol", required=True, metavar="BTC-USDT")
    parser.add_argument("--timeframe", required=True, metavar="1m")
    parser.add_argument("--exchange", metavar="okx", help="the one that is recorded, unless another is named")
    parser.add_argument("--since", metavar="2024-01-01", help="from the first stored candle on where it lacks")
    parser.add_argument("--until", metavar="2024-02-01", help="to the last stored candle where it lacks")


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.marketdata.filling import fill

    exchange = (wish.exchange or platform.settings.exchange).strip().lower()
    symbol, timeframe = wish.symbol.strip().upper(), Timeframe.parse(wish.timeframe, "--timeframe")
    since = parse_time(wish.since, "--since") if wish.since else None
    until = parse_time(wish.until, "--until") if wish.until else None
    made = await fill(platform.candles, (exchange, symbol, timeframe), since, until)
    if wish.json:
        print_json({"exchange": exchange, "symbol": symbol, "timeframe": str(timeframe), "synthetic": made})
    elif made:
        print(f"{exchange} {symbol} {timeframe}: {made:,} candles were {MADE_UP}. A backtest over them says so.")
    else:
        print(f"{exchange} {symbol} {timeframe}: there is no hole between the stored candles.")
    return DONE
