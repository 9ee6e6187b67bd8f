"""`onetape backtest`: one or several strategies over the past, from the database or straight from a candle file."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from onetape.cli import trials
from onetape.cli.costs import add_costs, costs_of, with_costs, with_rates
from onetape.cli.output import DONE, NOT_HELD, Parser, Usage, print_json
from onetape.cli.stopping import finish
from onetape.domain.accounts import Exits, RiskLimits, Sizing
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.instrument import Instrument
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import DAY, Micros, Timeframe, parse_time

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.backtest.candles import Chosen
    from onetape.backtest.counting import Counter, Planned
    from onetape.domain.frame import CandleFrame
    from onetape.ports import StoredRun
    from onetape.strategies.gate import GateReport
    from onetape.strategies.registry import Registry

_HELP: Final = """\
Signals are made on candles of --timeframe, orders fill on the finest stored candles at or below it: docs/fill-model.md
says how. Every run is stored with hashes of code, parameters and data. A strategy that looks ahead is refused (exit
code 3): `onetape verify` is run before each.

  onetape backtest -s ema_cross --symbol BTC-USD --timeframe 1h --timerange 20180101-20191231
  onetape backtest -s ema_cross --set fast=10 --stop 0.02 --take 0.04 --symbol BTC-USD --html report.html
  onetape backtest -s ema_cross -s sma_cross:fast=5,slow=20 --symbol BTC-USD        several are compared
  onetape backtest -s sma_cross --file candles.csv --timeframe 1h                   no database needed
  onetape backtest -s rotation --symbol BTC-USDT,ETH-USDT,SOL-USDT --timeframe 1d   a portfolio
  onetape backtest --fleet config/bots --timerange 20240101-20251231                all bots together (--fleet --help)

Parameters: `--set slow=30` sets it for every strategy named, `--set ema_cross.slow=30` for one, and `-s
ema_cross:fast=5,slow=20` for this entry, so that one strategy can be compared with itself.
"""


UNNAMED: Final = "UNNAMED-USD"  # what candles are called when nobody says


class Wanted(NamedTuple):
    """One -s: the strategy's name and its own settings as text."""

    name: str
    settings: dict[str, str]


class Outcome(NamedTuple):
    """A strategy's run; or only its gate when that did not hold, or why what is sealed was not opened for it."""

    name: str
    result: Result | None
    gate: GateReport | None
    refused: str = ""


def parser() -> argparse.ArgumentParser:
    return with_flags(Parser(prog="onetape backtest", description="Run strategies over the past.", epilog=_HELP))


def with_flags(top: argparse.ArgumentParser, required: bool = True) -> argparse.ArgumentParser:
    """What is run, on which candles, with which money, and where it is told."""
    top.add_argument("-s", "--strategy", action="append", required=required, metavar="NAME[:k=v,...]", dest="strategy")
    top.add_argument("--set", action="append", default=[], metavar="[NAME.]K=V", help="a parameter; repeat it")
    top.add_argument("--strategies", type=Path, metavar="DIR", help="a folder of strategy files of your own")
    data = top.add_argument_group("candles")
    data.add_argument("--symbol", metavar="BTC-USDT")
    data.add_argument("--exchange", default="", metavar="okx", help="needed when several have the symbol")
    data.add_argument("--timeframe", metavar="1h", help="of the signals; 1h unless a file says otherwise")
    data.add_argument(
        "--timerange", default="", metavar="20180101-20191231", help="end day included; either end may lack"
    )
    data.add_argument("--file", type=Path, metavar="FILE", help="a candle file instead of the database")
    data.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
    money = top.add_argument_group("money")
    money.add_argument("--cash", type=float, default=10_000.0, help="at the start, in quote currency (10000)")
    money.add_argument(
        "--sizing", default="fraction:0.95", metavar="RULE", help="fraction:0.95, quote:1000, qty:1, risk:0.01"
    )
    for name, what in (("--stop", "loss"), ("--take", "profit"), ("--trail", "fall from the best price")):
        money.add_argument(name, type=float, metavar="RATE", help=f"leave at this {what}, as a rate of the price")
    money.add_argument(
        "--max-drawdown", type=float, metavar="RATE", help="close and enter nothing more at this fall of equity"
    )
    money.add_argument("--allow-short", action="store_true", help="targets below zero sell short")
    add_costs(top)
    trials.add_flags(top)
    out = top.add_argument_group("output")
    out.add_argument("--json", nargs="?", const="-", metavar="FILE", help="the figures as JSON; - is standard output")
    out.add_argument("--html", type=Path, metavar="FILE", help="a report with charts that opens without a network")
    out.add_argument("--no-gate", action="store_true", help="do not prove that the strategy is causal first")
    keep = out.add_mutually_exclusive_group()
    keep.add_argument("--store", action="store_true", help="keep the run in the database (with --file)")
    keep.add_argument("--no-store", action="store_true", help="do not keep the run")
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    check_outputs(wish)
    spec = spec_of(wish)
    wanted = [entry_of(text) for text in wish.strategy]
    trials.check_flags(wish, [one.name for one in wanted])
    outcomes = finish(from_file(wish, spec, wanted) if wish.file else from_store(wish, spec, wanted))
    return tell(wish, outcomes)


