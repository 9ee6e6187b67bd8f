"""`onetape data audit`: do the venue's candles agree with the trades that were received?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from onetape.cli.data.series import short, table
from onetape.cli.output import DONE, NOT_HELD, print_json
from onetape.domain.units import Timeframe, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.ports import AuditCount, Verdict

SHOWN: Final = 10  # differences of one series
QUIET: Final = ("equal", "not judged")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exchange", metavar="okx")
    parser.add_argument("--symbol", metavar="BTC-USDT")


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    """Exit code 3 when a candle differs by more than rounding."""
    counts = await platform.audits.counts(wish.exchange, wish.symbol)
    series = dict.fromkeys((one.exchange, one.symbol, one.timeframe) for one in counts if one.verdict not in QUIET)
    differing = [
        verdict
        for exchange, symbol, timeframe in series
        for verdict in await platform.audits.differences(exchange, symbol, Timeframe.parse(timeframe), SHOWN)
    ]
    if wish.json:
        print_json({"counts": [_count(one) for one in counts], "differences": [_difference(one) for one in differing]})
    elif not counts:
        print("No candle was compared yet: that needs trades and candles of a symbol, recorded together for minutes.")
    else:
        rows = [(one.exchange, one.symbol, one.timeframe, one.verdict, f"{one.candles:,}") for one in counts]
        print(table(("exchange", "symbol", "timeframe", "verdict", "candles"), rows))
        print("\n".join(["", *map(_sentence, differing)]) if differing else "\nNo candle differs from its trades.")
    serious = any(one.verdict not in (*QUIET, "rounding") for one in counts)
    return NOT_HELD if serious else DONE


def _count(one: AuditCount) -> dict[str, object]:
    return {
        "exchange": one.exchange,
        "symbol": one.symbol,
        "timeframe": one.timeframe,
        "verdict": one.verdict,
        "candles": one.candles,
    }


def _difference(one: Verdict) -> dict[str, object]:
    series = {"exchange": one.exchange, "symbol": one.symbol, "timeframe": one.timeframe}
    return series | {"time": rfc3339(one.open_ts), "difference": one.verdict, "venue": one.venue, "built": one.built}


def _sentence(one: Verdict) -> str:
    built = _numbers(one.built) if one.built else "no trade"
    where = f"{one.exchange} {one.symbol} {one.timeframe} {short(one.open_ts)}"
    return f"{where}  {one.verdict}: the venue says {_numbers(one.venue)}; received {built}"


def _numbers(values: list[float]) -> str:
    names = ("open", "high", "low", "close", "volume")
    return ", ".join(f"{name} {value:.10g}" for name, value in zip(names, values, strict=False))
