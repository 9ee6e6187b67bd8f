"""`onetape data list`: what is stored."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from onetape.cli.data.series import short, table
from onetape.cli.output import DONE, print_json
from onetape.domain.units import rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.ports import Coverage


def arguments(parser: argparse.ArgumentParser) -> None:
    """Takes nothing but what every verb takes."""


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    series = await platform.candles.coverage()
    if wish.json:
        print_json({"series": [_coverage(one) for one in series]})
    elif not series:
        print("Nothing is stored yet. Import a file (onetape data import FILE) or start the demo (onetape demo).")
    else:
        rows = [
            (*_key(one), short(one.first_ts), short(one.last_ts), f"{one.rows:,}", f"{one.gaps:,}") for one in series
        ]
        print(table(("exchange", "symbol", "timeframe", "first", "last", "rows", "gaps"), rows))
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