# --- what is asked


def spec_of(wish: argparse.Namespace) -> BacktestSpec:
    """The question without its strategy. Raises BadInput naming the flag."""
    if not wish.symbol and not wish.file:
        raise Usage("--symbol is needed (or --file). `onetape data list` shows what is stored.")
    start_ts, end_ts = timerange_of(wish.timerange)
    if not 0.0 < wish.cash < 1e15:
        raise BadInput("--cash", wish.cash, "not a positive amount of money")
    for flag, high in (("stop", 1.0), ("take", 100.0), ("trail", 1.0), ("max_drawdown", 1.0)):
        if getattr(wish, flag) is not None:
            rate_in(wish, flag, 0.0, high)
    drawdown = 1.0 if wish.max_drawdown is None else float(wish.max_drawdown)
    spec = BacktestSpec(
        strategy="",
        exchange=wish.exchange.strip().lower(),
        symbol=(wish.symbol or "").strip().upper().replace("/", "-"),
        timeframe=str(Timeframe.parse(wish.timeframe, "--timeframe")) if wish.timeframe else "",
        start_ts=start_ts,
        end_ts=end_ts,
        cash=wish.cash,
        sizing=Sizing.parse(wish.sizing),
        limits=RiskLimits(max_drawdown=drawdown, allow_short=float(wish.allow_short)),
        exits=Exits(*(math.nan if rate is None else rate for rate in (wish.stop, wish.take, wish.trail))),
    )
    return with_costs(spec, costs_of(wish))


def rate_in(wish: argparse.Namespace, flag: str, low: float, high: float) -> None:
    rate = getattr(wish, flag)
    if not low < rate < high:
        field = "--" + flag.replace("_", "-")
        raise BadInput(field, rate, f"not a rate between {low:g} and {high:g}", "0.02 is 2 %.")


def timerange_of(text: str) -> tuple[Micros | None, Micros | None]:
    """`20180101-20191231`, `20180101-`, `-20191231`, ``: the end day is included."""
    found = re.fullmatch(r"(\d{8})?-(\d{8})?", text.strip()) if text.strip() else None
    if text.strip() and not found:
        raise BadInput("--timerange", text, "not two days", "Write 20180101-20191231, 20180101- or -20191231.")
    first, last = (found[1], found[2]) if found else (None, None)
    start_ts = parse_time(first, "--timerange") if first else None
    end_ts = parse_time(last, "--timerange") + DAY if last else None
    if start_ts is not None and end_ts is not None and start_ts >= end_ts:
        raise BadInput("--timerange", text, "ends before it begins")
    return start_ts, end_ts


def entry_of(text: str) -> Wanted:
    """`ema_cross` or `ema_cross:fast=5,slow=20`."""
    from onetape.strategies.registry import parse_settings

    name, _, rest = text.partition(":")
    return Wanted(name.strip(), parse_settings(rest.split(","), "-s") if rest else {})


