"""`onetape compare`: strategies side by side on the same candles and costs, and whether one is better than another."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetape.cli import backtest, trials
from onetape.cli.output import DONE, NOT_HELD, Parser, Usage, print_json
from onetape.cli.stopping import finish
from onetape.domain.errors import BadInput

if TYPE_CHECKING:
    from onetape.domain.comparison import Comparison
    from onetape.domain.results import Result
    from onetape.ports import StoredRun

_HELP: Final = """\
Every strategy runs as in `onetape backtest`. Then: how their daily returns move together, whether the difference of two
is more than chance (the same redrawn days for both, corrected for the number of pairs), and what mixes of them give.

  onetape compare -s ema_cross -s sma_cross --symbol BTC-USDT --timerange 20200101-20241231
  onetape compare -s sma_cross -s sma_cross:fast=5,slow=20 --file candles.csv --html compared.html

A strategy that does not pass the gate is refused (exit code 3), and nothing is compared.
"""


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape compare", description="Strategies side by side.", epilog=_HELP)
    return backtest.with_flags(top)


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    backtest.check_outputs(wish)
    spec = backtest.spec_of(wish)
    wanted = [backtest.entry_of(text) for text in wish.strategy]
    if len(wanted) < 2:
        raise Usage("A comparison needs two strategies or more: repeat -s.")
    if "," in (wish.symbol or ""):
        raise Usage("A comparison is on one --symbol.")
    trials.check_flags(wish, [one.name for one in wanted])
    if wish.no_gate:
        print("onetape compare: only strategies that pass the gate are compared: leave --no-gate out.", file=sys.stderr)
        return NOT_HELD
    refuse_twins(wish, wanted)
    how = backtest.from_file if wish.file else backtest.from_store
    outcomes = finish(how(wish, spec, wanted))
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    if len(results) < len(outcomes):
        refused(wish, outcomes)
        return NOT_HELD
    tell(wish, results)
    return DONE


def refuse_twins(wish: argparse.Namespace, wanted: Sequence[backtest.Wanted]) -> None:
    from onetape.strategies.registry import Registry

    registry = Registry.load(backtest.settings_of(wish).strategies)
    seen: list[tuple[str, dict[str, Any]]] = []
    for one, text in zip(wanted, wish.strategy, strict=True):
        entry = (one.name, backtest.build(registry, wish, one, wanted).parameters())
        if entry in seen:
            raise BadInput("--strategy", text, "there twice with the same parameters", "Leave one of them out.")
        seen.append(entry)


def refused(wish: argparse.Namespace, outcomes: Sequence[backtest.Outcome]) -> None:
    if wish.json == "-":
        runs = kept([outcome.result for outcome in outcomes if outcome.result is not None])
        error = "A strategy was refused: nothing was compared."
        print_json({"error": error, "runs": backtest.document(outcomes, runs)["runs"]})
    for outcome in outcomes:
        if why := reason(outcome):
            print(f"onetape compare: {why.rstrip('.')}. Nothing was compared.", file=sys.stderr)


def reason(outcome: backtest.Outcome) -> str:
    """Why a strategy is refused; "" when it is not."""
    if outcome.refused:
        return outcome.refused
    if outcome.gate is None or outcome.gate.ok:
        return ""
    failed = [verdict for verdict in (outcome.gate.causal, outcome.gate.finite_memory) if not verdict.ok]
    return f"{outcome.name} did not pass the gate: {failed[0].evidence}"


def kept(results: Sequence[Result]) -> list[StoredRun]:
    from onetape.backtest import report

    return [report.kept(result) for result in results]


def tell(wish: argparse.Namespace, results: Sequence[Result]) -> None:
    from onetape.backtest.beside import compare
    from onetape.backtest.compare import labels

    ordered = sorted(results, key=lambda result: -float(result.metrics["total_return"]))
    names, runs = labels([result.spec for result in ordered]), kept(ordered)
    found = compare(ordered, names)
    if wish.json == "-":
        print_json(document(found, runs))
    else:
        from onetape.cli import compare_report

        compare_report.show(found, runs)
        if wish.json:
            backtest.write_json(Path(wish.json), document(found, runs))
    if wish.html:
        from onetape.dashboard.compare_html import section
        from onetape.dashboard.report_html import page

        candles = [result.candles for result in ordered]
        wish.html.expanduser().write_text(page(runs, candles, section(found)), encoding="utf-8")
        print(f"Report: {wish.html}", file=sys.stderr)


def document(found: Comparison, runs: Sequence[StoredRun]) -> dict[str, Any]:
    """The comparison, a row for each run, and the runs as `onetape backtest` tells them."""
    from onetape.backtest import report
    from onetape.backtest.compare import comparison

    rows = comparison([run.view for run in runs])
    return {
        "comparison": found,
        "rows": rows,
        "runs": [report.document(run) | {"trade_list": run.trades} for run in runs],
    }
