"""`onetape verify NAME`: the gate that every strategy must pass before it may trade."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from onetape.cli.output import DONE, NOT_HELD, Parser, add_json, print_json
from onetape.cli.stopping import finish
from onetape.domain.errors import BadInput
from onetape.domain.units import Timeframe, parse_time, rfc3339

if TYPE_CHECKING:
    from onetape.domain.frame import CandleFrame
    from onetape.strategies.gate import GateReport, Verdict

_HELP: Final = """\
Two tests of what it answers (signals, the columns that quotes are made of, weights), on the recorded sample unless
other data is named:
  causal          whatever the market does after a candle, the rows up to it stay as they are
  finite memory   a window of warmup() candles gives the row of the whole, wherever the data begin

  onetape verify ema_cross
  onetape verify my_idea --strategies ~/strategies --set fast=10
  onetape verify ema_cross --symbol BTC-USDT --timeframe 1h
  onetape verify rotation --symbol BTC-USDT,ETH-USDT --timeframe 1h     of one symbol other markets are made up
Exit code 0: both hold; 3: one does not, and the candle, the column and both values are named.
"""


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape verify", description="Prove that a strategy does not look ahead.", epilog=_HELP)
    top.add_argument("strategy", metavar="NAME", help="the tag of a strategy")
    top.add_argument("--strategies", type=Path, metavar="DIR", help="a folder of your own strategy files")
    top.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; may be repeated")
    top.add_argument("--file", type=Path, metavar="CSV", help="candles from a file instead of the sample")
    top.add_argument("--symbol", metavar="BTC-USDT", help="candles from the database; with --file: what the file holds")
    top.add_argument("--exchange", default="okx", metavar="okx", help="of the candles")
    top.add_argument("--timeframe", metavar="1h", help="build candles of this length (as they are, if not given)")
    top.add_argument("--timerange", default="", metavar="FROM-TO", help="20180101-20191231, either end may be empty")
    top.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
    add_json(top)
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    from onetape.settings import Settings
    from onetape.strategies.gate import check
    from onetape.strategies.registry import Registry

    registry = Registry.load(wish.strategies or Settings().strategies)
    strategy = registry.build_from_text(wish.strategy, wish.set)
    frames, data = _candles(wish)
    if len(frames) > 1 and strategy.kind != "portfolio":
        raise BadInput("--symbol", wish.symbol, f"several, and {wish.strategy} is for one instrument", "Name one.")
    frame = frames[0]
    if not len(frame):
        raise BadInput("candles", data, "none there to test on", "Choose a longer period or other data.")
    report = check(strategy, {one.symbol: one for one in frames} if len(frames) > 1 else frame)
    if wish.json:
        print_json({"ok": report.ok, "data": data, **msgspec.to_builtins(report)})
    else:
        print(_text(report, frame, data))
        for error in registry.errors:
            print(f"note: {error}", file=sys.stderr)
    return DONE if report.ok else NOT_HELD


def _candles(wish: argparse.Namespace) -> tuple[list[CandleFrame], str]:
    """The candles to test on, a frame for each symbol, and what they are called."""
    start_ts, end_ts = _range(wish.timerange)
    if wish.symbol and not wish.file:
        return finish(_stored(wish, start_ts, end_ts)), f"stored {wish.exchange}:{wish.symbol}"
    from onetape.archive import read, sample_frame
    from onetape.domain.frame import resample
    from onetape.marketdata.reading import closed

    frame = read(wish.file, None, wish.symbol, wish.exchange).frame if wish.file else sample_frame()
    if wish.timeframe:
        frame = closed(resample(frame, Timeframe.parse(wish.timeframe, "--timeframe")), int(frame.close_ts[-1]))
    return [frame.between(start_ts, end_ts)], f"file {wish.file.name}" if wish.file else "the recorded sample"


async def _stored(wish: argparse.Namespace, start_ts: int | None, end_ts: int | None) -> list[CandleFrame]:
    """Of several symbols the candles that all have. Raises BadInput where there are none."""
    from onetape.app.wiring import open_platform
    from onetape.backtest.portfolio import common
    from onetape.marketdata.reading import load
    from onetape.settings import Settings

    timeframe = Timeframe.parse(wish.timeframe or "1m", "--timeframe")
    settings = Settings(data_dir=wish.data_dir) if wish.data_dir else Settings()
    names = list(dict.fromkeys(name.strip() for name in wish.symbol.split(",") if name.strip()))
    async with open_platform(settings) as platform:
        frames = [await load(platform.candles, (wish.exchange, name, timeframe), start_ts, end_ts) for name in names]
    return frames if len(frames) == 1 else list(common(dict(zip(names, frames, strict=True))).values())


def _range(text: str) -> tuple[int | None, int | None]:
    """[start, end) of `FROM-TO`; the last day is included whole."""
    if not text:
        return None, None
    start, sign, end = text.partition("-")
    if not sign:
        raise BadInput("--timerange", text, "not of the form FROM-TO", "Write 20180101-20191231.")
    start_ts = parse_time(start, "--timerange") if start else None
    end_ts = parse_time(end, "--timerange") + (86_400_000_000 if len(end) == 8 else 0) if end else None
    return start_ts, end_ts


def _text(report: GateReport, frame: CandleFrame, data: str) -> str:
    first, last = rfc3339(int(frame.ts[0])), rfc3339(int(frame.ts[-1]))
    parameters = ", ".join(f"{name}={value}" for name, value in report.parameters.items())
    return "\n".join(
        (
            f"{report.strategy} ({parameters or 'no parameters'})",
            f"on {report.candles:,} candles {report.symbol} {report.timeframe}, {first} to {last} ({data})",
            _line("causal", report.causal),
            _line("finite memory", report.finite_memory),
            f"  in {report.seconds:.2f} s",
        )
    )


def _line(name: str, verdict: Verdict) -> str:
    return f"  {'holds' if verdict.ok else 'FAILS':<6} {name:<14} {verdict.evidence}"
