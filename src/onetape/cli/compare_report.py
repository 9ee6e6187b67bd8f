"""A comparison on a terminal: the usual rows, how returns move together, differences in plain words, mixes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from onetape.backtest.beside import verdict
from onetape.cli.backtest_report import compared, console, head, number, rate, titled
from onetape.domain.comparison import Comparison, Difference, Mix
from onetape.ports import StoredRun


def show(found: Comparison, runs: Sequence[StoredRun], out: Console | None = None) -> None:
    out = out or console()
    for run in runs:
        out.print()
        head(run.view, out)
    compared([run.view for run in runs], out)
    for text in found.notes:
        out.print(f"\n! {text}")
    if not found.pairs:
        return
    out.print()
    out.print(correlations(found))
    out.print()
    out.print(differences(found))
    out.print()
    for pair in found.pairs:
        out.print(f"By Sharpe ratio {verdict(pair.first, pair.second, pair.sharpe)}.")
    out.print(f"{found.draws:,} histories, redrawn in blocks of {found.block_days:.1f} days on average, the same days "
              "for all; p is corrected for all pairs (Holm).", style="dim")  # fmt: skip
    out.print()
    out.print(mixes(found))
    out.print()
    for mix in found.mixes:
        out.print(gained(mix))
    out.print("Of daily closes; rebalancing is not charged.", style="dim")


def columned(title: str, *names: str) -> Table:
    table = titled(title)
    for name in names:
        table.add_column(name, justify="right" if name else "left")
    return table


def correlations(found: Comparison) -> Table:
    table = columned(f"Correlation of daily returns, {found.days:,} common days", "", *found.names)
    for name, row in zip(found.names, found.correlation, strict=True):
        table.add_row(name, *(number(value) for value in row))
    return table


def differences(found: Comparison) -> Table:
    table = columned("Differences", "", "First less second", "95 % of histories", "Order turns in", "p")
    for pair in found.pairs:
        table.add_row(f"{pair.first} less {pair.second}", *[""] * 4)
        table.add_row("  yearly return", *cells(pair.cagr, rate))
        table.add_row("  Sharpe", *cells(pair.sharpe, number))
    return table


def cells(found: Difference, tell: Callable[[float], Any]) -> tuple[str, ...]:
    low, high = tell(found.interval.low), tell(found.interval.high)
    return str(tell(found.real)), f"{low} to {high}", f"{100 * found.turned:.0f} %", f"{found.adjusted:.3f}"


def mixes(found: Comparison) -> Table:
    table = columned("Mixes, brought to their weights every day", "", "Return", "CAGR", "Volatility", "Sharpe",
                     "Drawdown")  # fmt: skip
    for one in [*found.each, *(mix.figures for mix in found.mixes)]:
        table.add_row(
            one.name, rate(one.total_return, signed=True), rate(one.cagr, signed=True), rate(one.volatility),
            number(one.sharpe), rate(-one.max_drawdown),
        )  # fmt: skip
    return table


def gained(mix: Mix) -> str:
    """What diversification gave, in a sentence."""
    weights = ", ".join(f"{name} {100 * share:.0f} %" for name, share in mix.weights.items())
    if mix.calmer is None or mix.shallower is None:
        return f"Mixed by {mix.figures.name} ({weights}): nothing moved, so nothing was diversified."
    return (
        f"Mixed by {mix.figures.name} ({weights}): {less(mix.calmer)} volatility and "
        f"{less(mix.shallower)} drawdown than its parts have on average."
    )


def less(share: float) -> str:
    return f"{100 * abs(share):.0f} % {'more' if share < 0.0 else 'less'}"
