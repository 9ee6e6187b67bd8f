"""Stored runs on a terminal and as plain JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from onetape.backtest.report import timed
from onetape.backtest.rerun import Rerun, short
from onetape.backtest.rundiff import Pair, RunDiff
from onetape.cli.backtest_report import amount, console, day, number, rate
from onetape.domain.results import Trade
from onetape.domain.units import rfc3339
from onetape.ports import RunView

LISTED: Final = ("total_return", "max_drawdown", "sharpe", "calmar", "trades", "win_rate", "profit_factor")
RATES: Final = frozenset(
    [
        "total_return",
        "max_drawdown",
        "win_rate",
        "cagr",
        "buy_and_hold",
        "exposure",
        "volatility",
        "best_day",
        "worst_day",
        "best_trade",
        "worst_trade",
        "average_trade",
    ]
)
LONG: Final = 60  # characters of the parameters in a list


def summary(view: RunView) -> dict[str, Any]:
    """One run in a list: what was asked and the figures, flat."""
    spec = view.spec
    return {
        "run_id": view.run_id,
        "created": rfc3339(view.created_ts),
        "strategy": spec.strategy,
        "parameters": spec.parameters,
        "exchange": spec.exchange,
        "symbol": spec.symbol,
        "timeframe": spec.timeframe,
        **{name.removesuffix("_ts"): timed(name, value) for name, value in view.metrics.items() if name != "luck"},
    }


def listed(views: Sequence[RunView], found: int) -> None:
    out = console()
    if not views:
        out.print("No run is stored that fits. `onetape backtest` stores every run; `onetape runs list` shows all.")
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("Run", "Strategy", "Market"):
        table.add_column(name, no_wrap=name != "Strategy")
    for name in ("Return", "Drawdown", "Sharpe", "Calmar", "Trades", "Win rate", "Factor"):
        table.add_column(name, justify="right", no_wrap=True)
    for view in views:
        spec, m = view.spec, view.metrics
        table.add_row(
            view.run_id, f"{spec.strategy} {given(spec.parameters)}", f"{spec.symbol} {spec.timeframe}",
            rate(m.get("total_return"), signed=True), rate(-m["max_drawdown"]), number(m.get("sharpe")),
            number(m.get("calmar")), f"{m['trades']:,}", rate(m.get("win_rate")), number(m.get("profit_factor")),
        )  # fmt: skip
    out.print(table)
    if found > len(views):
        out.print(Text(f"{len(views):,} of {found:,}; --limit 0 shows all.", style="dim"))


def given(parameters: dict[str, Any]) -> str:
    text = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return text if len(text) <= LONG else f"{text[:LONG]} ..."


def differing(found: RunDiff) -> None:
    out = console()
    out.print(f"a  {found.a}\nb  {found.b}")
    for title, rows in (("Parameters", found.parameters), ("Question", found.question), ("Figures", found.figures)):
        if rows:
            out.print(pairs_table(title, rows))
    for one in found.made_of:
        out.print(f"Not the same, {one.what}: {part(one.before)} in a, {part(one.now)} in b.")
    if found.first_trade:
        out.print(f"First trade that differs, number {found.first_trade.number}:")
        out.print(f"  a  {trade_line(found.first_trade.a)}\n  b  {trade_line(found.first_trade.b)}")
    if found.same:
        out.print("Figures and trades are the same.")


def part(value: Any) -> str:
    return ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else short(value)


def pairs_table(title: str, rows: Sequence[Pair]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 3, 0, 0), title=title, title_justify="left")
    table.add_column("")
    for name in ("a", "b", "b - a"):
        table.add_column(name, justify="right")
    for row in rows:
        gap = ""
        if all(isinstance(x, int | float) and not isinstance(x, bool) for x in (row.a, row.b)):
            gap = "" if row.name.endswith("_ts") else cell(row.name, row.b - row.a)
        table.add_row(row.name.removesuffix("_ts").replace("_", " "), cell(row.name, row.a), cell(row.name, row.b), gap)
    return table


def cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name.endswith("_ts"):
        return day(value)
    if name in RATES:
        return f"{100 * value:,.2f} %"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def trade_line(trade: Trade | None) -> str:
    if trade is None:
        return "none"
    side = "long" if trade.side > 0 else "short"
    how = "open" if trade.open else trade.exit_role.replace("_", " ")
    return (
        f"{side} {trade.qty:g} from {day(trade.entry_ts)} at {trade.entry_price:g} to {day(trade.exit_ts)} at "
        f"{trade.exit_price:g}, {how}, profit {amount(trade.profit)}"
    )


def rerun(found: Rerun) -> None:
    out = console()
    for text in (*map(str, found.changed), *found.notes, found.sentence()):
        out.print(f"{text[0].upper()}{text[1:].rstrip('.')}.")
    if found.figures:
        out.print(pairs_table("Figures, then (a) and now (b)", [Pair(*figure) for figure in found.figures]))