def settings_for(wanted: Wanted, given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The settings of one entry: --set for all, then --set NAME., then its own."""
    from onetape.strategies.registry import parse_settings

    common: dict[str, str] = {}
    own: dict[str, str] = {}
    for key, value in parse_settings(given).items():
        name, dot, parameter = key.partition(".")
        if dot and name not in names:
            raise BadInput("--set", f"{key}={value}", f"{name} is none of the strategies of this run")
        if not dot:
            common[key] = value
        elif name == wanted.name:
            own[parameter] = value
    return common | own | wanted.settings


def check_outputs(wish: argparse.Namespace) -> None:
    """A report that cannot be written is refused before anything is worked out."""
    for flag, path in (("--json", wish.json), ("--html", wish.html)):
        if path not in (None, "-") and not Path(path).expanduser().resolve().parent.is_dir():
            raise BadInput(flag, str(path), "in a folder that does not exist", "Make the folder first.")


# --- where the candles come from


async def from_store(wish: argparse.Namespace, spec: BacktestSpec, wanted: Sequence[Wanted]) -> list[Outcome]:
    from onetape.app.recorded import recording
    from onetape.app.wiring import open_platform
    from onetape.backtest.candles import choose, instrument_of
    from onetape.backtest.margin import settled

    registry = registry_of(wish)
    built = [build(registry, wish, one, wanted) for one in wanted]  # bad names are refused before a server starts
    say("opening the database ...")
    async with open_platform(settings_of(wish)) as platform:
        if not spec.timeframe:
            spec = replaced(spec, timeframe="1h")
        say("loading candles ...")
        chosen = await choose(platform.candles, spec, max(strategy.history() for strategy in built))
        exchange = chosen.frame.exchange
        instrument = await instrument_of(platform.candles, exchange, spec.symbol)
        spec = settled(replaced(spec, exchange=exchange), instrument, "--leverage")
        say("reading what was recorded ...")
        chosen = with_rates(await recording(platform)(chosen, spec), wish.funding_file)
        await trials.taken_over(platform.settings.data_dir, platform.ledger, exchange, spec.symbol)
        outcomes = await run_all(wish, spec, wanted, registry, chosen, trials.in_database(platform.ledger))
        if not wish.no_store:
            await keep(platform, outcomes)
    return outcomes


async def from_file(wish: argparse.Namespace, spec: BacktestSpec, wanted: Sequence[Wanted]) -> list[Outcome]:
    from onetape.backtest.candles import split
    from onetape.backtest.margin import settled

    registry = registry_of(wish)
    for one in wanted:
        build(registry, wish, one, wanted)
    say(f"reading {wish.file} ...")
    candles = frame_of(wish)
    timeframe = spec.timeframe or str(candles.timeframe)
    spec = replaced(spec, exchange=candles.exchange, symbol=candles.symbol, timeframe=timeframe)
    spec = settled(spec, Instrument.unknown(candles.exchange, candles.symbol), "--leverage")
    async with trials.without_candles(settings_of(wish)) as counter:
        outcomes = await run_all(
            wish, spec, wanted, registry, with_rates(split(candles, spec), wish.funding_file), counter
        )
    if wish.store:
        from onetape.app.wiring import open_platform

        async with open_platform(settings_of(wish)) as platform:
            await keep(platform, outcomes)
    return outcomes


def frame_of(wish: argparse.Namespace) -> CandleFrame:
    """The file's candles. A backtest can do without a symbol, so what neither flag nor file tells is called UNNAMED."""
    from onetape.archive import read

    try:
        return read(wish.file, symbol=wish.symbol, exchange=wish.exchange or None).frame
    except BadInput as error:
        if error.field != "--symbol" or error.value:
            raise
        return read(wish.file, symbol=UNNAMED, exchange=wish.exchange or None).frame


async def keep(platform: Platform, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.result is not None:
            await platform.runs.put(outcome.result)


def settings_of(wish: argparse.Namespace) -> Any:
    from onetape.settings import Settings

    given = {name: getattr(wish, name) for name in ("data_dir", "strategies") if getattr(wish, name)}
    return Settings(**given)


def registry_of(wish: argparse.Namespace) -> Registry:
    from onetape.strategies.registry import Registry

    registry = Registry.load(settings_of(wish).strategies)
    for error in registry.errors:
        print(f"onetape backtest: left out: {error}", file=sys.stderr)
    return registry


def replaced(spec: BacktestSpec, **parts: Any) -> BacktestSpec:
    import msgspec

    return msgspec.structs.replace(spec, **parts)


# --- running


def build(registry: Registry, wish: argparse.Namespace, one: Wanted, wanted: Sequence[Wanted]) -> Any:
    """The strategy of one entry. Raises NotFound with the nearest name, BadInput with the parameter."""
    import difflib

    if one.name not in registry.list():
        near = difflib.get_close_matches(one.name, registry.list(), 1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise NotFound("--strategy", one.name, "not known", f"{hint}There are: {', '.join(registry.list())}.")
    return registry.build(one.name, settings_for(one, wish.set, [other.name for other in wanted]), text=True)


async def run_all(
    wish: argparse.Namespace,
    spec: BacktestSpec,
    wanted: Sequence[Wanted],
    registry: Registry,
    chosen: Chosen,
    counter: Counter,
) -> list[Outcome]:
    from onetape.backtest.counting import counted_runs
    from onetape.backtest.dispatch import planned
    from onetape.backtest.pages import keep_pages

    keep_pages()
    may = await trials.permitted(wish, counter, chosen, spec, tell_once)
    outcomes: list[Outcome] = []
    plans: list[Planned] = []
    for one in wanted:
        strategy = build(registry, wish, one, wanted)
        gate = None
        if not wish.no_gate:
            say(f"verifying {one.name} ...")
            gate = gated(strategy, may.chosen.frame)
        outcomes.append(Outcome(one.name, None, gate))
        if gate is None or gate.ok:
            plans.append(planned(strategy, registry.source_hash(one.name), may, say))
    found = iter(await counted_runs(counter, may, plans))
    say("")
    return [outcome if outcome.gate and not outcome.gate.ok else answered(outcome, next(found)) for outcome in outcomes]


def answered(outcome: Outcome, found: Result | str) -> Outcome:
    return outcome._replace(refused=found) if isinstance(found, str) else outcome._replace(result=found)


def gated(strategy: Any, candles: CandleFrame | dict[str, CandleFrame]) -> GateReport:
    """The gate on the beginning of the very candles that are run (by symbol for a portfolio): enough to catch it, and
    soon done.

    Where they are fewer than it needs they cannot show anything, and the recorded sample is taken.
    """
    from onetape.strategies.gate import check

    needed = max(20_000, 4 * strategy.history())
    if isinstance(candles, dict):
        report = check(strategy, {name: frame.rows(0, needed) for name, frame in candles.items()})
    else:
        report = check(strategy, candles.rows(0, needed))
    if report.ok or report.candles > strategy.history():
        return report
    from onetape.archive import sample_frame

    return check(strategy, sample_frame().rows(0, needed))


def tell_once(text: str) -> None:
    """Something that a person must know, whoever reads the figures."""
    say("")
    print(text, file=sys.stderr)


def say(text: str) -> None:
    """Progress, for a person who looks."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


# --- telling


def tell(wish: argparse.Namespace, outcomes: Sequence[Outcome]) -> int:
    from onetape.backtest.report import kept

    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    runs = [kept(result) for result in results]
    if wish.json == "-":
        print_json(document(outcomes, runs))
    else:
        from onetape.cli import backtest_report

        backtest_report.show(runs)
        if wish.json:
            write_json(Path(wish.json), document(outcomes, runs))
    if wish.html and results:
        from onetape.dashboard.report_html import page

        wish.html.expanduser().write_text(page(runs, [result.candles for result in results]), encoding="utf-8")
        print(f"Report: {wish.html}", file=sys.stderr)
    for outcome in outcomes:
        if outcome.refused:
            print(f"onetape backtest: {outcome.refused}", file=sys.stderr)
        elif outcome.result is None and outcome.gate is not None:
            failed = [v for v in (outcome.gate.causal, outcome.gate.finite_memory) if not v.ok]
            print(f"onetape backtest: {outcome.name} did not pass the gate: {failed[0].evidence}", file=sys.stderr)
    return DONE if len(results) == len(outcomes) else NOT_HELD


def document(outcomes: Sequence[Outcome], runs: Sequence[StoredRun]) -> Any:
    """One run flat, several under `runs`."""
    there = {run.view.run_id: run for run in runs}
    told = [one_document(outcome, there) for outcome in outcomes]
    return told[0] if len(told) == 1 else {"runs": told}


def one_document(outcome: Outcome, runs: Mapping[str, StoredRun]) -> dict[str, Any]:
    from onetape.backtest import report

    gate = (
        None if outcome.gate is None else {"causal": outcome.gate.causal, "finite_memory": outcome.gate.finite_memory}
    )
    if outcome.result is None:
        return {"strategy": outcome.name, "error": outcome.refused or "did not pass the gate", "gate": gate}
    run = runs[outcome.result.run_id]
    return report.document(run) | {"gate": gate, "trade_list": run.trades}


def write_json(path: Path, value: Any) -> None:
    import msgspec

    path.expanduser().write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
